"""classifier.yml: what a classifier is, which encoders it needs in which order, and how it was trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from virnucpro.errors import ModelError
from virnucpro.models.manifest import NAME, read_yaml

CLASSIFIER = "classifier.yml"
WEIGHTS = "model.safetensors"
KINDS = ("dnabert_s", "esm2")
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
    title: str = ""
    purpose: str = ""
    limits: str = ""
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
    raw = read_yaml(path)

    def wrong(name: str, needed: str) -> ModelError:
        return ModelError(f"{path}: {name} is {raw.get(name)!r}; {needed}.")

    if not isinstance(raw.get("name"), str) or not NAME.fullmatch(raw["name"]):
        raise wrong("name", "letters, digits, '.', '_' and '-' are allowed")
    length = raw.get("chunk_length")
    if not whole(length) or not SHORTEST_CHUNK <= length <= LONGEST_CHUNK:
        raise wrong("chunk_length", f"a whole number of {SHORTEST_CHUNK} to {LONGEST_CHUNK:,} bases is needed")
    classes = tuple(raw.get("classes") or CLASSES)
    if classes != CLASSES:
        raise wrong("classes", f"the order must be {list(CLASSES)}")
    if not isinstance(raw.get("encoders"), list) or not raw["encoders"]:
        raise wrong("encoders", "a list of the encoders in feature order is needed")
    encoders = tuple(encoder_use(path, e) for e in raw["encoders"])
    kinds = [e.kind for e in encoders]
    if len(set(kinds)) < len(kinds):
        raise wrong("encoders", "each kind may stand there once")
    for name in ("training", "evaluation"):
        if not isinstance(raw.get(name) or {}, dict):
            raise wrong(name, "a mapping is needed")
    texts = {n: str(raw.get(n) or "") for n in ("title", "purpose", "limits", "citation", "licence", "source")}
    cards = {n: raw.get(n) or {} for n in ("training", "evaluation")}
    return Classifier(folder, raw["name"], length, encoders, classes, **texts, **cards)


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
