"""A model bundle: which classifiers and encoders it holds, and whether what one run needs is there, whole, and fits.

    bundle = open_bundle(Path("models"))
    selection = check(bundle, "virnucpro_500")     # ModelError (exit 66) names the file, what is wrong, what to do

Imports neither torch nor the safetensors library: it runs where the tools image does, before any task starts.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from virnucpro.bundle.classifier import CLASSIFIER, Classifier, EncoderUse, read_classifier
from virnucpro.bundle.layout import classifier_tensors
from virnucpro.bundle.manifest import MANIFEST, Manifest, read_manifest, sha256_file
from virnucpro.bundle.stamps import SMALL, Stamps, stamp
from virnucpro.bundle.tensors import check_shapes, read_header
from virnucpro.encoders.kind import CONFIG, WEIGHTS, Layout
from virnucpro.encoders.kinds import KINDS
from virnucpro.errors import ModelError
from virnucpro.files import read_object

Say = Callable[[str], None]


@dataclass(frozen=True)
class Encoder:
    """One encoder as a run uses it. `layer` is a number here (`last` resolved), `sha256` that of its weights, `digest`
    that of all its files."""

    kind: str
    name: str
    folder: Path
    layer: int
    dim: int
    layers: int
    parameters: int
    sha256: str
    digest: str


@dataclass(frozen=True)
class Selection:
    """A classifier with its encoders in feature order, all checked. `digest` changes when results could."""

    bundle: str
    classifier: Classifier
    encoders: tuple[Encoder, ...]
    digest: str


class Bundle:
    """A bundle's folder with its manifest, and the checks of its files."""

    def __init__(
        self, folder: Path, manifest: Manifest, full: bool = False, small: int = SMALL, say: Say = lambda _: None
    ):
        self.folder, self.manifest, self.full, self.say = folder, manifest, full, say
        self.stamps = Stamps(folder, small)
        self.verified: set[str] = set()

    @property
    def name(self) -> str:
        return self.manifest.name

    def names(self, folder: str, file: str) -> list[str]:
        """Names under `folder` ("classifiers" or "encoders") whose `file` the manifest lists."""
        parts = [path.split("/") for path in self.manifest.files]
        return sorted(p[1] for p in parts if len(p) == 3 and p[0] == folder and p[2] == file)

    def verify(self, path: str) -> str:
        """Check one file against the manifest, return its SHA-256; ModelError where it is unlisted, absent or changed.

        A file that was hashed before and not touched since (see stamps.py) is not hashed again, unless `full`.
        """
        entry, file = self.manifest.files.get(path), self.folder / path
        again = "Fetch the bundle again, or copy it again from where it was whole (docs/models.md)."
        if entry is None:
            listed = "it is there but" if file.exists() else "it is absent, and"
            raise ModelError(f"{file}: {listed} {MANIFEST} does not list it. {again}")
        if not file.is_file():
            raise ModelError(f"{file}: is missing, {MANIFEST} lists it. {again}")
        size = file.stat().st_size
        if size != entry.size:
            what = "is truncated" if size < entry.size else "has changed"
            raise ModelError(f"{file}: {what}: {size:,} bytes, {MANIFEST} says {entry.size:,}. {again}")
        if path in self.verified:
            return entry.sha256
        now = stamp(entry, file)
        if not self.full and self.stamps.holds(path, now):
            self.say(f"{path}: unchanged since it was hashed")
            self.verified.add(path)
            return entry.sha256
        try:
            actual = sha256_file(file)
        except OSError as e:
            raise ModelError(f"{file}: cannot be read ({e.strerror}). Check its permissions.") from e
        if actual != entry.sha256:
            raise ModelError(f"{file}: has changed: SHA-256 {actual}, {MANIFEST} says {entry.sha256}. {again}")
        self.stamps.add(path, now)
        self.verified.add(path)
        self.say(f"{path}: {size:,} bytes, SHA-256 as in {MANIFEST}")
        return actual

    def classifier_folder(self, wanted: str) -> Path:
        """The folder of a classifier given by its name in this bundle or by a path to it (or to its classifier.yml).

        Nothing given ("") means the only one, where the bundle has no more.
        """
        names = self.names("classifiers", CLASSIFIER)
        if not wanted and len(names) == 1:
            wanted = names[0]
        if not wanted:
            raise ModelError(f"{self.folder}: has {len(names)} classifiers ({', '.join(names) or 'none'}): name one.")
        if wanted in names:
            return self.folder / "classifiers" / wanted
        path = Path(wanted)
        path = path.parent if path.name == CLASSIFIER else path
        if (path / CLASSIFIER).is_file():
            return path.resolve()
        raise ModelError(
            f"{wanted}: neither a classifier of the bundle {self.folder} (it has {', '.join(names) or 'none'}) "
            f"nor a folder with a {CLASSIFIER}. Give one of these names, or a path."
        )

    def hash_of(self, file: Path) -> str:
        """SHA-256 of a file: checked where it is the bundle's, just taken where it lies elsewhere."""
        if file.is_relative_to(self.folder):
            return self.verify(file.relative_to(self.folder).as_posix())
        if not file.is_file():
            raise ModelError(f"{file}: is missing; a classifier's folder holds {CLASSIFIER} and {WEIGHTS}.")
        return sha256_file(file)


