"""Which genes may be learnt from, and why the others may not."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pretraining.corpus import CLASSES, PHAGE, VIRUS, Genes
from pretraining.related import PEPTIDE_WORD, WordSet, hits, packed
from pretraining.stretches import CODONS

SHORTEST = 90  # bases
VIRAL_SHARE = 0.2  # of a host protein's words that viral genes have too: above it, it is a prophage's or a stray


@dataclass
class Residues:
    """Every gene's residues in its own frame, one gene after another."""

    codes: np.ndarray  # uint8
    offsets: np.ndarray  # int64 [genes + 1]


def translated(genes: Genes) -> Residues:
    sizes = genes.lengths // 3
    offsets = np.append(0, np.cumsum(sizes))
    out = np.empty(offsets[-1], dtype=np.uint8)
    for first in range(0, len(sizes), 50_000):
        last = min(first + 50_000, len(sizes))
        n = sizes[first:last]
        at = np.repeat(genes.offsets[first:last], n)
        at += 3 * (np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n))
        c = genes.codes
        out[offsets[first] : offsets[last]] = CODONS[25 * c[at].astype(np.int16) + 5 * c[at + 1] + c[at + 2]]
    return Residues(out, offsets)


def peptide_words(codes: np.ndarray) -> WordSet:
    """The 10-residue words of `codes` (uint8; 20 and more end a word, genes are divided by such)."""
    words, known = packed(codes, PEPTIDE_WORD, 5, 20)
    return WordSet(words[known])


def viral_share(codes: np.ndarray, offsets: np.ndarray, viral: WordSet) -> np.ndarray:
    """float32 [records]: share of each one's words that are in `viral`."""
    number = np.maximum(np.diff(offsets) - PEPTIDE_WORD + 1, 1)
    return (hits(codes, offsets, viral, PEPTIDE_WORD, 5, 20) / number).astype(np.float32)


def viral_words(genes: Genes, residues: Residues) -> WordSet:
    """The 10-residue words of all viral genes."""
    rows = np.flatnonzero(np.isin(genes.kind, (PHAGE, VIRUS)) & ~genes.whole)
    sizes = np.diff(residues.offsets)[rows]
    at = np.repeat(residues.offsets[rows] - np.append(0, np.cumsum(sizes)[:-1]), sizes) + np.arange(sizes.sum())
    ends = np.cumsum(sizes)
    return peptide_words(np.insert(residues.codes[at], ends, 255))


def reasons_of_genes(kind: np.ndarray, sizes: np.ndarray, shared: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Why each gene is left out, bytes, empty where it is kept. shared: 31-mers that the judging genomes have, too;
    share: of its 10-residue words that viral genes have."""
    reason = np.full(len(kind), b"", dtype="S40")
    reason[~np.isin(kind, (PHAGE, VIRUS)) & (share > VIRAL_SHARE)] = b"host gene of viral words"
    reason[sizes < SHORTEST] = b"shorter than 90 bases"
    reason[shared > 0] = b"shares a 31-mer with judging genomes"
    return reason


def write_log(path: Path, kind: np.ndarray, names: np.ndarray, reason: np.ndarray) -> None:
    """`path`: a line for each gene left out: name, class, reason. Prints how many of each."""
    with path.open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, delimiter="\t", lineterminator="\n")
        out.writerow(("name", "class", "reason"))
        for row in np.flatnonzero(reason != b"").tolist():
            out.writerow((names[row].decode(), CLASSES[kind[row]], reason[row].decode()))
    for text, count in zip(*np.unique(reason, return_counts=True), strict=True):
        print(f"  {count:,} genes {'left out: ' + text.decode() if text else 'kept'}", flush=True)
