"""Figures of a trained classifier, against pairs counted one by one, arithmetic by hand, and CLASSIFY's own scores."""

import json

import numpy as np
import polars as pl
import pytest

from virnucpro.calls import call_chunks, call_sequences
from virnucpro.sample import Sample
from virnucpro.scoring import Scores
from virnucpro.training.data import Dataset
from virnucpro.training.evaluate import auc, evaluate


def pairs(score, label):
    """AUC by its definition: the share of (virus, other) pairs in which the virus scores higher, ties half."""
    virus, other = score[label == 1], score[label == 0]
    return np.mean([(v > o) + (v == o) / 2 for v in virus for o in other])


@pytest.mark.parametrize("digits", [1, 9])  # with many ties, and with none
def test_auc_counts_pairs(digits):
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 200)
    score = np.round(random.normal(label * 0.7, 1), digits)
    assert auc(score, label) == pytest.approx(pairs(score, label), abs=1e-12)


def test_auc_of_one_class_is_no_number():
    assert np.isnan(auc(np.array([0.1, 0.2]), np.array([1, 1])))


def dataset(frame_chunk, chunk_sequence, chunk_length, label, group):
    n = len(label)
    return Dataset(
        np.zeros((len(frame_chunk), 1), dtype=np.float32),
        *map(np.array, (frame_chunk, chunk_sequence, chunk_length, label)),
        np.array(group, dtype=object),
        np.full(n, "", dtype=object),
        (),
        500,
        0,
    )


def test_three_levels_by_hand():
    # Sequence 0 (virus) has chunks of 750 and 50 bases, sequence 1 (other) one chunk, sequence 2 (virus) none open.
    data = dataset([0, 0, 1, 2], [0, 0, 1, 2], [750, 50, 400, 500], [1, 0, 1], ["a", "b", "c"])
    virus = np.array([0.9, 0.5, 0.3, 0.6], dtype=np.float32)
    found = evaluate(data, np.arange(4), np.column_stack([1 - virus, virus]))
    # Frames: viruses 0.9 0.5 0.3, other 0.6: one of three above it; called right: 1 of 3 viruses, not the other.
    assert (found["frame"]["auc"], found["frame"]["sensitivity"]) == (0.3333, 0.3333)
    assert found["frame"]["specificity"] == 0
    # Chunk 0 has 0.9 against 0.5: 0.643, virus. Chunk 1 0.3 against 0.7: not. Chunk 2 0.6 against 0.4: virus.
    assert (found["chunk"]["auc"], found["chunk"]["sensitivity"], found["chunk"]["specificity"]) == (0.5, 0.5, 0)
    # Sequence 0 scores (750 * 0.643 + 50 * 0.3) / 800 = 0.621, sequence 1 0.6.
    assert (found["sequence"]["auc"], found["sequence"]["sensitivity"]) == (1, 1)
    assert (found["sequence"]["virus"], found["sequence"]["others"]) == (1, 1)


def test_levels_are_those_of_classify():
    """Random frames: chunk and sequence calls must agree with the functions that CLASSIFY calls with."""
    random = np.random.default_rng(5)
    chunks = 60
    chunk_sequence = np.sort(random.integers(0, 12, chunks))
    keys = np.unique(random.integers(0, 6 * chunks, 90))
    virus = random.random(len(keys)).astype(np.float32)
    p = np.column_stack([1 - virus, virus])
    start, end = np.zeros(chunks, dtype=np.int64), random.integers(100, 500, chunks)
    table = pl.DataFrame({"sequence": chunk_sequence, "start": start, "end": end})
    sequences = pl.DataFrame({"sequence": range(12), "chunks": [1] * 12, "state": [""] * 12, "reason": [""] * 12})
    sample = Sample("s", json.loads("{}"), sequences, table, keys)
    called_chunks = call_chunks(sample, Scores(keys, p))
    called = call_sequences(sample, called_chunks, 0.5)
    label = np.arange(12) % 2
    data = dataset(keys // 6, chunk_sequence, end, label, [str(i) for i in range(12)])
    found = evaluate(data, np.arange(len(keys)), p)
    scored = called_chunks.filter(pl.col("open_count") > 0)
    of_virus = label[scored["sequence"].to_numpy()] == 1
    is_virus = (scored["state"] == "virus").to_numpy()
    assert found["chunk"]["sensitivity"] == pytest.approx(is_virus[of_virus].mean(), abs=1e-4)
    assert found["chunk"]["auc"] == pytest.approx(
        pairs(scored["chunk_score"].to_numpy(), of_virus.astype(int)), abs=1e-4
    )
    done = called.filter(pl.col("virus_score").is_not_null())
    truth = label[done["sequence"].to_numpy()]
    assert found["sequence"]["auc"] == pytest.approx(pairs(done["virus_score"].to_numpy(), truth), abs=1e-4)
    assert found["sequence"]["specificity"] == pytest.approx(
        (done["state"] == "other").to_numpy()[truth == 0].mean(), abs=1e-4
    )


def test_interval_is_wider_where_few_genomes_hold_the_same_frames():
    random = np.random.default_rng(1)
    label = np.repeat([0, 1], 200)
    score = np.clip(random.normal(0.5 + 0.1 * label, 0.15), 0, 1).astype(np.float32)
    p = np.column_stack([1 - score, score])
    width = []
    for genomes in (200, 4):
        shift = np.tile(np.repeat(random.normal(0, 0.1, genomes), 200 // genomes), 2) if genomes == 4 else 0
        virus = np.clip(p[:, 1] + shift, 0, 1)
        group = [f"{c}{i * genomes // 200}" for c in "ab" for i in range(200)]
        data = dataset(range(400), range(400), [500] * 400, label, group)
        low, high = evaluate(data, np.arange(400), np.column_stack([1 - virus, virus]))["frame"]["auc_95"]
        width.append(high - low)
    assert width[1] > width[0]