def open_bundle(folder: Path, full: bool = False, small: int = SMALL, say: Say = lambda _: None) -> Bundle:
    """Open the bundle in `folder`. `full`: hash every file anew; `say` is told of each check; files below `small` bytes
    are hashed each time, larger ones once."""
    folder = folder.resolve()  # a staged bundle is a link: messages and stamps name the folder itself
    return Bundle(folder, read_manifest(folder), full, small, say)


def check(bundle: Bundle, wanted: str, chunk_length: int | None = None) -> Selection:
    """Check all that the classifier `wanted` (name or path) needs; ModelError says what is missing or does not fit.

    `chunk_length`: what the run was asked for, in bases; an error where the classifier was trained on another.
    """
    folder = bundle.classifier_folder(wanted)
    card_digest = bundle.hash_of(folder / CLASSIFIER)
    classifier = read_classifier(folder)
    path = folder / CLASSIFIER
    if folder.is_relative_to(bundle.folder) and classifier.name != folder.name:
        raise ModelError(f"{path}: its name is {classifier.name!r}, its folder {folder.name!r}. They must agree.")
    if chunk_length is not None and chunk_length != classifier.chunk_length:
        raise ModelError(
            f"{path}: the classifier reads chunks of {classifier.chunk_length} bases, {chunk_length} were asked for. "
            "Leave the length out, or choose the classifier for it."
        )
    weights = bundle.hash_of(folder / WEIGHTS)
    encoders = tuple(check_encoder(bundle, path, use) for use in classifier.encoders)
    expected = classifier_tensors(classifier.features, len(classifier.classes))
    check_shapes(folder / WEIGHTS, read_header(folder / WEIGHTS), expected)
    bundle.say(f"{classifier.name}: {classifier.features} features, as its encoders give")
    matters = [
        classifier.chunk_length,
        classifier.classes,
        classifier.viral,
        classifier.rule,
        classifier.coding and astuple(classifier.coding),
        weights,
        dict(classifier.calibration),
    ]
    digest = digest_of([*matters, [[e.kind, e.layer, e.dim, e.digest] for e in encoders]])
    bundle.say(f"{path.name}: {card_digest[:12]}, all that decides results: {digest[:12]}")
    return Selection(bundle.name, classifier, encoders, digest)


def check_second(bundle: Bundle, first: Selection, wanted: str) -> Selection:
    """Check the classifier `wanted` as `check` does, and that it can score what the first one cannot read: by the same
    encoders, with the same classes, rule and coding, from shorter chunks."""
    second = check(bundle, wanted)
    one, two = first.classifier, second.classifier
    facts = [(c.encoders, c.classes, c.viral, c.rule, c.coding) for c in (one, two)]
    for what, a, b in zip(("encoders", "classes", "viral classes", "rule", "coding"), *facts, strict=True):
        if what == "encoders":
            a, b = ([(e.kind, e.name, e.layer) for e in used] for used in (a, b))
        if a != b:
            raise ModelError(
                f"{two.name} cannot be used beside {one.name}: its {what} are others. Name one of them alone."
            )
    if two.chunk_length >= one.chunk_length:
        raise ModelError(
            f"{two.name} cannot be the second classifier: it reads chunks of {two.chunk_length} bases, {one.name} of "
            f"{one.chunk_length}. The one for longer chunks comes first."
        )
    return second


