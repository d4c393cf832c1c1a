"""A sample's summary, against counts by hand."""

import numpy as np
import polars as pl

from virnucpro.calls import call_chunks, call_sequences
from virnucpro.sample import Sample
from virnucpro.scoring import Scores
from virnucpro.summary import TOP, summarise


def summary_of(rows):
    """The summary of sequences given as (id, length, state, virus_score, chunks, chunks_scored, chunks_virus)."""
    names = ("id", "length", "state", "virus_score", "chunks", "chunks_scored", "chunks_virus")
    sequences = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        sequence=pl.int_range(pl.len()),
        description=pl.lit(""),
        reason=pl.lit(""),
        max_virus_score=pl.col("virus_score"),
        chunks_failed=pl.lit(0),
    )
    chunks = pl.DataFrame(schema={"state": pl.String})
    manifest = {"state": "complete", "reason": "", "files": ["s.fa"], "bases": 1, "chunk_length": 500}
    nothing = Scores(np.empty(0, np.int64), np.empty((0, 2), np.float32))
    return summarise(Sample("s", manifest, sequences, chunks, nothing.keys), sequences, chunks, nothing, 0.5)


def test_top_viruses_are_those_with_the_most_viral_chunks():
    rows = [(f"fragment_{i}", 1200, "virus", 0.99, 3, 1, 1) for i in range(TOP)]
    rows += [("phage", 20_000, "virus", 0.8, 40, 25, 24), ("surer", 15_000, "virus", 0.9, 30, 24, 24)]
    rows += [("host", 90_000, "other", 0.4, 200, 150, 30)]
    top = summary_of(rows)["top_viruses"]
    assert [row["id"] for row in top[:3]] == ["surer", "phage", "fragment_0"]
    assert len(top) == TOP
    assert (top[1]["chunks"], top[1]["chunks_scored"], top[1]["viral_chunks"]) == (40, 25, 24)


def test_calls_on_one_chunk_and_on_less_than_a_chunk_are_counted():
    rows = [
        ("long", 9000, "virus", 0.8, 20, 12, 9),
        ("one_scored", 1200, "virus", 0.9, 3, 1, 1),
        ("a_chunk", 500, "virus", 0.9, 1, 1, 1),  # of the classifier's length: not shorter
        ("scrap", 499, "virus", 0.9, 1, 1, 1),
        ("other_scrap", 200, "other", 0.1, 1, 1, 0),
    ]
    assert summary_of(rows)["virus_calls"] == {"one_scored_chunk": 3, "shorter_than_a_chunk": 1}


def test_a_sample_with_one_failed_frame_is_partial_and_not_failed():
    """The sequence cannot be called, yet all but one of its chunks are scored."""
    keys = np.arange(0, 600, 6)
    p = np.full((100, 2), 0.5, np.float32)
    p[42] = np.nan
    scores = Scores(keys, p, {int(keys[42]): "out of memory"})
    end = 500 * np.arange(1, 101)
    chunks = pl.DataFrame({"sequence": 0, "number": np.arange(1, 101), "start": end - 500, "end": end})
    sequences = pl.DataFrame(
        {
            "sequence": [0],
            "id": ["contig"],
            "description": "",
            "length": 50_000,
            "chunks": 100,
            "state": "",
            "reason": "",
        }
    )
    manifest = {"state": "complete", "reason": "", "files": ["s.fa"], "bases": 50_000, "chunk_length": 500}
    sample = Sample("s", manifest, sequences, chunks, keys)
    called = call_chunks(sample, scores)
    summary = summarise(sample, call_sequences(sample, called, 0.5), called, scores, 0.5)
    assert summary["sequences"]["failed"] == summary["chunks"]["failed"] == 1
    assert (summary["state"], summary["reason"]) == ("partial", "")
