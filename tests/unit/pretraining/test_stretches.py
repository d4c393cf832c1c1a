"""Stretches of windows: what the pipeline finds in the same chunks, and what Biopython's codon table reads."""

import numpy as np
import pytest


def text_of(codes: np.ndarray) -> str:
    return "".join("ACGTN"[c] for c in codes)


@pytest.fixture
def windows():
    rng = np.random.default_rng(11)
    lengths = np.r_[np.full(40, 500), rng.integers(150, 500, 40), 300, 127]
    codes = rng.choice(4, size=(len(lengths), 500), p=[0.17, 0.33, 0.33, 0.17]).astype(
        np.uint8
    )  # rich in GC: few stops
    for row, length in enumerate(lengths):
        codes[row, length:] = 4
    return codes, lengths


def residues_of(peptide: np.ndarray) -> str:
    from pretraining.stretches import RESIDUES

    return "".join(RESIDUES[r] for r in peptide if r < 20)


def test_codons_are_those_of_biopythons_standard_table():
    from Bio.Data import CodonTable

    from pretraining.stretches import CODONS, RESIDUES, STOP

    table = CodonTable.unambiguous_dna_by_id[1]
    for a in range(4):
        for b in range(4):
            for c in range(4):
                codon = text_of(np.array([a, b, c]))
                expected = STOP if codon in table.stop_codons else RESIDUES.index(table.forward_table[codon])
                assert CODONS[25 * a + 5 * b + c] == expected
    assert (CODONS[[4, 100, 124]] > STOP).all()


def test_the_longest_of_each_frame_are_those_of_biopython(windows):
    from Bio.Seq import Seq

    from pretraining.stretches import longest_of_frames

    codes, lengths = windows
    peptide, residues, first = longest_of_frames(codes, lengths, 40)
    for row, length in enumerate(lengths.tolist()):
        strands = (Seq(text_of(codes[row, :length])), Seq(text_of(codes[row, :length])).reverse_complement())
        frames = [str(s[f : f + 3 * ((length - f) // 3)].translate()) for s in strands for f in range(3)]
        for number, frame in enumerate(frames):
            best = max(frame.split("*"), key=len)
            assert residues[row, number] == (len(best) if len(best) >= 40 else 0)
            assert residues_of(peptide[row, number]) == (best if len(best) >= 40 else "")
            if len(best) >= 40:
                assert frame[first[row, number] :].startswith(best)


def test_the_longest_of_each_frame_is_the_one_that_a_run_reads(windows):
    from pretraining.stretches import longest_of_frames
    from virnucpro.frames.chunks import Chunks
    from virnucpro.frames.stretches import longest_stretches

    codes, lengths = windows
    block = "".join(text_of(c[:n]) for c, n in zip(codes, lengths, strict=True)).encode()
    n = len(lengths)
    start = np.cumsum(lengths) - lengths
    chunks = Chunks(np.arange(n), np.ones(n, dtype=np.int64), start, start + lengths)
    found = longest_stretches(block, chunks, np.zeros(n, dtype=np.int64), np.ones((n, 6), dtype=bool), 40, 6)
    theirs = {(int(c), int(f)): p.decode() for c, f, p in zip(found.chunk, found.frame, found.peptides, strict=True)}
    peptide, residues, _ = longest_of_frames(codes, lengths, 40)
    ours = {(r, f): residues_of(peptide[r, f]) for r in range(n) for f in range(6) if residues[r, f]}
    assert ours == theirs and len(ours) > 200
