"""Odd ids, equal ids and files of one name: what other programs make of the files of a run."""

import csv
import gzip
import re
import shutil
import subprocess

import pandas as pd
import polars as pl
import pyarrow.csv as arrow
import pytest
from Bio import SeqIO

from virnucpro.frames.fasta import read_fasta

pytestmark = pytest.mark.nextflow

# Headers as they occur, and the id that is expected of each in a sample of two such files (the second has as many).
HEADERS = [
    ("contig_1 first", "s1_contig_1"),
    ('odd"id said "so"', 's2_odd"id'),
    ("#ctg2", "s3_#ctg2"),
    ("track_7", "s4_track_7"),
    ("browser1 \x1b[31mred", "s5_browser1"),
    ("", "s6"),
    ("nul\x00id\ttabbed\ttext", "s7_nul_id"),
    ("next\x85line \u2028 separator", "s8_next"),
]
FILES = ["a/x/genome.fa", "b/x/genome.fa"]


def files_of(folder, bases):
    """Two files named genome.fa whose records have the same ids; each with one of its own."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True)
        headers = [*(header for header, _ in HEADERS), f"only_{name[0]}"]
        records = (f">{header}\n{bases[3000 * i : 3000 * i + 4500]}\n" for i, header in enumerate(headers))
        (folder / name).write_text("".join(records), encoding="utf-8")


@pytest.fixture(scope="module")
def run(nextflow, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ids")
    files_of(folder, next(read_fasta(root / "assets/example/lambda.fa.gz")).sequence.decode())
    (folder / "sheet.csv").write_text("sample,fasta\n" + "".join(f"s,{name}\n" for name in FILES), encoding="utf-8")
    done = nextflow(folder, "--input", "sheet.csv")
    assert done.code == 0, done.text
    for fasta in ("s/viruses", "s/regions", "viruses"):
        packed = (done.results / f"{fasta}.fasta.gz").read_bytes()
        (done.results / f"{fasta}.fasta").write_bytes(gzip.decompress(packed))
    return done


def expected_ids() -> list[str]:
    again = [re.sub(r"^s(\d+)", lambda m: f"s{int(m[1]) + len(HEADERS) + 1}", own) for _, own in HEADERS]
    return [*(own for _, own in HEADERS), "only_a", *again, "only_b"]


def test_each_sequence_has_an_id_that_leads_back(run):
    table = pl.read_csv(run.results / "s/sequences.tsv", separator="\t", quote_char='"')
    assert table["sequence_id"].to_list() == expected_ids()
    assert table["file"].to_list() == [name for name in FILES for _ in range(9)]
    assert table["record"].to_list() == [*range(1, 10), *range(1, 10)]
    original = table["original_id"].fill_null("").to_list()
    assert original[:8] == ["contig_1", 'odd"id', "#ctg2", "track_7", "browser1", "", "nul_id", "next"]
    assert table["description"].fill_null("").to_list()[:2] == ["first", 'said "so"']


TABLES = ["s/sequences.tsv", "s/chunks.tsv", "s/regions.tsv", "viruses.tsv"]
TABLES += ["s/prediction_results.txt", "s/prediction_results_highestscore.csv"]


@pytest.mark.parametrize("name", TABLES)
def test_all_readers_find_the_same(run, name):
    path = run.results / name
    with path.open(encoding="utf-8", newline="") as lines:
        head, *rows = csv.reader(lines, delimiter="\t")
    assert len(rows) > 5 and {len(row) for row in rows} == {len(head)}
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    assert list(frame.columns) == head and frame.to_numpy().tolist() == rows
    polars = pl.read_csv(path, separator="\t", infer_schema=False).fill_null("")
    assert [list(row) for row in polars.rows()] == rows
    table = arrow.read_csv(path, parse_options=arrow.ParseOptions(delimiter="\t"))
    assert (table.num_rows, table.column_names) == (len(rows), head)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")
def test_r_finds_the_same(run, name):
    code = 'x <- read.delim(commandArgs(TRUE), colClasses="character"); cat(nrow(x), ncol(x), x[nrow(x), 2])'
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    told = subprocess.run(["Rscript", "-e", code, run.results / name], capture_output=True, encoding="utf-8", env=env)
    table = pd.read_csv(run.results / name, sep="\t", dtype=str)
    assert told.stdout == f"{len(table)} {len(table.columns)} {table.iloc[-1, 1]}", told.stderr


def test_fasta_files_have_these_ids(run):
    viral = pl.read_csv(run.results / "s/sequences.tsv", separator="\t").filter(pl.col("state") == "virus")
    ids = viral["sequence_id"].to_list()
    assert len(ids) > 5
    assert [r.id for r in SeqIO.parse(run.results / "s/viruses.fasta", "fasta")] == ids
    assert [r.id for r in SeqIO.parse(run.results / "viruses.fasta", "fasta")] == [f"s__{name}" for name in ids]


def test_virnucpros_files_tell_equal_ids_apart(run):
    chunks = pl.read_csv(run.results / "s/prediction_results_highestscore.csv", separator="\t")["Modified_ID"]
    assert chunks.n_unique() == chunks.len()
    assert set(chunks.str.replace(r"_chunk_\d+$", "")) <= set(expected_ids())


@pytest.mark.skipif(not shutil.which("bedtools"), reason="bedtools is not installed")
@pytest.mark.parametrize("bed", ["regions", "viral_regions"])
def test_bedtools_cuts_every_region(run, bed):
    """Of sequences called virus: their FASTA has them whole."""
    path = run.results / f"s/{bed}.bed"
    viral = {r.id for r in SeqIO.parse(run.results / "s/viruses.fasta", "fasta")}
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.split("\t")[0] in viral]
    (run.folder / "viral.bed").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    command = ["bedtools", "getfasta", "-fi", run.results / "s/viruses.fasta", "-bed", run.folder / "viral.bed"]
    cut = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    assert cut.stdout.count(">") == len(rows) > 5 and "WARNING" not in cut.stderr


@pytest.mark.skipif(not shutil.which("samtools"), reason="samtools is not installed")
@pytest.mark.parametrize("fasta", ["s/viruses", "s/regions", "viruses"])
def test_samtools_finds_every_sequence(run, fasta):
    path = run.results / f"{fasta}.fasta"
    ids = [r.id for r in SeqIO.parse(path, "fasta")]
    cut = subprocess.run(["samtools", "faidx", path, *ids], check=True, capture_output=True, encoding="utf-8")
    assert [line[1:] for line in cut.stdout.splitlines() if line[0] == ">"] == ids and not cut.stderr


@pytest.mark.skipif(not shutil.which("seqkit"), reason="seqkit is not installed")
def test_seqkit_counts_them(run):
    path = run.results / "viruses.fasta.gz"
    told = subprocess.run(
        ["seqkit", "seq", "--name", "--only-id", path], check=True, capture_output=True, encoding="utf-8"
    )
    assert told.stdout.split() == [r.id for r in SeqIO.parse(run.results / "viruses.fasta", "fasta")]


def test_samples_of_a_glob_are_named_after_folders(nextflow, run):
    """bins/*/genome.fa: what tells the files apart is a folder."""
    done = nextflow(run.folder, "-profile", "test", "-stub", "--input", "*/x/genome.fa", "--outdir", "by_folder")
    assert done.code == 0, done.text
    assert sorted(p.parent.name for p in (run.folder / "by_folder").glob("*/sequences.tsv")) == ["a", "b"]


def test_a_file_that_changes_while_the_run_is_on(nextflow, run, tmp_path):
    """Equal records in another order: what was found about one must not be told of another."""
    text = (run.folder / FILES[0]).read_text(encoding="utf-8")
    (tmp_path / "in.fa").write_text(text, encoding="utf-8")
    first, *others = text.split("\n>")
    swapped = "\n>".join([others[0].removeprefix(">"), first.removeprefix(">"), *others[1:]])
    (tmp_path / "swapped.fa").write_text(f">{swapped}", encoding="utf-8")
    # The embedding task swaps the file before it ends.
    (tmp_path / "swap.config").write_text(
        f"process {{ withName: EMBED_LIGHT {{ afterScript = 'cp {tmp_path}/swapped.fa {tmp_path}/in.fa' }} }}\n",
        encoding="utf-8",
    )
    done = nextflow(tmp_path, "--input", "in.fa", "-c", "swap.config")
    assert done.code == 1, done.text
    reason = "in.fa: record 1, 'odd\"id', is not what was read before"
    assert reason in done.text, done.text
    assert reason in (done.results / "pipeline_info/failures.tsv").read_text(encoding="utf-8").replace('""', '"')
    assert not (done.results / "in/viruses.fasta.gz").exists()
