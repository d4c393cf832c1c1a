"""Longest stretches against a plain search: Biopython's translation of every frame, split at its stops."""

import numpy as np
import pytest
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st
from virnucpro_way import CODONS, open_frames_of

from virnucpro.formats import FRAMES
from virnucpro.frames.chunks import chunk
from virnucpro.frames.stretches import longest_stretches


def plainly(piece: str, least: int, most: int = 1, frames: list[bool] | None = None) -> list[tuple]:
    """(residues, frame, nucleotides, peptide) of a chunk's longest stretches, of each of `frames` the first of equally
    long ones, of the `most` frames with the longest, in the order of frames."""
    found = []
    for sense, strand in (("F", piece), ("R", piece.translate(str.maketrans("ACGT", "TGCA"))[::-1])):
        for f in range(3):
            codons = [strand[i : i + 3] for i in range(f, len(strand) - 2, 3)]
            best, runs, run = None, [], []
            for codon in codons:
                if CODONS.get(codon) == "*":
                    runs.append(run)
                    run = []
                else:
                    run.append(codon)
            for part in [*runs, run]:
                peptide = "".join(CODONS.get(codon, "") for codon in part)
                if len(peptide) >= max(least, 1) and (best is None or len(peptide) > best[0]):
                    best = (len(peptide), f"{sense}{f + 1}", "".join(part), peptide)
            wanted = frames is None or frames[len("FFF") * (sense == "R") + f]
            found += [best] if best and wanted else []
    return sorted(sorted(found, key=lambda row: -row[0])[:most], key=lambda row: row[1])


def found(sequences: list[str], size: int, least: int, most: int = 1) -> dict[int, list[tuple]]:
    """The same of all closed chunks of `sequences`, by chunk."""
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    chunks = chunk(lengths, size)
    block = "".join(sequences).encode()
    pieces = [sequences[o][a:b] for o, a, b in zip(chunks.owner, chunks.start, chunks.end, strict=True)]
    names = [{name for name, *_ in open_frames_of(piece)} for piece in pieces]
    is_open = np.array([[frame in n for frame in FRAMES] for n in names], dtype=bool).reshape(-1, 6)
    closed = ~is_open if most > 1 else ~is_open & ~is_open.any(axis=1, keepdims=True)
    origin = (np.cumsum(lengths) - lengths)[chunks.owner]
    s = longest_stretches(block, chunks, origin, closed, least, most)
    got: dict[int, list[tuple]] = {}
    for c, n, f, nucleotides, peptide in zip(s.chunk, s.residues, s.frame, s.nucleotides, s.peptides, strict=True):
        got.setdefault(int(c), []).append((int(n), FRAMES[f], nucleotides.decode(), peptide.decode()))
    expected = {i: plainly(piece, least, most, closed[i].tolist()) for i, piece in enumerate(pieces)}
    assert got == {i: best for i, best in expected.items() if best}
    return got


@given(
    st.lists(st.text("ACGT", min_size=0, max_size=90), min_size=1, max_size=4),
    st.sampled_from([30, 40, 61]),
    st.sampled_from([1, 2, 6]),
)
def test_as_a_plain_search_finds_them(sequences, size, most):
    found(sequences, size, 1, most)


@given(st.lists(st.text("ACGTN-", min_size=0, max_size=70), min_size=1, max_size=3), st.integers(0, 8))
def test_unknown_letters_add_no_residue(sequences, least):
    found(sequences, 31, least)


@pytest.mark.parametrize("size", [300, 500])
def test_real_lengths(size):
    rng = np.random.default_rng(size)
    sequences = ["".join(rng.choice(list("ACGT"), n)) for n in (1, 2, 700, 1501, 4000)]
    got = found(sequences, size, 40, 2)
    assert len(got) > 5
    assert 2 in {len(stretches) for stretches in got.values()} <= {1, 2}
    for residues, _, nucleotides, peptide in (row for stretches in got.values() for row in stretches):
        assert residues == len(peptide) >= 40
        assert str(Seq(nucleotides).translate()) == peptide
