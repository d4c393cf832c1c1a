"""A sample's summary, against counts by hand."""

import numpy as np
import polars as pl

from virnucpro.calling.calls import call_chunks, call_sequences
from virnucpro.calling.sample import Sample
from virnucpro.calling.scoring import Scores
from virnucpro.calling.summary import TOP, Summary
from virnucpro.formats import FRAMES

# State, score and scored chunks of sequences that are read by open frames (the last two: by a stretch, and screened).
CALLS = [
    *(("virus", 0.9, 1), ("other", 0.1, 1), ("virus", 0.9, 2), ("virus", 0.9, 3), ("other", 0.2, 7)),
    *(("virus", 0.9, 8), ("other", 0.2, 300), ("virus", 0.7, 1), ("other", None, 0)),
]


def summary_of(rows, **more):
    """The summary of sequences given as (id, length, state, virus_score, chunks, chunks_scored, chunks_virus), and more
    columns."""
    names = ("sequence_id", "length", "state", "virus_score", "chunks", "chunks_scored", "chunks_virus")
    sequences = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        sequence=pl.int_range(pl.len()),
        cut=pl.lit(0),
        evidence=pl.Series(more.get("evidence", ["open_frames"] * len(rows))),
        description=pl.lit(""),
        reason=pl.lit(""),
        max_p_virus=pl.col("virus_score"),
        chunks_failed=pl.lit(0),
        **{name: pl.Series(more.get(name, [0] * len(rows))) for name in ("genetic_code", "better_genetic_code")},
    )
    chunks = pl.DataFrame(schema={"state": pl.String})
    manifest = {"state": "complete", "reason": "", "files": ["s.fa"], "bases": 1, "chunk_length": 500, "stretches": 0}
    nothing = Scores(np.empty(0, np.int64), np.empty((0, 2), np.float32))
    found = content(manifest, sequences, chunks, nothing)
    half = sequences.height // 2
    assert content(manifest, sequences, chunks, nothing, half) == found  # the same in two blocks as in one
    return found


def content(manifest, sequences, chunks, scores, cut=0):
    """The summary of sequences that are added in two blocks, cut before row `cut`."""
    summary = Summary("s", manifest, ["c"])
    summary.add_calls(sequences, chunks, scores)
    for block in (sequences[:cut], sequences[cut:]):
        summary.add_sequences(block)
    return summary.content(0.5)


def test_top_viruses_are_those_with_the_most_viral_chunks():
    rows = [(f"fragment_{i}", 1200, "virus", 0.99, 3, 1, 1) for i in range(TOP)]
    rows += [("phage", 20_000, "virus", 0.8, 40, 25, 24), ("surer", 15_000, "virus", 0.9, 30, 24, 24)]
    rows += [("host", 90_000, "other", 0.4, 200, 150, 30)]
    top = summary_of(rows)["top_viruses"]
    assert [row["id"] for row in top[:3]] == ["surer", "phage", "fragment_0"]
    assert len(top) == TOP
    assert (top[1]["chunks"], top[1]["chunks_scored"], top[1]["chunks_virus"]) == (40, 25, 24)


def test_calls_on_one_chunk_and_on_less_than_a_chunk_are_counted():
    rows = [
        ("long", 9000, "virus", 0.8, 20, 12, 9),
        ("one_scored", 1200, "virus", 0.9, 3, 1, 1),
        ("a_chunk", 500, "virus", 0.9, 1, 1, 1),  # of the classifier's length: not shorter
        ("scrap", 499, "virus", 0.9, 1, 1, 1),
        ("other_scrap", 200, "other", 0.1, 1, 1, 0),
    ]
    assert summary_of(rows)["virus_calls"] == {"one_scored_chunk": 3, "shorter_than_a_chunk": 1}


def test_calls_are_counted_by_what_they_rest_on():
    rows = [(f"s{i}", 900, state, score, n, n, n) for i, (state, score, n) in enumerate(CALLS)]
    rows.append(("none", 900, "no_open_frame", None, 1, 0, 0))
    evidence = ["open_frames"] * 7 + ["stretches", "screened", None]
    assert summary_of(rows, evidence=evidence)["calls_by_evidence"] == [
        {"evidence": "open_frames", "scored_chunks": "1", "virus": 1, "other": 1},
        {"evidence": "open_frames", "scored_chunks": "2-3", "virus": 2, "other": 0},
        {"evidence": "open_frames", "scored_chunks": "4-7", "virus": 0, "other": 1},
        {"evidence": "open_frames", "scored_chunks": "8+", "virus": 1, "other": 1},
        {"evidence": "screened", "scored_chunks": "0", "virus": 0, "other": 1},
        {"evidence": "stretches", "scored_chunks": "1", "virus": 1, "other": 0},
    ]


def test_genetic_codes_are_counted():
    rows = [(f"s{length}", length, "virus", 0.8, 3, 1, 1) for length in (5000, 9000, 7000, 400)]
    summary = summary_of(rows, genetic_code=[1, 4, 1, 0], better_genetic_code=[15, 0, 15, 0])
    assert summary["genetic_codes"] == {
        "1": {"sequences": 2, "bases": 12_000, "longest": "s7000"},
        "4": {"sequences": 1, "bases": 9000, "longest": "s9000"},
    }
    assert summary["better_genetic_codes"] == {"15": {"sequences": 2, "bases": 12_000, "longest": "s7000"}}


def test_a_sample_with_one_failed_frame_is_partial_and_not_failed():
    """The sequence cannot be called, yet all but one of its chunks are scored."""
    keys = np.arange(0, 600, 6)
    p = np.full((100, 2), 0.5, np.float32)
    p[42] = np.nan
    scores = Scores(keys, p, {int(keys[42]): "out of memory"})
    end = 500 * np.arange(1, 101)
    chunks = pl.DataFrame({"sequence": 0, "number": np.arange(1, 101), "start": end - 500, "end": end}).with_columns(
        cut=0, open_frames=1, stretch_frames=0, **{f"residues_{frame}": 0 for frame in FRAMES}
    )
    sequences = pl.DataFrame(
        {
            "sequence": [0],
            "sequence_id": ["contig"],
            "description": "",
            "length": 50_000,
            "chunks": 100,
            "state": "",
            "reason": "",
            "genetic_code": 1,
            "better_genetic_code": 0,
        }
    )
    manifest = {
        "state": "complete",
        "reason": "",
        "files": ["s.fa"],
        "bases": 50_000,
        "chunk_length": 500,
        "stretches": 0,
    }
    sample = Sample("s", manifest, sequences, chunks, keys)
    called = call_chunks(sample, scores)
    summary = content(manifest, call_sequences(sample, called, 0.5), called, scores)
    assert summary["sequences"]["failed"] == summary["chunks"]["failed"] == 1
    assert (summary["state"], summary["reason"]) == ("partial", "")
