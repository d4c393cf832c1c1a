"""Log-odds of short words of residues: how much oftener viruses' genes have a word than their hosts'.

What a gene's own fold says of its words is left out when its windows are described for training, folds being made of
whole genomes: else the network would learn to trust tables that know its examples by heart.
"""

from pathlib import Path

import numpy as np

from pretraining.choose import translated
from pretraining.corpus import HOSTS, OF_GENES, VIRAL, Genes
from pretraining.stages import FOLDS, save, say
from virnucpro.encoders.composition.description import RESIDUES, Words
from virnucpro.encoders.composition.features import word_statistics

_ALL = tuple(RESIDUES)
_TEN = ("LVIM", "C", "A", "G", "ST", "P", "FYW", "EDNQ", "KR", "H")
WORDS = {
    "four": Words(_ALL, (0, 1, 2, 3)),
    "spread": Words(_ALL, (0, 2, 4, 7)),
    "five": Words(_ALL, (0, 1, 2, 3, 4)),
    "spaced": Words(_ALL, (0, 1, 3, 5, 6)),
    "six": Words(_TEN, (0, 1, 2, 3, 4, 5)),
}
QUANTUM = 16  # a table holds whole numbers, log-odds times this, -127 .. 127
PRIOR = 1.0  # added to both counts
BLOCK = 1 << 23  # residues


def count(genes_file: Path, work: Path) -> Path:
    """counts.npz: of each form of words int32 [FOLDS, classes of genes, words]."""
    path = work / "counts.npz"
    if path.exists():
        return path
    z = np.load(genes_file)
    genes = Genes(z["codes"], z["offsets"], z["place"], z["kind"], z["genome"], z["whole"])
    residues, fold = translated(genes), z["fold"]
    group = np.where(genes.whole, -1, fold * len(OF_GENES) + genes.kind)  # a whole virus is not one frame
    sizes, order = np.diff(residues.offsets), np.argsort(group, kind="stable")
    counts = {name: np.zeros((FOLDS * len(OF_GENES), w.number), dtype=np.int32) for name, w in WORDS.items()}
    for number in range(FOLDS * len(OF_GENES)):
        rows = order[np.searchsorted(group[order], number) : np.searchsorted(group[order], number, side="right")]
        ends = np.cumsum(sizes[rows] + 1)
        for part in np.split(rows, np.searchsorted(ends, np.arange(BLOCK, ends[-1] if len(ends) else 0, BLOCK))):
            codes = _joined(residues.codes, residues.offsets, part)
            for name, words in WORDS.items():
                if len(codes) > words.places[-1]:
                    index, known = words.index(codes)
                    counts[name][number] += np.bincount(index[known], minlength=words.number).astype(np.int32)
        say(f"words of fold {number // len(OF_GENES) + 1}, {OF_GENES[number % len(OF_GENES)]}: {len(rows):,} genes")
    save(path, **{name: c.reshape(FOLDS, len(OF_GENES), -1) for name, c in counts.items()})
    return path


def _joined(codes: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The residues of genes `rows`, one place that no word spans between them."""
    sizes = np.diff(offsets)[rows]
    out = np.full(sizes.sum() + len(rows), len(RESIDUES), dtype=np.uint8)
    begin = np.cumsum(sizes + 1) - (sizes + 1)
    inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    out[np.repeat(begin, sizes) + inside] = np.minimum(codes[np.repeat(offsets[rows], sizes) + inside], len(RESIDUES))
    return out


def log_odds(counts: dict[str, np.ndarray], without: int | None = None) -> dict[str, np.ndarray]:
    """int8 [words] by form of words, of all folds but `without`. The commoner side is scaled to the other's."""
    out = {}
    for words in WORDS:
        folds = [f for f in range(FOLDS) if f != without]
        v, h = (counts[words][folds][:, list(side)].sum(axis=(0, 1)).astype(np.float64) for side in (VIRAL, HOSTS))
        least = min(v.sum(), h.sum())
        odds = np.log((v * (least / v.sum()) + PRIOR) / (h * (least / h.sum()) + PRIOR))
        out[words] = np.clip(np.round(QUANTUM * odds), -127, 127).astype(np.int8)
    return out


def statistics(peptides: np.ndarray, tables: dict[str, np.ndarray]) -> np.ndarray:
    """float32 [peptides, 8 * tables]: as the encoder computes them, in the order of WORDS.

    peptides: uint8 [n, width], 20 and more where there is no residue.
    """
    codes = np.minimum(peptides, len(RESIDUES)).astype(np.uint8)
    parts = [
        word_statistics(codes, words, [tables[name].astype(np.float32) / QUANTUM]) for name, words in WORDS.items()
    ]
    return np.concatenate(parts, axis=1)


def describe(windows_file: Path, counts_file: Path, work: Path) -> Path:
    """statistics.npy: float16 [stretches, 8 * tables], each by the tables of the other folds."""
    path = work / "statistics.npy"
    if path.exists():
        return path
    with np.load(windows_file) as z:
        peptides, fold = z["peptide"], z["fold"]
    counts = dict(np.load(counts_file))
    out = np.zeros((len(fold), 8 * len(WORDS)), dtype=np.float16)
    for f in range(FOLDS):
        tables, rows = log_odds(counts, without=f), np.flatnonzero(fold == f)
        for first in range(0, len(rows), 4096):
            part = rows[first : first + 4096]
            out[part] = statistics(peptides[part], tables)
        say(f"what words tell of {len(rows):,} stretches of fold {f + 1}")
    np.save(path, out)
    return path
