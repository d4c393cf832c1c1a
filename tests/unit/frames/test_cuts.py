"""Sequences of which nothing could be read are cut once more, for a second classifier."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from virnucpro.frames import cuts
from virnucpro.frames.cuts import Cut
from virnucpro.frames.extract import extract

OPEN = "ATGGCTAGCAAAGGTAAACGTATTGCAGAACTGAAAGAAGCGATTGAAAAACGT" * 6  # 324 bases, open in some frames
CLOSED = "TAATTAACTAACTAGTTAGTCAA" * 20  # 460 bases, stops in all six frames


def random_records(seed, n=60):
    """Random sequences, of which many have no open frame of 500 bases, some with long open parts."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        text = "".join(rng.choice(list("ACGT"), rng.integers(200, 1500)))
        yield f"r{i}", (OPEN * 3 if i % 7 == 0 else "") + text


def tables(tmp_path, records, name="out", **options):
    fasta = tmp_path / "in.fa"
    fasta.write_text("".join(f">{i}\n{s}\n" for i, s in records), encoding="utf-8")
    manifest = extract("s", [fasta], tmp_path / name, chunk_length=500, shard_size=40, **options)
    shards = [pq.read_table(tmp_path / name / f"{s['name']}.parquet") for s in manifest["shards"]]
    rows = [row for shard in shards for row in shard.to_pylist()]
    read = {t: pq.read_table(tmp_path / name / f"s.{t}.parquet").to_pylist() for t in ("sequences", "chunks")}
    return manifest, rows, read["sequences"], read["chunks"]


@pytest.mark.parametrize("window", [600, 5000, cuts.BLOCK_BASES])
@pytest.mark.parametrize("seed", range(3))
def test_both_cuts_are_those_of_the_classifiers_alone(tmp_path, monkeypatch, seed, window):
    """Chunks and frames of the first cut are as without a second; of each sequence without one, and of no other, there
    follow those of a run with the second's chunks; whatever the size of the window."""
    monkeypatch.setattr(cuts, "BLOCK_BASES", window)
    records = list(random_records(seed))
    _, alone, _, first = tables(tmp_path, records, "first")
    fasta = tmp_path / "in.fa"
    extract("s", [fasta], tmp_path / "small", chunk_length=180)
    small = pq.read_table(tmp_path / "small/s.chunks.parquet").to_pylist()
    manifest, rows, sequences, chunks = tables(tmp_path, records, "both", second=Cut(180))

    def bare(some, *more):
        return [{k: v for k, v in row.items() if k not in ("cut", *more)} for row in some]

    assert bare(c for c in chunks if not c["cut"]) == bare(first)
    unread = {c["sequence"] for c in first} - {c["sequence"] for c in first if c["open_frames"]}
    assert 5 < len(unread) < len(records)
    assert bare(c for c in chunks if c["cut"]) == bare(c for c in small if c["sequence"] in unread)
    assert [(c["sequence"], c["cut"], c["number"]) for c in chunks] == sorted(
        (c["sequence"], c["cut"], c["number"]) for c in chunks
    )
    # Every frame's key leads to its chunk, in which it is marked as open; and those of the first cut are all there.
    keys = [row["frame_key"] for row in rows]
    assert keys == sorted(set(keys)) and len(keys) == manifest["frames"]
    assert (
        sum(c["open_frames"].bit_count() for c in chunks)
        == len(keys)
        == len(alone) + sum(c["open_frames"].bit_count() for c in chunks if c["cut"])
    )
    text = dict(records)
    names = list(text)
    for row in rows:
        chunk = chunks[row["frame_key"] // 6]
        assert chunk["open_frames"] >> row["frame_key"] % 6 & 1
        assert row["frame_id"].startswith(f"{names[chunk['sequence']]}_chunk_{chunk['number']}")
        if row["frame_key"] % 6 < 3:
            assert row["nucleotides"] in text[names[chunk["sequence"]]][chunk["start"] : chunk["end"]]
    assert [s["chunks"] for s in sequences] == [sum(c["sequence"] == i for c in chunks) for i in range(len(sequences))]


def test_what_is_not_scored_is_not_cut_once_more(tmp_path):
    records = [("short", OPEN[:60]), ("empty", ""), ("protein", "MKLEFQPI" * 90), ("closed", CLOSED)]
    manifest, rows, sequences, chunks = tables(tmp_path, records, min_length=100, second=Cut(100))
    assert {c["sequence"] for c in chunks} == {3} and [c["cut"] for c in chunks] == [0, 1, 1, 1, 1, 1]
    assert manifest["chunks"] == 6 and not rows and sequences[3]["chunks"] == 6


def test_the_second_cut_reads_as_it_is_told(tmp_path):
    """Open frames in the first cut, stretches in the second."""
    _, rows, _, chunks = tables(tmp_path, [("closed", CLOSED)], second=Cut(200, "every", 3))
    assert rows and all(row["frame_id"].endswith("_stretch") for row in rows)
    assert not any(c["stretch_frames"] for c in chunks if not c["cut"])
    assert all(c["stretch_frames"] for c in chunks if c["cut"])
