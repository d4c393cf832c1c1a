"""The composition encoder as the rest of the pipeline knows it (the encoder itself: model.py, features.py).

No language model: what a peptide is made of, and which short words of residues in it viruses or their hosts are known
for, through a small trained network. It needs no PyTorch and no GPU.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from virnucpro.encoders.kind import CONFIG, WEIGHTS, Kind, Layout, Shapes, linear
from virnucpro.errors import ModelError

MODEL_TYPE = "residue_composition"
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
NOTHING = len(RESIDUES)  # the code of a place without a residue
STATISTICS = 8  # of each table (features.py)
MOST_WORDS = 1 << 24  # of one table


@dataclass(frozen=True)
class Words:
    """Words of residues at `places` (0 first, ascending), in an alphabet of `groups` of residues."""

    groups: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def number(self) -> int:
        """How many different words there are."""
        return len(self.groups) ** len(self.places)

    def index(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the word that begins at each of `codes` (uint8 [places]): its number, int64, and whether it is one."""
        of_residue = np.full(NOTHING + 1, -1, dtype=np.int64)
        for number, residues in enumerate(self.groups):
            of_residue[[RESIDUES.index(residue) for residue in residues]] = number
        digits = of_residue[codes]
        span = self.places[-1] + 1
        n = len(codes) - span + 1
        index = np.zeros(n, dtype=np.int64)
        for place in self.places:
            index = index * len(self.groups) + digits[place : place + n]
        gaps = np.append(0, np.cumsum(digits < 0))
        return index, gaps[span:] == gaps[:-span]


@dataclass(frozen=True)
class Tables:
    """Words of one form, and the names of the tables that hold log-odds for them."""

    words: Words
    names: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """What config.json says: distances of the pairs that are counted, tables of words, widths of the two layers."""

    gaps: tuple[int, ...]
    tables: tuple[Tables, ...]
    hidden: int
    dim: int

    @property
    def features(self) -> int:
        """Values that the first layer reads: residues, pairs, log length, statistics of the tables."""
        names = sum(len(t.names) for t in self.tables)
        return len(RESIDUES) + len(RESIDUES) ** 2 * len(self.gaps) + 1 + STATISTICS * names


def composition_config(path: Path, raw: dict) -> Config:
    """The config.json at `path`, parsed as `raw`; ModelError where it is none of this kind."""
    if raw.get("model_type") != MODEL_TYPE:
        has = raw.get("model_type")
        raise ModelError(f"{path}: model_type is {has!r}, an encoder of kind composition has {MODEL_TYPE!r}.")
    try:
        gaps = tuple(int(gap) for gap in raw["gaps"])
        tables = tuple(
            Tables(Words(tuple(t["groups"]), tuple(int(place) for place in t["places"])), tuple(t["tables"]))
            for t in raw["words"]
        )
        config = Config(gaps, tables, int(raw["hidden_size"]), int(raw["embedding_size"]))
    except (KeyError, TypeError, ValueError) as e:
        raise ModelError(f"{path}: is not the config of a composition encoder ({e!r}).") from e
    for t in tables:
        letters, places = "".join(t.words.groups), t.words.places
        good = letters and set(letters) <= set(RESIDUES) and len(set(letters)) == len(letters)
        if not good or not places or places[0] != 0 or list(places) != sorted(set(places)):
            raise ModelError(f"{path}: words of {t.words.groups} at {places} cannot be.")
        if t.words.number > MOST_WORDS:
            raise ModelError(f"{path}: {t.words.number:,} words in one table; at most {MOST_WORDS:,} are read.")
    if min([config.hidden, config.dim, *gaps, 1]) < 1:
        raise ModelError(f"{path}: sizes and distances must be 1 or more.")
    return config


def composition_layout(path: Path, raw: dict) -> Layout:
    c = composition_config(path, raw)
    tables: Shapes = {f"words.{name}": (t.words.number,) for t in c.tables for name in t.names}
    layers = linear("hidden", c.features, c.hidden) | linear("embedding", c.hidden, c.dim)
    return Layout(1, c.dim, tables | layers, frozenset(tables))


def composition_tokens(_nucleotides: np.ndarray, residues: np.ndarray) -> np.ndarray:
    """A residue each."""
    return np.asarray(residues).astype(np.int32)


COMPOSITION = Kind(
    name="composition",
    label="Composition",
    reads="peptide",
    files=(CONFIG, WEIGHTS),
    needs_torch=False,
    colour="#cc79a7",
    citation="",
    tokens=composition_tokens,
    layout=composition_layout,
)
