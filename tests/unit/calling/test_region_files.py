"""The files of viral regions, read by programs that are not ours; those that are absent are skipped."""

import csv
import gzip
import io
import random
import shutil
import subprocess

import numpy as np
import pandas as pd
import polars as pl
import pytest
from Bio import SeqIO

from virnucpro.calling import region_files
from virnucpro.calling.fasta_files import FastaFiles
from virnucpro.frames.fasta import digest


def dna(seed: int, length: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


IDS, LENGTHS = ["contig_1", "odd;id=1,%&"], [12_000, 900]
BASES = [dna(i, n) for i, n in enumerate(LENGTHS)]
SEQUENCES = pl.DataFrame({"sequence": [0, 1], "id": IDS, "sequence_id": IDS, "length": LENGTHS}).with_columns(
    digest=pl.Series([digest(bases.encode()) for bases in BASES], dtype=pl.UInt64)
)


@pytest.fixture
def written(tmp_path):
    """Three regions of two sequences in all formats; gives the folder and the bases of both sequences."""
    fasta = tmp_path / "in.fa"
    fasta.write_text("".join(f">{i} text\n{s}\n" for i, s in zip(IDS, BASES, strict=True)), encoding="utf-8")
    regions = pl.DataFrame(
        {
            "sequence": [0, 0, 1],
            "start": [0, 5000, 0],
            "end": [2500, 11_000, 900],
            "virus_score": [0.75, 0.9, 0.5],
            "chunks": [5, 12, 2],
            "chunks_scored": [4, 10, 2],
            "chunks_virus": [4, 9, 1],
            "evidence": ["open_frames", "both", "stretches"],
            "whole": [False, False, True],
        }
    )
    write(region_files.with_names(regions, SEQUENCES), [fasta], tmp_path)
    return tmp_path, BASES


def write(regions, fasta, folder):
    """All files of the regions, which are added sequence by sequence."""
    (folder / "spill").mkdir()
    with region_files.RegionFiles(folder, folder / "spill") as files:
        for number in SEQUENCES["sequence"]:
            files.add(regions.filter(pl.col("sequence") == number))
    viruses = pl.DataFrame(schema={"sequence": pl.Int64, "header": pl.String})
    with FastaFiles(fasta, folder, not regions.is_empty()) as packed:
        for row, number in enumerate(SEQUENCES["sequence"]):
            headers = region_files.region_headers(regions.filter(pl.col("sequence") == number))
            packed.add(SEQUENCES[row : row + 1], viruses, headers)
        packed.end()


def test_the_table(written):
    table = pd.read_csv(written[0] / "regions.tsv", sep="\t")
    assert table["region"].to_list() == ["region_1_1_2500", "region_1_5001_11000", "region_2_1_900"]
    assert table["length"].to_list() == [2500, 6000, 900] == (table["end"] - table["start"] + 1).to_list()
    assert table["whole_sequence"].to_list() == [False, False, True]
    assert table["sequence_id"].to_list() == ["contig_1", "contig_1", "odd;id=1,%&"]


def test_the_fasta(written):
    folder, bases = written
    with gzip.open(folder / "regions.fasta.gz", "rt", encoding="utf-8") as text:
        found = [(r.id, r.description.split()[1], str(r.seq)) for r in SeqIO.parse(text, "fasta")]
    assert found == [
        ("region_1_1_2500", "contig_1:1-2500", bases[0][:2500]),
        ("region_1_5001_11000", "contig_1:5001-11000", bases[0][5000:11_000]),
        ("region_2_1_900", "odd;id=1,%&:1-900", bases[1]),
    ]


def test_gff_says_the_same_as_bed(written):
    lines = (written[0] / "regions.gff3").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["##gff-version 3", "##sequence-region contig_1 1 12000", lines[2]]
    rows = list(csv.reader(io.StringIO("\n".join(x for x in lines if x[0] != "#")), delimiter="\t"))
    bed = list(csv.reader((written[0] / "regions.bed").open(encoding="utf-8"), delimiter="\t"))
    assert [(int(r[3]) - 1, int(r[4])) for r in rows] == [(int(b[1]), int(b[2])) for b in bed]
    assert [r[2] for r in rows] == ["proviral_region", "proviral_region", "viral_sequence"]
    assert rows[2][0] == "odd%3Bid%3D1%2C%25%26"
    assert [dict(p.split("=") for p in r[8].split(";"))["ID"] for r in rows] == [b[3] for b in bed]
    assert [b[4] for b in bed] == ["750", "900", "500"]


@pytest.mark.skipif(not shutil.which("gt"), reason="GenomeTools are not installed (package genometools)")
def test_gff_is_valid_for_genometools(written):
    run = subprocess.run(["gt", "gff3validator", written[0] / "regions.gff3"], capture_output=True, encoding="utf-8")
    assert run.returncode == 0 and "warning" not in run.stderr, run.stdout + run.stderr


@pytest.mark.skipif(not shutil.which("bedtools"), reason="bedtools is not installed")
def test_bedtools_cuts_the_same_bases(written):
    folder, _ = written
    command = ["bedtools", "getfasta", "-fi", folder / "in.fa", "-bed", folder / "regions.bed", "-nameOnly"]
    cut = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    with gzip.open(folder / "regions.fasta.gz", "rt", encoding="utf-8") as text:
        ours = {r.id: str(r.seq) for r in SeqIO.parse(text, "fasta")}
    assert {r.id: str(r.seq) for r in SeqIO.parse(io.StringIO(cut), "fasta")} == ours


@pytest.mark.skipif(not shutil.which("samtools"), reason="samtools is not installed")
def test_samtools_indexes_the_fasta(written):
    plain = written[0] / "regions.fa"
    plain.write_bytes(gzip.decompress((written[0] / "regions.fasta.gz").read_bytes()))
    subprocess.run(["samtools", "faidx", plain], check=True, capture_output=True)
    index = [line.split("\t")[:2] for line in (written[0] / "regions.fa.fai").read_text(encoding="utf-8").splitlines()]
    assert index == [["region_1_1_2500", "2500"], ["region_1_5001_11000", "6000"], ["region_2_1_900", "900"]]


def test_tracks_are_of_long_sequences_and_small(written):
    regions = pl.DataFrame({"sequence": [0], "start": [5000], "end": [11_000]})
    regions = region_files.with_names(regions, SEQUENCES)
    n = 4000
    start = np.linspace(0, 11_500, n).astype(int)
    chunks = pl.DataFrame({"sequence": np.zeros(n, dtype=int), "start": start, "end": start + 500})
    chunks = chunks.with_columns(virus_score=pl.Series([None if i % 7 == 0 else 0.25 for i in range(n)]))
    tracks = region_files.Tracks(points=100)
    tracks.add(regions, chunks)
    (track,) = tracks.content()
    assert (track["id"], track["length"], track["regions"]) == ("contig_1", 12_000, [(5001, 11_000)])
    assert 90 <= len(track["scores"]) <= 100 and {y for _, y in track["scores"]} == {0.25}
    assert [x for x, _ in track["scores"]] == sorted(x for x, _ in track["scores"])
    short = region_files.with_names(pl.DataFrame({"sequence": [1], "start": [0], "end": [900]}), SEQUENCES)
    tracks.add(short, chunks)
    assert tracks.content() == [track]


def test_tracks_are_of_the_longest_regions_of_all_blocks():
    chunks = pl.DataFrame({"sequence": [0], "start": [0], "end": [500], "virus_score": [0.5]})
    lengths, tracks = [3000, 9000, 5000, 9000, 1000], region_files.Tracks(most=3)
    for number, length in enumerate(lengths):
        region = {"sequence": [number], "start": [0], "end": [length], "sequence_id": [f"s{number}"]}
        tracks.add(pl.DataFrame(region | {"sequence_length": [20_000]}), chunks)
    assert [track["id"] for track in tracks.content()] == ["s1", "s3", "s2"]


def test_without_a_region_the_files_are_there_and_empty(tmp_path):
    nothing = region_files.with_names(
        pl.DataFrame(
            schema={"sequence": pl.Int64, "start": pl.Int64, "end": pl.Int64, "virus_score": pl.Float64}
            | dict.fromkeys(("chunks", "chunks_scored", "chunks_virus"), pl.UInt32)
            | {"evidence": pl.String, "whole": pl.Boolean}
        ),
        SEQUENCES,
    )
    write(nothing, [tmp_path / "absent.fa"], tmp_path)
    texts = {end: (tmp_path / f"regions.{end}").read_text(encoding="utf-8") for end in ("tsv", "bed", "gff3")}
    assert len(texts["tsv"].splitlines()) == 1
    assert (texts["bed"], texts["gff3"]) == ("", "##gff-version 3\n")
    assert gzip.decompress((tmp_path / "regions.fasta.gz").read_bytes()) == b""
