"""Which of a classifier's finer classes a sequence belongs to, where the classifier knows more than virus or not."""

import numpy as np
import polars as pl

from virnucpro.bundle.classifier import Classifier
from virnucpro.calling.scoring import Scores
from virnucpro.formats import chunk_of


def class_of_sequences(sequences: pl.DataFrame, chunks: pl.DataFrame, scores: Scores, card: Classifier) -> pl.Series:
    """The likeliest class of each called sequence, null for others and where the classifier has two classes.

    The mean probability of its frames, chunk by chunk and weighted by chunk length; among the viral classes where the
    sequence is called virus, among the others where it is not. So the class never contradicts the call.
    """
    n = sequences.height
    if scores.classes is None:
        return pl.Series("class", [None] * n, dtype=pl.String)
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
    found = np.full(n, None, dtype=object)
    for state, mine in (("virus", is_viral), ("other", ~is_viral)):
        rows = np.flatnonzero(((sequences["state"] == state) & (sequences["chunks_scored"] > 0)).to_numpy())
        found[rows] = names[mine][total[rows][:, mine].argmax(axis=1)]
    return pl.Series("class", found.tolist(), dtype=pl.String)
