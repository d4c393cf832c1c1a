"""Baselines that learn from the genomes which a classifier was trained on, and are judged on the same pieces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.evaluation.baselines import MOST, composition, train_baselines
from virnucpro.frames.chunks import chunk
from virnucpro.frames.read_again import read_again
from virnucpro.training.pieces import CHUNKS
from virnucpro.training.sheet import LABELS


def with_baselines(
    test: pl.DataFrame, split: pl.DataFrame, fasta: list[Path], chunk_length: int, seed: int
) -> dict[str, pl.DataFrame]:
    """`test` (judged_pieces) with each baseline's scores in the place of the classifier's, by the baselines' names.

    split: SPLIT_GENOMES' table. fasta: the samplesheet's files, in its order. Both baselines learn from the sequences
    that train, cut to pieces of all sizes.
    """
    random = np.random.default_rng(seed)
    bases = split.filter((pl.col("side") == "train") & pl.col("usable"))["length"].sum()
    # Pieces of all sizes are learnt from; of large data each with a chance that makes MOST of them.
    chance = min(1.0, MOST / max(sum(bases / (chunk_length * many) for many in CHUNKS), 1))
    learnt, label = [], []
    features = np.zeros((test.height, len(composition(b""))), dtype=np.float32)
    wanted: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for row, (sample, sequence, start, end) in enumerate(test.select("sample", "sequence", "start", "end").iter_rows()):
        wanted.setdefault((sample, sequence), []).append((row, start, end))
    for (sample, sequence, of, side, usable), bases_of in _sequences(split, fasta):
        if side == "train" and usable:
            for start, end in _cut(len(bases_of), chunk_length):
                if random.random() < chance:
                    learnt.append(composition(bases_of[start:end]))
                    label.append(LABELS.index(of))
        for row, start, end in wanted.get((sample, sequence), ()):
            features[row] = composition(bases_of[start:end])
    baselines = train_baselines(np.stack(learnt), np.array(label), seed)
    return {
        b.name: test.with_columns(
            pl.Series("virus_score", b.probability(features)), pl.lit(None, pl.String).alias("evidence")
        )
        for b in baselines
    }


def _cut(length: int, chunk_length: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of pieces of all sizes of a sequence."""
    for many in CHUNKS:
        if many == 1 or length > chunk_length * many / 2:
            cut = chunk(np.array([length]), chunk_length * many)
            yield from zip(cut.start.tolist(), cut.end.tolist(), strict=True)


def _sequences(split: pl.DataFrame, fasta: list[Path]):
    rows = split.select("sample", "sequence", "label", "side", "usable").iter_rows()
    records = read_again(fasta, split.select("id", "digest").iter_rows())
    yield from ((row, record.sequence) for row, record in zip(rows, records, strict=True))
