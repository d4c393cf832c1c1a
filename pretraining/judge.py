"""Genomes that judge: DeepVirFinder's training fragments, one half to choose by, the other to report on once."""

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pretraining.corpus import BASES, NONCODING
from pretraining.stretches import longest_of_frames
from virnucpro.bundle.coding import Coding
from virnucpro.frames.chunks import chunk
from virnucpro.training.relatives import families, words

SEED = 20261127
FILES = {"host_tr.fa.gz": 0, "virus_tr.fa.gz": 1}
CHUNK = 500
LEAST = 30  # residues of a stretch that is read; with 40, 6 of 12,000 pieces of 500 bases had no answer
CHOOSE, REPORT = 0, 1
CODING = Coding(NONCODING, slope=3.0, intercept=-2.5)  # chosen on the choosing half and on CHOOSE of noncoding.py


@dataclass
class Pieces:
    """Fragments cut to one size. Stretches by chunk, chunks by piece."""

    label: np.ndarray  # int64 [pieces], 1 virus
    group: np.ndarray  # str [pieces]: genomes that are near relatives count as one
    half: np.ndarray  # int64 [pieces], CHOOSE or REPORT
    piece: np.ndarray  # int64 [chunks]
    chunk_length: np.ndarray  # int64 [chunks]
    peptide: np.ndarray  # uint8 [chunks, 6, residues]: the longest stretch of each frame
    residues: np.ndarray  # int64 [chunks, 6], 0 for none


@cache
def fragments(folder: Path) -> tuple[list[str], list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Names, sequences, labels, groups and halves of all fragments, in the order of their names."""
    found = {}
    for file, label in FILES.items():
        path = folder / file
        if not path.is_file():
            raise SystemExit(f"{path} is absent: the data of DeepVirFinder's repository, data/, is needed to judge by")
        for record in gzip.decompress(path.read_bytes()).decode().split(">")[1:]:
            name, _, text = record.partition("\n")
            found[name.strip()] = (text.replace("\n", "").upper(), label)
    names = sorted(found)
    of = np.array(families([n.split("#")[0] for n in names], [words(found[n][0].encode()) for n in names]))
    unique = np.unique(of)
    half = dict(zip(np.random.default_rng(SEED).permutation(unique).tolist(), np.arange(len(unique)) % 2, strict=True))
    sequences, labels = [found[n][0] for n in names], np.array([found[n][1] for n in names])
    return names, sequences, labels, of, np.array([half[g] for g in of.tolist()])


def pieces(folder: Path, size: int, chunk_length: int = CHUNK, least: int = LEAST) -> Pieces:
    """All fragments cut into pieces of `size` bases side by side, and these into chunks as a run does."""
    _, sequences, labels, group, half = fragments(folder)
    codes = [BASES[np.frombuffer(sequence.encode(), dtype=np.uint8)] for sequence in sequences]
    source, *chunks = cut(codes, size, chunk_length, least)
    return Pieces(labels[source], group[source], half[source], *chunks)


def pieces_of_hosts(codes: np.ndarray, size: int, chunk_length: int = CHUNK, least: int = LEAST) -> Pieces:
    """One genome's DNA (uint8 [bases], as corpus.BASES has them) in pieces as those of the fragments are."""
    source, *chunks = cut([codes], size, chunk_length, least)
    none = np.zeros(len(source), dtype=np.int64)
    return Pieces(none, none, none, *chunks)


def cut(sequences: list[np.ndarray], size: int, chunk_length: int, least: int):
    """Sequences (uint8 [bases]) in pieces of `size` bases, and these in chunks: the sequence of each piece (int64), and
    of Pieces piece, chunk_length, peptide and residues."""
    source, windows, owner, lengths = [], [], [], []
    for i, codes in enumerate(sequences):
        for first in range(0, len(codes) - size // 2, size):
            part = codes[first : first + size]
            found = chunk(np.array([len(part)]), chunk_length)
            for start, end in zip(found.start.tolist(), found.end.tolist(), strict=True):
                window = np.full(chunk_length, 4, dtype=np.uint8)
                window[: end - start] = part[start:end]
                windows.append(window)
                owner.append(len(source))
                lengths.append(end - start)
            source.append(i)
    lengths, source = np.array(lengths), np.array(source)
    peptide, residues, _ = longest_of_frames(np.array(windows), lengths, least)
    return source, np.array(owner), lengths, peptide, residues


def auroc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve; equal scores count as half."""
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    positive = int(label.sum())
    return float((rank[label == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive)))


def interval(score: np.ndarray, label: np.ndarray, group: np.ndarray, draws: int = 500) -> tuple[float, float]:
    """95 % interval of the AUROC over genomes drawn with replacement."""
    rng = np.random.default_rng(SEED)
    unique, number = np.unique(group, return_inverse=True)
    rows = [np.flatnonzero(number == g) for g in range(len(unique))]
    found = []
    for _ in range(draws):
        at = np.concatenate([rows[g] for g in rng.integers(0, len(unique), len(unique)).tolist()])
        if 0 < label[at].sum() < len(at):
            found.append(auroc(score[at], label[at]))
    return tuple(float(x) for x in np.percentile(found, [2.5, 97.5]))


def of_pieces(p: Pieces, of_stretches: np.ndarray) -> np.ndarray:
    """float [pieces]: mean of the stretches' values, weighted by residues, as the pipeline's rule `mean` has it.

    0 for a piece without a stretch. of_stretches: float [chunks, 6].
    """
    weight = p.residues.astype(float)
    total = np.bincount(p.piece, (weight * of_stretches).sum(axis=1), minlength=len(p.label))
    return total / np.maximum(np.bincount(p.piece, weight.sum(axis=1), minlength=len(p.label)), 1)
