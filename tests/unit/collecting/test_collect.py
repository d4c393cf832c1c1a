"""The tables and the FASTA file of all samples, read with pandas, polars, pyarrow and Biopython."""

import gzip
import json
import subprocess
import sys
from itertools import product

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from Bio import SeqIO
from hypothesis import given
from hypothesis import strategies as st

from virnucpro.collecting import tables
from virnucpro.collecting.names import joint_of

COLUMNS = ("sequence_number", "sequence_id", "length", "state", "virus_score", "genetic_code", "reason", "description")


def write_sample(folder, name, rows, **texts):
    """A sample's two files; rows: (id, state, virus_score, description)."""
    folder = folder / name
    folder.mkdir()
    lines = ["\t".join(COLUMNS)]
    fasta = []
    for number, (ident, state, score, description) in enumerate(rows, 1):
        bases = "ACGT" * number * 30
        code = 1 if score else ""
        quoted = '"' + description.replace('"', '""') + '"' if '"' in description else description
        lines.append(f"{number}\t{ident}\t{len(bases)}\t{state}\t{score}\t{code}\t\t{quoted}")
        if state == "virus":
            wrapped = "\n".join(bases[i : i + 80] for i in range(0, len(bases), 80))
            fasta.append(
                f">{ident} virus_score={score} sequence_number={number} {description}".rstrip() + f"\n{wrapped}\n"
            )
    (folder / "sequences.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "viruses.fasta.gz").write_bytes(gzip.compress("".join(fasta).encode()))
    for file, text in texts.items():
        (folder / f"{file}.tsv").write_text(text, encoding="utf-8")


def collect(root, folder, *samples):
    given = [{"sample": s, "sequences": f"{s}/sequences.tsv", "viruses": f"{s}/viruses.fasta.gz"} for s in samples]
    (folder / "samples.json").write_text(json.dumps(given), encoding="utf-8")
    command = [sys.executable, root / "bin/collect.py", "--samples", "samples.json", "--out", "out"]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")


@pytest.fixture
def run(root, tmp_path):
    write_sample(
        tmp_path,
        "gut",
        [
            ("contig_1", "virus", "0.912345", 'of "the" gut'),
            ("contig_2", "other", "0.1", ""),
            ("c3", "virus", "0.5", "é β"),
        ],
    )
    write_sample(tmp_path, "lake", [("contig_1", "virus", "0.75", ""), ("bad", "failed", "", "")])
    write_sample(tmp_path, "none", [("contig_1", "other", "0.2", "")])
    done = collect(root, tmp_path, "gut", "lake", "none")
    assert done.returncode == 0, done.stderr
    return tmp_path


IDS = ["gut__contig_1", "gut__c3", "lake__contig_1"]


def test_every_virus_of_every_sample_is_there_once_under_an_id_of_its_own(run):
    table = pd.read_csv(run / "out/viruses.tsv", sep="\t")
    assert table["virus_id"].tolist() == IDS
    assert table["sample"].tolist() == ["gut", "gut", "lake"]
    assert table["sequence_id"].tolist() == ["contig_1", "c3", "contig_1"]
    assert table["virus_score"].tolist() == [0.912345, 0.5, 0.75]
    assert table["description"].fillna("").tolist() == ['of "the" gut', "é β", ""]
    with gzip.open(run / "out/viruses.fasta.gz", "rt", encoding="utf-8") as text:
        records = list(SeqIO.parse(text, "fasta"))
    assert [r.id for r in records] == IDS
    assert [len(r) for r in records] == table["length"].tolist()
    assert records[0].description == 'gut__contig_1 sample=gut virus_score=0.912345 sequence_number=1 of "the" gut'
    assert all(set(str(r.seq)) == set("ACGT") for r in records)
    found = json.loads((run / "out/run.collected.json").read_text(encoding="utf-8"))
    assert found == {"format": 1, "samples": 3, "sequences": 6, "viruses": 3}


def test_the_parquet_twins_say_the_same_with_types(run):
    viruses = pl.read_parquet(run / "out/viruses.parquet")
    assert viruses.columns == ["virus_id", "sample", *COLUMNS]
    assert viruses.equals(pl.read_csv(run / "out/viruses.tsv", separator="\t", schema=viruses.schema))
    sequences = pl.read_parquet(run / "out/sequences.parquet")
    assert sequences["sample"].to_list() == ["gut"] * 3 + ["lake"] * 2 + ["none"]
    assert sequences["state"].to_list() == ["virus", "other", "virus", "virus", "failed", "other"]
    assert sequences["virus_score"].to_list() == [0.912345, 0.1, 0.5, 0.75, None, 0.2]
    assert sequences.schema["virus_score"] == pl.Float64 and sequences.schema["length"] == pl.Int64
    assert sequences.schema["genetic_code"] == pl.Int32 and sequences.schema["reason"] == pl.String
    assert sequences["reason"].null_count() == 6 and sequences["description"][1] is None


def test_equal_results_are_equal_bytes(run, root):
    before = {p.name: p.read_bytes() for p in (run / "out").iterdir()}
    assert collect(root, run, "gut", "lake", "none").returncode == 0
    assert {p.name: p.read_bytes() for p in (run / "out").iterdir()} == before


def test_many_small_samples_are_few_row_groups(root, tmp_path, monkeypatch):
    write_sample(tmp_path, "a", [(f"c{i}", "other", "0.25", "") for i in range(7)])
    monkeypatch.setattr(tables, "ROWS", 20)
    with tables.ParquetTable(tmp_path / "t.parquet", ["sample"], list(COLUMNS)) as table:
        for i in range(9):
            table.add(tmp_path / "a/sequences.tsv", sample=f"s{i}")
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (63, 3)
    assert pl.read_parquet(tmp_path / "t.parquet")["sample"].to_list() == [f"s{i}" for i in range(9) for _ in range(7)]


def test_files_that_do_not_belong_together_are_refused(root, tmp_path):
    write_sample(tmp_path, "a", [("c1", "virus", "0.9", ""), ("c2", "virus", "0.9", "")])
    write_sample(tmp_path, "b", [("c1", "virus", "0.9", "")])
    (tmp_path / "b/viruses.fasta.gz").write_bytes((tmp_path / "a/viruses.fasta.gz").read_bytes())
    done = collect(root, tmp_path, "b")
    assert done.returncode == 65 and "sample b: viruses.fasta.gz has c2, sequences.tsv None" in done.stderr
    (tmp_path / "a/viruses.fasta.gz").write_bytes(gzip.compress(b">c1 x\nACGT\n"))
    done = collect(root, tmp_path, "a")
    assert done.returncode == 65 and "sample a: viruses.fasta.gz ends before c2 of sequences.tsv" in done.stderr
    (tmp_path / "b/sequences.tsv").write_text("sequence_id\tstate\n", encoding="utf-8")
    done = collect(root, tmp_path, "a", "b")
    assert done.returncode == 65 and "the samples a and b have different columns" in done.stderr


NAMES = st.from_regex(r"[ab][ab_]{0,5}", fullmatch=True)


@given(
    st.lists(NAMES, min_size=2, max_size=4, unique=True), st.lists(st.text("ab_@", min_size=1, max_size=6), unique=True)
)
def test_no_two_samples_share_an_id(samples, ids):
    """Names of samples hold no @ (workflows/support/samples.nf); ids may hold anything."""
    joint = joint_of(samples)
    assert len({f"{s}{joint}{i}" for s, i in product(samples, ids)}) == len(samples) * len(ids)


def test_the_joint_is_one_that_every_program_takes_where_it_can_be():
    assert joint_of(["gut_1", "gut_2", "gut"]) == "__"
    assert joint_of(["gut", "gut__2"]) == joint_of(["gut", "gut_"]) == "@"
