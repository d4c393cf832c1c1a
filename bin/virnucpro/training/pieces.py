"""What a classifier makes of pieces of labelled sequences, of several lengths, from one embedding of their chunks.

Contigs are of all lengths, and a score of one chunk is worth less than that of twenty. So neighbouring chunks are
called together, as a piece of their length would be; one that is cut by itself has its chunks at slightly other places
where its length is no multiple of theirs.
"""

from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.bundle.classifier import Classifier, read_classifier
from virnucpro.calling.calls import call_chunks, call_sequences
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.sample import Sample, read_sample
from virnucpro.calling.scoring import score
from virnucpro.formats import chunk_of
from virnucpro.training.sheet import LABELS, SIDES

CHUNKS = (1, 2, 6, 20)  # of a piece: 500, 1,000, 3,000 and 10,000 bases in chunks of 500
JUDGED = SIDES[1:]  # what trained a classifier says nothing of it


def judged_pieces(
    folder: Path, split: pl.DataFrame, tables: Path, embeddings: Path
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pieces and frames of the sequences that validate and test, as the classifier in `folder` scores them.

    split: SPLIT_GENOMES' table. Returns the pieces: sample, sequence, id, start, end, size (nominal bases; 0: the whole
    sequence), label (1 virus), family, side, state, virus_score, weight, evidence, chunks_scored; and the frames:
    family, side, label, probability.
    """
    card = read_classifier(folder)
    mlp = Mlp.of(card)
    pieces, frames = [], []
    for sample in split["sample"].unique(maintain_order=True).to_list():
        truth = split.filter(pl.col("sample") == sample).select(
            "sequence", "family", "side", (pl.col("label") == LABELS[1]).cast(pl.Int8).alias("label")
        )
        mine, own = _of_sample(read_sample(sample, tables), truth, card, mlp, embeddings)
        pieces.append(mine.with_columns(pl.lit(sample).alias("sample")))
        frames.append(own)
    return pl.concat(pieces), pl.concat(frames)


def _of_sample(sample: Sample, truth: pl.DataFrame, card: Classifier, mlp: Mlp, embeddings: Path):
    scores = score(sample, embeddings, [mlp], [e.kind for e in card.encoders])
    chunks = call_chunks(sample, scores, card.rule, card.coding)
    judged = truth.filter(pl.col("side").is_in(JUDGED))
    chunks = chunks.with_row_index("row").join(
        judged.select("sequence"), on="sequence", how="semi", maintain_order="left"
    )
    found = [_called(sample, chunks, k, card) for k in CHUNKS] + [_called(sample, chunks, 0, card)]
    pieces = pl.concat(found).join(judged, left_on="source", right_on="sequence", how="left", maintain_order="left")
    of_chunk = np.zeros(sample.chunks.height, dtype=np.int64)
    of_chunk[chunks["row"].to_numpy()] = chunks["sequence"].to_numpy() + 1  # 0: not judged
    owner = of_chunk[chunk_of(scores.keys)]
    rows = np.flatnonzero((owner > 0) & scores.scored)
    frames = pl.DataFrame(
        {"sequence": owner[rows] - 1, "probability": scores.probabilities[rows, 1].astype(np.float64)}
    )
    frames = frames.join(judged, on="sequence", how="left", maintain_order="left").drop("sequence")
    return pieces.rename({"source": "sequence"}), frames


def _called(sample: Sample, chunks: pl.DataFrame, many: int, card: Classifier) -> pl.DataFrame:
    """Runs of `many` chunks of a sequence, side by side, called as sequences; 0: all chunks of each. A last run that is
    shorter counts where it has more than half of them."""
    if many == 0:
        of = chunks.with_columns(pl.col("sequence").alias("piece"))
    else:
        run = pl.struct("sequence", (pl.col("number") - 1) // many)
        of = chunks.with_columns((run.rle_id()).cast(pl.Int64).alias("piece"))
        full = (pl.len().over("piece") > many / 2) | (many == 1)
        of = of.filter(full)
    ends = of.group_by("piece", maintain_order=True).agg(
        pl.col("sequence").first().alias("source"), pl.col("start").min(), pl.col("end").max()
    )
    as_sequences = ends.select(
        pl.col("piece").alias("sequence"),
        pl.lit("").alias("state"),
        pl.lit("").alias("reason"),
        pl.lit(0).alias("chunks"),
    )
    called = call_sequences(
        Sample(sample.name, sample.manifest, as_sequences, of, sample.keys),
        of.with_columns(pl.col("piece").alias("sequence")),
        0.5,
        card.rule,
        card.coding,
    )
    ids = sample.sequences["id"].gather(ends["source"])
    return called.select(
        ends["source"],
        ids.alias("id"),
        ends["start"],
        ends["end"],
        pl.lit(many * card.chunk_length).alias("size"),
        "state",
        "virus_score",
        "weight",
        "evidence",
        "chunks_scored",
    )
