"""A model bundle: which classifiers and encoders it holds, and whether what one run needs is there, whole, and fits.

    bundle = open_bundle(Path("models"))
    selection = check(bundle, "virnucpro_500")     # ModelError (exit 66) names the file, what is wrong, what to do

Imports neither torch nor the safetensors library: it runs where the tools image does, before any task starts.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from virnucpro.errors import ModelError
from virnucpro.models.classifier import CLASSIFIER, WEIGHTS, Classifier, EncoderUse, read_classifier
from virnucpro.models.layout import EncoderConfig, classifier_tensors, encoder_config, encoder_tensors
from virnucpro.models.manifest import MANIFEST, Manifest, read_manifest, sha256_file
from virnucpro.models.stamps import SMALL, Stamps, stamp
from virnucpro.models.tensors import check_shapes, read_header

ENCODER_FILES = {"esm2": ("config.json", WEIGHTS), "dnabert_s": ("config.json", WEIGHTS, "tokenizer.json")}

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
    matters = [classifier.chunk_length, classifier.classes, weights]
    digest = digest_of([*matters, [[e.kind, e.layer, e.dim, e.digest] for e in encoders]])
    bundle.say(f"{path.name}: {card_digest[:12]}, all that decides results: {digest[:12]}")
    return Selection(bundle.name, classifier, encoders, digest)


def digest_of(facts: list) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def check_encoder(bundle: Bundle, card: Path, use: EncoderUse) -> Encoder:
    """Check one encoder's files against the manifest, its configuration and the classifier's card."""
    names = bundle.names("encoders", "config.json")
    if use.name not in names:
        raise ModelError(
            f"{card}: needs the {use.kind} encoder {use.name}, which the bundle {bundle.folder} lacks "
            f"(it has {', '.join(names) or 'none'}). Fetch it: --workflow fetch_models (docs/models.md)."
        )
    digests = {f: bundle.verify(f"encoders/{use.name}/{f}") for f in ENCODER_FILES[use.kind]}
    folder = bundle.folder / "encoders" / use.name
    config = read_config(folder / "config.json", use.kind)
    tensors = read_header(folder / WEIGHTS)
    expected = encoder_tensors(use.kind, config)
    check_shapes(folder / WEIGHTS, tensors, expected)
    if use.dim != config.hidden_size:
        raise ModelError(
            f"{card}: reads {use.dim} values from {use.name}, whose embeddings have {config.hidden_size}. "
            "The classifier was trained on another encoder."
        )
    layers = config.num_hidden_layers
    layer = layers if use.layer == "last" else use.layer
    if layer > layers:
        raise ModelError(f"{card}: reads layer {layer} of {use.name}, which has layers 0 to {layers}.")
    if use.weights_sha256 and use.weights_sha256 != digests[WEIGHTS]:
        raise ModelError(
            f"{card}: was trained on other weights of {use.name} (SHA-256 {use.weights_sha256[:12]}..., here "
            f"{digests[WEIGHTS][:12]}...). Take the bundle it was trained with."
        )
    parameters = sum(t.size for name, t in tensors.items() if name in expected and not name.endswith("inv_freq"))
    bundle.say(f"{use.name}: {layers} layers, {parameters:,} parameters; layer {layer} gives {use.dim} values")
    digest = digest_of(sorted(digests.items()))
    return Encoder(use.kind, use.name, folder, layer, use.dim, layers, parameters, digests[WEIGHTS], digest)


def read_config(path: Path, kind: str) -> EncoderConfig:
    """Read and check an encoder's config.json."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise ModelError(f"{path}: is no JSON file that can be read ({e}).") from e
    return encoder_config(path, kind, raw)
