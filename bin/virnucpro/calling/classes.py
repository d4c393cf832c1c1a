"""Which of a classifier's finer classes a sequence belongs to, where the classifier knows more than virus or not."""

import numpy as np
import polars as pl

from virnucpro.bundle.classifier import Classifier
from virnucpro.calling.scoring import Scores
from virnucpro.formats import chunk_of


def likeliest_classes(sequences: pl.DataFrame, chunks: pl.DataFrame, scores: Scores, card: Classifier) -> pl.DataFrame:
    """The likeliest class of each scored sequence among the viral ones, and among the others: the columns
    `class_if_virus` and `class_if_other`, null for others and where the classifier has two classes.

    By the mean probability of its frames, chunk by chunk and weighted by chunk length.
    """
    n = sequences.height
    found = {name: np.full(n, None, dtype=object) for name in ("class_if_virus", "class_if_other")}
    if scores.classes is not None:
        done = scores.scored
        chunk = chunk_of(scores.keys[done])
        frames = np.bincount(chunk, minlength=chunks.height)
        is_scored = chunks["state"].is_in(["virus", "other"]).to_numpy()
        weight = np.where(is_scored, (chunks["end"] - chunks["start"]).to_numpy(), 0) / np.maximum(frames, 1)
        owner = chunks["sequence"].to_numpy()[chunk]
        columns = [np.bincount(owner, scores.classes[done, c] * weight[chunk], n) for c in range(len(card.classes))]
        total = np.stack(columns, axis=1)  # [sequences, classes]
        is_viral = np.isin(card.classes, card.viral)
        names = np.array(card.classes, dtype=object)
        rows = np.flatnonzero((sequences["chunks_scored"] > 0).to_numpy())
        for column, mine in zip(found.values(), (is_viral, ~is_viral), strict=True):
            column[rows] = names[mine][total[rows][:, mine].argmax(axis=1)]
    return pl.DataFrame({name: pl.Series(column.tolist(), dtype=pl.String) for name, column in found.items()})


def class_of_call() -> pl.Expr:
    """The class of a called sequence, from the columns of `likeliest_classes`: it never contradicts the call."""
    state = pl.col("state")
    return pl.when(state == "virus").then("class_if_virus").when(state == "other").then("class_if_other").alias("class")
