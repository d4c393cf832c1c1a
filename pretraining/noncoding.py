"""DNA of eukaryotes as it lies in their genomes, most of which codes for nothing: to learn from, and to judge by.

From Debian's augustus-doc (pieces of chromosomes) and augustus-data (what follows on four bases between the genes of
148 species: DNA is made by that). Species that judge are left out of what is made.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pretraining.related import records_of
from pretraining.windows import WIDTH, finished, stretches_of

_DOC = "usr/share/doc/augustus"
_MODELS = "usr/share/augustus/config/species"


@dataclass(frozen=True)
class Piece:
    """Part of a chromosome: its file in the packages, first and last base (from 0), and what it is called."""

    file: str
    name: str
    first: int = 0
    last: int | None = None

    def codes(self, packages: Path) -> np.ndarray:
        """uint8 [bases], as corpus.BASES has them."""
        (whole,) = records_of(packages / self.file)
        return whole[self.first : self.last]


_FLY = f"{_DOC}/tutorial/data/chr2R.fa"
# A window for every 375 bases of the fly; of the others, which are short, one for every 170.
LEARNT = {
    Piece(_FLY, "fly", 0, 15_000_000): 40_000,
    Piece(f"{_DOC}/tutorial/data/chr4.103M.fa", "human"): 12_000,
    **{
        Piece(f"{_DOC}/tutorial-cgp/data/genomes/{file}.fa", name): count
        for file, name, count in (
            ("bosTau8", "cow", 950),
            ("canFam3", "dog", 1_100),
            ("galGal4", "chicken", 900),
            ("mm10", "mouse", 1_050),
            ("monDom5", "opossum", 3_200),
            ("rheMac3", "macaque", 1_300),
            ("rn6", "rat", 600),
        )
    },
}
MADE = 400  # windows of each species of which only a model is there
CHOOSE = (
    Piece(f"{_DOC}/tutorial/data/chr3.42M.fa", "human"),
    Piece(_FLY, "fly", 15_500_000, 17_500_000),
)
REPORT = (
    Piece(f"{_DOC}/tutorial/data/chr5.124M.fa", "human"),
    Piece(_FLY, "fly", 18_000_000, 20_000_000),
    Piece("usr/lib/R/site-library/BSgenome/extdata/ce2chrX.fa.gz", "nematode", 0, 4_000_000),  # of none was learnt
)
NEEDED = {"augustus-doc": _FLY, "augustus-data": _MODELS, "r-bioc-bsgenome": REPORT[-1].file}  # a file of each package
# Species whose DNA is there, or judges; a model that is of no species; prokaryotes.
_LEFT_OUT = re.compile(
    "human|fly|chicken|caenorhabditis|c_elegans|brugia|trichinella|ancylostoma|Loa_loa|generic|template|E_coli|s_aureus"
    "|s_pneumoniae|b_pseudomallei|sulfolobus|thermoanaerobacter"
)
_ORDER = 4  # bases that the next one follows on
_SECTION = re.compile(r"^\[\d+\]$", re.MULTILINE)  # one for each share of G and C
_WORD = re.compile(rf"^[ACGT]{{{_ORDER + 1}}}\s+(\S+)", re.MULTILINE | re.IGNORECASE)


def models(packages: Path) -> dict[str, np.ndarray]:
    """By species float64 [sections, 256, 4]: how often each base follows on each four, between genes."""
    found = {}
    for path in sorted((packages / _MODELS).glob("*/*_igenic_probs.pbl")):
        if _LEFT_OUT.match(path.parent.name):
            continue
        sections = _SECTION.split(path.read_text(encoding="utf-8", errors="replace"))[1:]
        words = (_WORD.findall(text.split("[EMISSION]")[0])[-(4 ** (_ORDER + 1)) :] for text in sections)
        tables = [np.array(w, dtype=np.float64).reshape(-1, 4) for w in words if len(w) == 4 ** (_ORDER + 1)]
        if tables:
            found[path.parent.name] = np.stack(tables)
    return found


def made(model: np.ndarray, number: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [number, width]: DNA by a species' model, each by one of its sections."""
    section = rng.integers(0, len(model), number)
    start = np.cumsum(model.sum(axis=2) / model.sum(axis=(1, 2))[:, None], axis=1)
    follows = np.cumsum((model + 1e-9) / (model + 1e-9).sum(axis=2, keepdims=True), axis=2)
    state = np.minimum((rng.random((number, 1)) > start[section]).sum(axis=1), 4**_ORDER - 1)
    out = np.empty((number, width), dtype=np.uint8)
    for place in range(width):
        base = np.minimum((rng.random((number, 1)) > follows[section, state]).sum(axis=1), 3)
        out[:, place] = base
        state = (4 * state + base) % 4**_ORDER
    return out


def draw(packages: Path, rng: np.random.Generator, times: float) -> dict[str, np.ndarray]:
    """Windows as of genes (windows.py), `times` as many as LEARNT and MADE say: peptide, residues."""
    parts = []
    for piece, count in LEARNT.items():
        codes = piece.codes(packages)
        first = rng.integers(0, len(codes) - WIDTH, round(times * count))
        parts.append(codes[first[:, None] + np.arange(WIDTH)])
    parts += [made(model, round(times * MADE), WIDTH, rng) for model in models(packages).values()]
    found = [stretches_of(*finished(windows, rng))[:2] for windows in parts]
    peptide, residues = (np.concatenate(column) for column in zip(*found, strict=True))
    return {"peptide": peptide, "residues": residues}
