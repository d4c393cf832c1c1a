"""Genetic codes: tables and frames against Biopython; which sequences are told to be read with another one."""

import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st
from recoded_genomes import CODONS, NCBI, genome, meanings

from virnucpro.formats import FRAMES
from virnucpro.frames import cuts, recoding
from virnucpro.frames.chunks import Chunks, chunk
from virnucpro.frames.extract import extract
from virnucpro.frames.fasta import read_fasta
from virnucpro.frames.genetic_codes import RESIDUES, codon_number, genetic_code
from virnucpro.frames.open_frames import open_frames
from virnucpro.frames.stretches import frames_of

NAMED = {"made_4": 4, "made_15": 15}


@pytest.mark.parametrize("number", RESIDUES)
def test_the_tables_are_ncbis(number):
    code, expected = genetic_code(number), meanings(number)
    for codon in CODONS:
        for strand in (0, 1):
            seen = codon if strand == 0 else str(Seq(codon).reverse_complement())
            at = codon_number(codon, strand)
            assert at == codon_number(seen, 0)
            assert {chr(code.residues[strand][at])} == expected[codon]
            assert (at in code.stops[strand]) == (expected[codon] == {"*"})
            assert (at in code.former_stops[strand]) == (expected[codon] != {"*"} and meanings(1)[codon] == {"*"})
    assert sum(map(bool, code.residues[0])) == 64


def test_every_code_is_there_in_which_stops_alone_differ():
    standard = meanings(1)

    def is_one(number: int) -> bool:
        own = meanings(number)
        return all(len(own[c]) == 1 and (own[c] == standard[c] or standard[c] == {"*"}) for c in CODONS)

    assert list(RESIDUES) == [number for number in NCBI if is_one(number)]
    assert set(RESIDUES) >= {1, 4, 11, 15, 25}


