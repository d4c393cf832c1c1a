"""What is checked: the encoders and classifiers of a bundle, or encoders with random weights."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

from virnucpro.bundle.bundle import Bundle, read_layout
from virnucpro.bundle.classifier import CLASSIFIER, Classifier, EncoderUse, read_classifier
from virnucpro.encoders.kind import CONFIG
from virnucpro.encoders.kinds import KINDS
from virnucpro.errors import ModelError
from virnucpro.files import read_object
from virnucpro.verify.results import NotChecked
from virnucpro.verify.sequences import Frame
from virnucpro.verify.shapes import DNABERT_S_SHAPES, ESM2_SHAPES


@dataclass(frozen=True)
class Subject:
    """One encoder under test. layer: the one whose output is read, of `layers`. parameters: of its tensors."""

    kind: str
    name: str
    folder: Path
    layer: int
    layers: int
    dim: int
    tensors: dict[str, tuple[int, ...]]
    random: bool = False  # the folder has no weights: they are made

    @property
    def needs_torch(self) -> bool:
        """False for composition, whose numbers are the same everywhere."""
        return KINDS[self.kind].needs_torch

    @property
    def parameters(self) -> int:
        """How many numbers its tensors hold."""
        return sum(map(prod, self.tensors.values()))

    @property
    def config(self) -> dict:
        """Its config.json."""
        return read_object(self.folder / CONFIG)

    def read(self, frames: list[Frame]) -> list[str]:
        """What this encoder reads of the frames."""
        return [getattr(frame, KINDS[self.kind].reads) for frame in frames]

    @contextmanager
    def weights(self, device) -> Iterator:
        """Its tensors (encoders.weights.Weights), each brought to the device when it is asked for."""
        if self.random:
            from virnucpro.verify.random_weights import RandomWeights  # needs PyTorch

            yield RandomWeights(self.tensors, device)
        else:
            from virnucpro.encoders.weights import open_weights

            with open_weights(self.folder, device) as weights:
                yield weights


def classifier_names(bundle: Bundle, wanted: str) -> list[str]:
    """Those in `wanted`, with commas between; all of the bundle where it is empty."""
    return [name.strip() for name in wanted.split(",") if name.strip()] or bundle.names("classifiers", CLASSIFIER)


def read_card(bundle: Bundle, name: str) -> Classifier:
    """The classifier of that name or path; ModelError where it cannot be read."""
    return read_classifier(bundle.classifier_folder(name))


def encoder_uses(
    bundle: Bundle, classifiers: list[Classifier], others: bool
) -> list[tuple[str | None, str, int | str]]:
    """[(kind, name, layer)] of the encoders that the classifiers read, each once. others: and those of the bundle that
    none of them reads, whose kind is None."""
    uses = [(use.kind, use.name, use.layer) for c in classifiers for use in c.encoders]
    names = [name for _, name, _ in uses]
    more = [(None, name, "last") for name in bundle.names("encoders", CONFIG) if others and name not in names]
    return list(dict.fromkeys(uses + more))


def subject_in(bundle: Bundle, kind: str | None, name: str, layer: int | str) -> Subject:
    """An encoder of the bundle; ModelError where its config cannot be read or is of no kind."""
    folder = bundle.folder / "encoders" / name
    return subject(kind or _kind_of(folder), name, folder, layer)


def _kind_of(folder: Path) -> str:
    """The kind of encoder that the folder's config.json is of; ModelError where it is of none."""
    problems = []
    for kind in KINDS:
        try:
            read_layout(folder / CONFIG, kind)
        except ModelError as e:
            problems.append(str(e))
        else:
            return kind
    raise ModelError(problems[0])


def subject_of(use: EncoderUse, subjects: list[Subject]) -> Subject:
    """The one that a classifier's card means; NotChecked where it could not be read."""
    for s in subjects:
        if s.name == use.name and s.layer == (s.layers if use.layer == "last" else use.layer):
            return s
    raise NotChecked(f"its encoder {use.name} could not be read")


def subject(kind: str, name: str, folder: Path, layer: int | str = "last", random: bool = False) -> Subject:
    """The encoder in `folder`; ModelError where its config is none of that kind."""
    layout = read_layout(folder / CONFIG, kind)
    number = layout.layers if layer == "last" else int(layer)
    if number > layout.layers:
        raise ModelError(f"{folder}: layer {number} was asked for, the encoder has layers 0 to {layout.layers}")
    return Subject(kind, name, folder, number, layout.layers, layout.dim, layout.tensors, random)


def random_subjects(size: str, tokenizer: Path, folder: Path) -> list[Subject]:
    """An ESM-2 of the published `size` and a DNABERT-S. tokenizer: a tokenizer.json; folder: for their configs."""
    layers, dim, heads = ESM2_SHAPES[size]
    configs = {
        "dnabert_s": _config("bert", *DNABERT_S_SHAPES["tiny" if size == "tiny" else "published"]),
        "esm2": _config("esm", layers, dim, heads, 4 * dim, 33) | {"pad_token_id": 1},
    }
    found = []
    for kind, config in configs.items():
        place = folder / kind
        place.mkdir()
        (place / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        if kind == "dnabert_s":
            shutil.copyfile(tokenizer, place / "tokenizer.json")
        found.append(
            subject(kind, f"random {KINDS[kind].label}{f' {size}' if kind == 'esm2' else ''}", place, random=True)
        )
    return found


def _config(model_type: str, layers: int, dim: int, heads: int, hidden: int, vocabulary: int) -> dict:
    return {
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": dim,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "vocab_size": vocabulary,
    }