def digest_of(facts: list) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def check_encoder(bundle: Bundle, card: Path, use: EncoderUse) -> Encoder:
    """Check one encoder's files against the manifest, its configuration and the classifier's card."""
    names = bundle.names("encoders", CONFIG)
    if use.name not in names:
        raise ModelError(
            f"{card}: needs the {use.kind} encoder {use.name}, which the bundle {bundle.folder} lacks "
            f"(it has {', '.join(names) or 'none'}). Fetch it: --workflow fetch_models (docs/models.md)."
        )
    digests = {f: bundle.verify(f"encoders/{use.name}/{f}") for f in KINDS[use.kind].files}
    folder = bundle.folder / "encoders" / use.name
    layout = read_layout(folder / CONFIG, use.kind)
    tensors = read_header(folder / WEIGHTS)
    check_shapes(folder / WEIGHTS, tensors, layout.tensors, layout.whole)
    if use.dim != layout.dim:
        raise ModelError(
            f"{card}: reads {use.dim} values from {use.name}, whose embeddings have {layout.dim}. "
            "The classifier was trained on another encoder."
        )
    layers = layout.layers
    layer = layers if use.layer == "last" else use.layer
    if layer > layers:
        raise ModelError(f"{card}: reads layer {layer} of {use.name}, which has layers 0 to {layers}.")
    if use.weights_sha256 and use.weights_sha256 != digests[WEIGHTS]:
        raise ModelError(
            f"{card}: was trained on other weights of {use.name} (SHA-256 {use.weights_sha256[:12]}..., here "
            f"{digests[WEIGHTS][:12]}...). Take the bundle it was trained with."
        )
    parameters = sum(t.size for name, t in tensors.items() if name in layout.tensors and not name.endswith("inv_freq"))
    bundle.say(f"{use.name}: {layers} layers, {parameters:,} parameters; layer {layer} gives {use.dim} values")
    digest = digest_of(sorted(digests.items()))
    return Encoder(use.kind, use.name, folder, layer, use.dim, layers, parameters, digests[WEIGHTS], digest)


def check_encoders(bundle: Bundle, wanted: list[str]) -> tuple[Encoder, ...]:
    """Check encoders of the bundle by themselves, to train a classifier on; in the order of features.

    wanted: their names, or of kinds; none: all that the bundle has. ModelError where one is not there, or two are of a
    kind.
    """
    names = bundle.names("encoders", CONFIG)
    kinds = {name: kind_of(bundle, name) for name in names}
    asked = [name for name in names if not wanted or name in wanted or kinds[name] in wanted]
    absent = [w for w in wanted if w not in asked and w not in (kinds[name] for name in asked)]
    has = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
    if absent or not asked:
        what = f"{', '.join(absent)}: no encoder" if absent else "no encoder is there"
        raise ModelError(f"{bundle.folder}: {what} of this bundle (it has {has}). Fetch it, or name others.")
    of_kind = {kind: [name for name in asked if kinds[name] == kind] for kind in KINDS}
    for kind, same in of_kind.items():
        if len(same) > 1:
            raise ModelError(f"{bundle.folder}: {' and '.join(same)} are both of the kind {kind}: name one of them.")
    uses = []
    for kind, same in of_kind.items():
        for name in same:
            dim = read_layout(bundle.folder / "encoders" / name / CONFIG, kind).dim
            uses.append(EncoderUse(kind, name, "last", dim))
    return tuple(check_encoder(bundle, bundle.folder / MANIFEST, use) for use in uses)


def kind_of(bundle: Bundle, name: str) -> str:
    """The kind of an encoder, as its config.json tells; ModelError where it is of none."""
    path = bundle.folder / "encoders" / name / CONFIG
    for kind in KINDS:
        with suppress(ModelError):
            read_layout(path, kind)
            return kind
    raise ModelError(f"{path}: is of none of the kinds {', '.join(KINDS)}.")


def read_layout(path: Path, kind: str) -> Layout:
    """Read and check an encoder's config.json."""
    return KINDS[kind].layout(path, read_object(path))
