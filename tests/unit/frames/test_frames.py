"""Chunks and open frames: equal to VirNucPro's, on its published files and on random sequences."""

import numpy as np
import pyarrow.parquet as pq
from Bio import SeqIO
from hypothesis import given, settings
from hypothesis import strategies as st
from virnucpro_way import chunks_of, frames_of_file, open_frames_of

from virnucpro.formats import FRAMES
from virnucpro.frames.chunks import Chunks, chunk
from virnucpro.frames.extract import extract
from virnucpro.frames.open_frames import open_frames


def found_frames(sequence: bytes):
    """(frame, nucleotides, peptide) of a sequence taken as one chunk."""
    whole = Chunks(*(np.array([x]) for x in (0, 1, 0, len(sequence))))
    found = open_frames(sequence, whole, np.array([0]))
    rows = zip(found.frame, found.nucleotides, found.peptides, strict=True)
    return [(FRAMES[f], n.decode(), p.decode()) for f, n, p in rows]


def test_published_reference(data, tmp_path):
    """VirNucPro's own chunks, frames and peptides for its test input."""
    folder = data / "virnucpro_reference"
    extract("ref", [folder / "test_with_orfs.fa"], tmp_path, chunk_length=500)
    chunks = pq.read_table(tmp_path / "ref.chunks.parquet").to_pylist()
    sequences = [str(r.seq) for r in SeqIO.parse(folder / "test_with_orfs.fa", "fasta")]
    ids = pq.read_table(tmp_path / "ref.sequences.parquet")["id"].to_pylist()
    ours = [
        (f"{ids[c['sequence']]}_chunk_{c['number']}", sequences[c["sequence"]][c["start"] : c["end"]]) for c in chunks
    ]
    theirs = [(r.id, str(r.seq)) for r in SeqIO.parse(folder / "test_with_orfs_chunked500.fa", "fasta")]
    assert ours == theirs
    shard = pq.read_table(tmp_path / "ref.shard_00001.parquet")
    for column, name in (("nucleotides", "nucleotide.fa"), ("peptide", "protein.faa")):
        theirs = [(r.id, str(r.seq)) for r in SeqIO.parse(folder / f"test_with_orfs_identified_{name}", "fasta")]
        assert list(zip(shard["frame_id"].to_pylist(), shard[column].to_pylist(), strict=True)) == theirs


def test_chunk_by_hand():
    """600 bases in chunks of 500: 400 to spare, 201 of them at the joint; the last chunk is 301 long."""
    c = chunk(np.array([600, 500, 1]), 500)
    assert c.owner.tolist() == [0, 0, 1, 2]
    assert c.number.tolist() == [1, 2, 1, 1]
    assert c.start.tolist() == [0, 299, 0, 0]
    assert c.end.tolist() == [500, 600, 500, 1]


@given(st.integers(1, 20_000), st.sampled_from([30, 300, 500]))
def test_chunks_are_virnucpros_and_cover_the_sequence(length, size):
    c = chunk(np.array([length]), size)
    expected = [(r.start, r.stop) for _, r in chunks_of(range(length), size)]
    assert list(zip(c.start.tolist(), c.end.tolist(), strict=True)) == expected
    assert c.start[0] == 0
    assert c.end[-1] == length
    assert (c.start[1:] <= c.end[:-1]).all(), "a base between two chunks would be lost"


def test_no_sequences_no_chunks():
    assert all(len(x) == 0 for x in chunk(np.array([], dtype=np.int64), 500))


def test_frames_by_hand():
    # F1: ATG AAA = MK; F2: TGA is a stop; F3: GAA = E. Reverse TTTCAT: TTT CAT = FH, TTC = F, TCA = S.
    assert found_frames(b"ATGAAA") == [
        ("F1", "ATGAAA", "MK"),
        ("F3", "GAAA", "E"),
        ("R1", "TTTCAT", "FH"),
        ("R2", "TTCA", "F"),
        ("R3", "TCAT", "S"),
    ]


def test_unknown_codons_add_no_residue_and_shorten_the_nucleotides():
    # NNN gives nothing, so that the peptide is K, and the nucleotides are the first 3 * 1 + 1 bases of the strand.
    assert ("F1", "NNNA", "K") in found_frames(b"NNNAAA")
    assert found_frames(b"NNNNNN") == []  # empty peptides are no open frames


def test_reverse_complement_keeps_other_letters():
    assert ("R1", "TTTRAT"[:4], "F") in found_frames(b"ATRAAA")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ACGTNRY", min_size=1, max_size=120), min_size=1, max_size=6))
def test_frames_equal_the_per_codon_way(sequences):
    block = "".join(sequences).encode()
    lengths = np.array([len(s) for s in sequences])
    chunks = chunk(lengths, 50)
    found = open_frames(block, chunks, (np.cumsum(lengths) - lengths)[chunks.owner])
    ours = [
        (int(c), FRAMES[f], n.decode(), p.decode())
        for c, f, n, p in zip(found.chunk, found.frame, found.nucleotides, found.peptides, strict=True)
    ]
    pieces = [str(part) for s in sequences for _, part in chunks_of(s, 50)]
    assert ours == [(i, *frame) for i, piece in enumerate(pieces) for frame in open_frames_of(piece)]


def test_whole_files_equal_the_per_codon_way(tmp_path):
    """Long records, many shards, windows that split a record: nothing depends on how the work is cut."""
    rng = np.random.default_rng(7)
    path = tmp_path / "in.fa"
    with path.open("w", encoding="utf-8") as out:
        for i, length in enumerate([1, 2, 3, 499, 500, 501, 40_000, 1234, 7]):
            letters = rng.choice(list("ACGTN"), p=[0.3, 0.2, 0.28, 0.2, 0.02], size=length)
            text = "".join(letters) if i % 2 else "".join(letters).replace("T", "C")  # without T there is no stop
            out.write(f">r{i} some text\n" + "\n".join(text[j : j + 61] for j in range(0, length, 61)) + "\n")
    manifest = extract("s", [path], tmp_path / "out", chunk_length=300, shard_size=50)
    tables = [pq.read_table(tmp_path / "out" / f"{s['name']}.parquet") for s in manifest["shards"]]
    assert all(t.num_rows <= 50 for t in tables)
    assert len(tables) > 3
    columns = ("frame_id", "nucleotides", "peptide")
    ours = [row for t in tables for row in zip(*(t[c].to_pylist() for c in columns), strict=True)]
    assert ours == list(frames_of_file(path, 300))
    keys = np.concatenate([t["frame_key"].to_numpy() for t in tables])
    assert (np.diff(keys) > 0).all()
    assert manifest["frames"] == len(ours)