def frames_by_biopython(piece: str, number: int) -> list[tuple[str, str]]:
    """(frame, peptide) of the open frames of a piece without odd letters."""
    found = []
    for sense, strand in (("F", Seq(piece)), ("R", Seq(piece).reverse_complement())):
        for f in range(3):
            part = strand[f:]
            peptide = str(part[: len(part) // 3 * 3].translate(number))
            if peptide and "*" not in peptide:
                found.append((f"{sense}{f + 1}", peptide))
    return found


def frames(piece: str, number: int) -> list[tuple[str, str]]:
    whole = Chunks(*(np.array([x]) for x in (0, 1, 0, len(piece))))
    found = open_frames(piece.encode(), whole, np.array([0]), genetic_code(number))
    by_standard = {FRAMES[f] for f, s in zip(found.frame, found.standard, strict=True) if s}
    assert by_standard == {frame for frame, _ in frames_by_biopython(piece, 1)}
    return [(FRAMES[f], p.decode()) for f, p in zip(found.frame, found.peptides, strict=True)]


@pytest.mark.parametrize("number", RESIDUES)
@given(st.text("ACGT", min_size=1, max_size=150))
def test_open_frames_are_biopythons(number, piece):
    assert frames(piece, number) == frames_by_biopython(piece, number)


@pytest.mark.parametrize("read", ["open", "longest", "every"])
def test_codes_side_by_side_are_each_as_alone(read):
    rng = np.random.default_rng(3)
    sequences = ["".join(rng.choice(list("ACGT"), n)) for n in (700, 90, 1501, 400, 60, 999)]
    lengths = np.array([len(s) for s in sequences])
    codes, block = np.array([4, 1, 15, 4, 25, 1]), "".join(sequences).encode()
    chunks = chunk(lengths, 60)
    origin = (np.cumsum(lengths) - lengths)[chunks.owner]
    together = frames_of(block, chunks, origin, read, 5, codes[chunks.owner])
    assert (np.diff(6 * together.chunk + together.frame) > 0).all()
    for number in set(codes.tolist()):
        mine = codes[chunks.owner[together.chunk]] == number
        alone = frames_of(block, chunks, origin, read, 5, np.full(len(chunks.owner), number))
        theirs = codes[chunks.owner[alone.chunk]] == number
        assert mine.any()
        for ours, other in zip(together, alone, strict=True):
            pick = [x for x, m in zip(ours, mine, strict=True) if m]
            assert pick == [x for x, t in zip(other, theirs, strict=True) if t]


def run(tmp_path, records, **options):
    (tmp_path / "in.fa").write_bytes(b"".join(b">%s\n%s\n" % (name.encode(), s) for name, s in records))
    extract("s", [tmp_path / "in.fa"], tmp_path / "out", **({"chunk_length": 500} | options))
    table, chunks = (pq.read_table(tmp_path / f"out/s.{t}.parquet").to_pylist() for t in ("sequences", "chunks"))
    return {r["id"]: (r["genetic_code"], r["better_genetic_code"]) for r in table}, chunks


@pytest.fixture(scope="module")
def records(root):
    """Made genomes of three codes, lambda, and E. coli's parts."""
    real = [
        (r.id, r.sequence) for name in ("lambda", "ecoli") for r in read_fasta(root / f"assets/example/{name}.fa.gz")
    ]
    made = [(f"made_{code}", genome(code, 40)) for code in (1, 4, 15)]
    return [*made, ("short", made[1][1][:4999]), *real]


@pytest.mark.parametrize("window", [4000, cuts.BLOCK_BASES])
def test_a_better_code_is_named(tmp_path, records, monkeypatch, window):
    for room in (cuts, recoding):
        monkeypatch.setattr(room, "BLOCK_BASES", window)
    found, _ = run(tmp_path, records)
    assert found == {name: (1, NAMED.get(name, 0)) for name, _ in records}


def test_auto_uses_it_and_leaves_the_others_alone(tmp_path, records):
    found, chunks = run(tmp_path, records, genetic_code=None)
    assert found == {name: (NAMED.get(name, 1), 0) for name, _ in records}
    by_itself = {}
    for number in (1, 4, 15):
        _, by_itself[number] = run(tmp_path, records, genetic_code=number)
    assert chunks == [
        by_itself[found[records[c["sequence"]][0]][0]][i] for i, c in enumerate(chunks)
    ]  # every sequence's chunks are those of a run with its code


def test_the_code_in_use_is_not_named_and_others_are_compared_with_it(tmp_path, records):
    found, _ = run(tmp_path, records, genetic_code=4)
    assert found["made_4"] == (4, 0) and found["made_15"] == (4, 15) and found["made_1"] == (4, 0)
    found, _ = run(tmp_path, records, genetic_code=25)  # the same stops as in code 4: nothing is gained
    assert found["made_4"] == (25, 0)


def test_what_is_not_scored_has_no_code(tmp_path):
    found, _ = run(tmp_path, [("a", b"ACGT" * 20), ("b", b"ACGT"), ("c", b"MKLV")], min_length=10)
    assert found == {"a": (1, 0), "b": (0, 0), "c": (0, 0)}


@pytest.mark.parametrize(("name", "number", "closed"), [("code4", 4, 0.67), ("code15", 15, 0.84)])
@pytest.mark.parametrize("length", [500, 300])
def test_phages_with_other_codes(shared_data, tmp_path, name, number, closed, length):
    phage = next(read_fasta(shared_data / f"genetic_codes/{name}.fa.gz")).sequence
    found, chunks = run(tmp_path, [(name, phage)], chunk_length=length)
    if length == 500:
        assert np.mean([c["open_frames"] == 0 for c in chunks]) == pytest.approx(closed, abs=0.006)
        assert found == {name: (1, number)}
    found, better = run(tmp_path, [(name, phage)], genetic_code=None)
    assert found == {name: (number, 0)}
    assert sum(c["open_frames"] > 0 for c in better) > 1.2 * sum(c["standard_frames"] > 0 for c in better)


def test_genomes_with_the_standard_code(shared_data, tmp_path):
    """Whole, and in pieces of 5, 10 and 20 kb: of some 2,200 none is named."""
    pieces = []
    for name in ("k12", "m1gas"):
        genome = next(read_fasta(shared_data / f"prophages/{name}.fa.gz")).sequence
        for size in (5_000, 10_000, 20_000, len(genome)):
            starts = range(0, len(genome) - size + 1, size)
            pieces += [(f"{name}_{size}_{at}", genome[at : at + size]) for at in starts]
    found, _ = run(tmp_path, pieces)
    assert len(found) > 2200 and set(found.values()) == {(1, 0)}


def test_stops_inside_by_hand():
    """A gene that is closed in its other five frames, between noise that is full of stops: a TAG in its middle is
    inside; two that are 14 codons apart are so where TAGs are left aside alone."""
    noise = "TAATTAACTAACTAGTTAGTCAATGATTGACTGA" * 4
    part = "ATAACTGTTAACTCAGGCTAT" * 2
    one = noise + part * 5 + "TAG" + part * 5 + noise
    two = noise + part * 5 + "TAG" + part + "TAG" + part * 5 + noise
    counts = recoding.stops_inside([one.encode(), noise.encode(), two.encode()])
    assert counts[:, :, 1].tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert counts[:, recoding.KINDS.index("TAG"), 2].tolist() == [1, 0, 2]
    assert (counts[1, :, 0] > 0).all()


def test_the_script_knows_the_codes(root, tmp_path):
    (tmp_path / "x.fa").write_text(">a\n" + "ATGTGAGCA" * 20 + "\n", encoding="utf-8")
    command = [sys.executable, root / "bin/extract_frames.py", "--sample", "s", "x.fa", "--out", "o"]
    for code, open_frames_of_it in (("1", 0), ("4", 1), ("auto", 0)):
        subprocess.run(
            [*command, "--chunk_length", "500", "--genetic_code", code], cwd=tmp_path, check=True, capture_output=True
        )
        (row,) = pq.read_table(tmp_path / "o/s.chunks.parquet").to_pylist()
        assert row["open_frames"] & 1 == open_frames_of_it
        expected = code if code == "auto" else int(code)
        assert json.loads((tmp_path / "o/s.manifest.json").read_text(encoding="utf-8"))["genetic_code"] == expected
    done = subprocess.run([*command, "--chunk_length", "500", "--genetic_code", "2"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
