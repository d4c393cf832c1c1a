"""classifier.yml: what a classifier is, which encoders it needs in which order, and how it was trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from virnucpro.bundle.coding import Coding, read_coding
from virnucpro.bundle.manifest import NAME, read_yaml
from virnucpro.bundle.thresholds import read_curves
from virnucpro.encoders.kinds import KINDS
from virnucpro.errors import ModelError

CLASSIFIER = "classifier.yml"
FORMAT = 1  # of that file
# What a classifier was trained on and is read for it (frames/stretches.py): open frames; for want of one the longest
# stretch, too; the longest stretch of every frame, too.
FRAMES = ("open", "longest", "every")
MIN_STRETCH = 40  # residues: below it a stretch says little, and hardly a piece of 500 bases has none
MAPPINGS = ("screening", "calibration", "thresholds", "training", "evaluation")
RULES = ("best", "mean")  # how a chunk's score comes from its frames' (calling/calls.py)
CLASSES = ("others", "virus")  # column 0 and 1 of the output; every score in the results rests on this order
SHORTEST_CHUNK, LONGEST_CHUNK = 30, 3072  # ESM-2 reads 1,024 residues: longer chunks would be cut without a word


@dataclass(frozen=True)
class EncoderUse:
    """One encoder of a classifier: its kind, its folder under encoders/, the layer read, its embedding's width.

    layer: "last", or a layer's number counted from 1 (0 is the input embedding).
    weights_sha256: of the encoder's model.safetensors that the classifier was trained on, "" where not recorded.
    """

    kind: str
    name: str
    layer: int | str
    dim: int
    weights_sha256: str = ""


@dataclass(frozen=True)
class Classifier:
    """A classifier folder's card. `encoders` stand in the order of the features."""

    folder: Path
    name: str
    chunk_length: int  # bases
    encoders: tuple[EncoderUse, ...]
    classes: tuple[str, ...] = CLASSES
    viral: tuple[str, ...] = CLASSES[1:]  # those of the classes that are viruses: their probabilities are summed
    frames: str = "open"  # one of FRAMES
    min_stretch: int = MIN_STRETCH  # residues
    rule: str = "best"  # VirNucPro's; or mean
    coding: Coding | None = None  # coding.py; none where no class stands for DNA that codes for nothing
    title: str = ""
    purpose: str = ""
    limits: str = ""
    screening: Mapping = field(default_factory=dict)  # screening/screen.py; empty where it cannot screen
    calibration: Mapping = field(default_factory=dict)  # calling/calibration.py; empty where there is none
    thresholds: Mapping = field(default_factory=dict)  # thresholds.py; empty where they were not measured
    training: Mapping = field(default_factory=dict)
    evaluation: Mapping = field(default_factory=dict)
    citation: str = ""
    licence: str = ""
    source: str = ""

    @property
    def features(self) -> int:
        """Number of values the classifier reads per frame: the widths of its encoders added up."""
        return sum(e.dim for e in self.encoders)


def read_classifier(folder: Path) -> Classifier:
    """Read and check `folder`/classifier.yml by itself; ModelError names the field that cannot be."""
    path = folder / CLASSIFIER
    raw = read_yaml(path, FORMAT)

    def wrong(name: str, needed: str) -> ModelError:
        return ModelError(f"{path}: {name} is {raw.get(name)!r}; {needed}.")

    if not isinstance(raw.get("name"), str) or not NAME.fullmatch(raw["name"]):
        raise wrong("name", "letters, digits, '.', '_' and '-' are allowed")
    length = raw.get("chunk_length")
    if not whole(length) or not SHORTEST_CHUNK <= length <= LONGEST_CHUNK:
        raise wrong("chunk_length", f"a whole number of {SHORTEST_CHUNK} to {LONGEST_CHUNK:,} bases is needed")
    classes, viral = _classes(raw.get("classes") or list(CLASSES), raw.get("viral"))
    if not classes:
        raise wrong("classes", f"the order must be {list(CLASSES)}; of other names `viral` must list some")
    frames, stretch = raw.get("frames", "open"), raw.get("min_stretch", MIN_STRETCH)
    if frames not in FRAMES:
        raise wrong("frames", f"one of {', '.join(FRAMES)} is needed")
    if not whole(stretch) or stretch < 1:
        raise wrong("min_stretch", "a positive whole number of residues is needed")
    rule = raw.get("rule", "best")
    if rule not in RULES:
        raise wrong("rule", f"one of {', '.join(RULES)} is needed")
    try:
        coding = read_coding(raw.get("coding"), classes, viral)
    except ValueError as e:
        raise ModelError(f"{path}: coding: {e}.") from e
    if coding is not None and rule != "mean":
        raise wrong("rule", "a classifier with `coding` needs the rule mean")
    if not isinstance(raw.get("encoders"), list) or not raw["encoders"]:
        raise wrong("encoders", "a list of the encoders in feature order is needed")
    encoders = tuple(encoder_use(path, e) for e in raw["encoders"])
    kinds = [e.kind for e in encoders]
    if len(set(kinds)) < len(kinds):
        raise wrong("encoders", "each kind may stand there once")
    for name in MAPPINGS:
        if not isinstance(raw.get(name) or {}, dict):
            raise wrong(name, "a mapping is needed")
    try:
        read_curves(raw.get("thresholds"))
    except ValueError as e:
        raise ModelError(f"{path}: thresholds: {e}.") from e
    texts = {n: str(raw.get(n) or "") for n in ("title", "purpose", "limits", "citation", "licence", "source")}
    cards = {n: raw.get(n) or {} for n in MAPPINGS}
    facts = (length, encoders, classes, viral, frames, stretch, rule, coding)
    return Classifier(folder, raw["name"], *facts, **texts, **cards)


class _Dumper(yaml.SafeDumper):
    """Lists of numbers on one line."""


_Dumper.add_representer(
    list,
    lambda dumper, values: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", values, flow_style=bool(values) and all(isinstance(v, (int, float)) for v in values)
    ),
)


def card_text(card: Mapping) -> str:
    """A card as the text of classifier.yml, its format and then its fields in their order."""
    return yaml.dump({"format": FORMAT} | dict(card), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _classes(classes: object, viral: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the outputs and those of the viral ones; empty where they cannot be."""
    if classes == list(CLASSES) and viral in (None, list(CLASSES[1:])):
        return CLASSES, CLASSES[1:]
    names, some = (
        tuple(x) if isinstance(x, list) and all(isinstance(n, str) and n for n in x) else () for x in (classes, viral)
    )
    if len(set(names)) == len(names) > 1 and set(some) < set(names) and some:
        return names, some
    return (), ()


def encoder_use(path: Path, raw: object) -> EncoderUse:
    raw = raw if isinstance(raw, dict) else {}
    kind, name, layer, dim = (raw.get(k) for k in ("kind", "name", "layer", "dim"))
    if kind not in KINDS:
        raise ModelError(f"{path}: an encoder's kind is {kind!r}; known are {', '.join(KINDS)}.")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ModelError(f"{path}: the {kind} encoder's name is {name!r}; it must be a folder's name under encoders/.")
    if layer != "last" and not (whole(layer) and layer >= 0):
        raise ModelError(f"{path}: the {kind} encoder's layer is {layer!r}; `last` or a layer's number is needed.")
    if not whole(dim) or dim < 1:
        raise ModelError(f"{path}: the {kind} encoder's dim is {dim!r}; a positive whole number is needed.")
    return EncoderUse(kind, name, layer, dim, str(raw.get("weights_sha256") or ""))


def whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
