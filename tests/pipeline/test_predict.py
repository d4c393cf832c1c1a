"""The bundled example with the demo model, end to end: what comes out, and that it adds up to the input."""

import gzip
import json
import re

import duckdb
import pandas as pd
import polars as pl
import pytest
from Bio import SeqIO

from virnucpro.evaluation.callers import read_answers

pytestmark = pytest.mark.nextflow

SAMPLES = ("ecoli", "lambda", "mixed")


@pytest.fixture(scope="module")
def example(nextflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    run = nextflow(
        folder,
        "-profile",
        "test",
        "--tasks_per_encoder",
        "2",
        "--save_embeddings",
        "true",
        "--embedding_store",
        "store",
    )
    assert run.code == 0, run.text
    return run


@pytest.fixture(scope="module")
def truth(root):
    """sample -> [(id, length)] of the example, read with Biopython."""
    records = {}
    with (root / "assets/example/samples.csv").open(encoding="utf-8") as sheet:
        for sample, fasta in (line.strip().split(",") for line in list(sheet)[1:]):
            with gzip.open(root / "assets/example" / fasta, "rt", encoding="utf-8") as text:
                records.setdefault(sample, []).extend((r.id, len(r)) for r in SeqIO.parse(text, "fasta"))
    return records


def table(run, sample, name):
    return pl.read_csv(run.results / sample / f"{name}.tsv", separator="\t", quote_char=None)


def test_says_what_was_found_and_where(example):
    assert "22 sequences:" in example.text
    assert f"Report:  {example.results}/multiqc_report.html" in example.text
    assert (example.results / "multiqc_report.html").stat().st_size > 10_000


def test_the_runs_tables_have_every_sample_and_virus(example):
    """Under ids of their own, which the FASTA file has as well; the Parquet twins have a type for each column."""
    parts = {sample: table(example, sample, "sequences") for sample in SAMPLES}
    viruses = table(example, ".", "viruses")
    expected = [
        (f"{sample}__{name}", sample, name)
        for sample, part in parts.items()
        for name in part.filter(pl.col("state") == "virus")["sequence_id"]
    ]
    assert viruses.select("virus_id", "sample", "sequence_id").rows() == expected
    with gzip.open(example.results / "viruses.fasta.gz", "rt", encoding="utf-8") as text:
        assert [(r.id, len(r)) for r in SeqIO.parse(text, "fasta")] == viruses.select("virus_id", "length").rows()
    twin = pl.read_parquet(example.results / "viruses.parquet")
    assert twin.columns == viruses.columns and twin["length"].to_list() == viruses["length"].to_list()
    sequences = pl.read_parquet(example.results / "sequences.parquet")
    assert sequences.height == sum(part.height for part in parts.values())
    for part in parts.values():
        numbers = {name for name, kind in part.schema.items() if kind.is_numeric()}
        assert {name for name in numbers if sequences.schema[name] == pl.String} == set()
    files = (example.results / "pipeline_info/files.txt").read_text(encoding="utf-8").split()
    assert {"viruses.tsv", "viruses.fasta.gz", "viruses.parquet", "sequences.parquet"} <= set(files)


def documented(root, page: str, text: str) -> list[str]:
    """Names in the first column of the first table that stands at or behind `text` on a page of docs/."""
    page = (root / "docs" / page).read_text(encoding="utf-8")
    assert text in page, text
    rows = page[page.index(text) :].split("|---|", 1)[1].split("\n\n")[0].splitlines()
    return [name for row in rows if row.startswith("| ") for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


@pytest.mark.parametrize(
    ("file", "page", "text"),
    [
        *((f"{sample}/sequences.tsv", "output.md", "### sequences.tsv") for sample in SAMPLES),
        *((f"{sample}/chunks.tsv", "output.md", "### chunks.tsv") for sample in SAMPLES),
        ("lambda/regions.tsv", "output.md", "| column of regions.tsv"),
        ("pipeline_info/embedding_tasks.tsv", "report.md", "`embedding_tasks.tsv`, one row"),
    ],
)
def test_columns_are_those_of_the_documents(example, root, file, page, text):
    header = (example.results / file).read_text(encoding="utf-8").split("\n")[0]
    assert header.split("\t") == documented(root, page, text)


def test_what_else_the_documents_name(example, root):
    """The files of pipeline_info, the fields of summary.json, and the columns that the text tells."""
    info = example.results / "pipeline_info"
    told = documented(root, "output.md", "below). In `pipeline_info/`")
    assert {path.name for path in info.iterdir()} == {*told, "files.txt"}
    summary = json.loads((info / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == set(documented(root, "report.md", "`summary.json`\n"))
    pages = {page: (root / "docs" / page).read_text(encoding="utf-8") for page in ("output.md", "report.md")}
    lists = [
        ("output.md", "lambda/prediction_results.txt"),
        ("output.md", "lambda/prediction_results_highestscore.csv"),
    ]
    for page, file in [*lists, ("report.md", "pipeline_info/failures.tsv")]:
        names = (example.results / file).read_text(encoding="utf-8").split("\n")[0].split("\t")
        assert [name for name in names if not re.search(rf"\b{name}\b", pages[page])] == [], file
    assert table(example, ".", "viruses").columns == [
        "virus_id",
        "sample",
        *documented(root, "output.md", "### sequences.tsv"),
    ]


def test_what_is_published_cannot_be_a_sample(example, root):
    """Whatever any workflow puts at the top of --outdir beside the samples is a name that samples.nf refuses."""
    text = (root / "workflows/support/samples.nf").read_text(encoding="utf-8")
    reserved = re.search(r"reservedNames\(\) \{\s+return \[([^\]]*)\]", text)
    names = sorted(path.name for path in example.results.iterdir())
    found = re.findall(r"'([^']+)'", reserved[1])
    of_other_runs = ["earlier_results", "evaluation", "verify"]
    assert sorted([*names, *of_other_runs]) == sorted([*SAMPLES, *found])


def test_every_sequence_is_there_in_order(example, truth):
    assert tuple(sorted(truth)) == SAMPLES
    for sample in SAMPLES:
        rows = table(example, sample, "sequences")
        assert list(zip(rows["sequence_id"], rows["length"], strict=True)) == truth[sample]
        assert rows["sequence_number"].to_list() == list(range(1, rows.height + 1))


def test_chunks_cover_each_sequence(example, truth):
    for sample in SAMPLES:
        chunks, sequences = table(example, sample, "chunks"), table(example, sample, "sequences")
        assert chunks.height == sequences["chunks"].sum()
        for (number,), part in chunks.group_by("sequence_number"):
            assert part["start"].min() == 1
            assert part["end"].max() == truth[sample][number - 1][1]
        by_state = dict(chunks["state"].value_counts().iter_rows())
        assert sum(by_state.values()) == chunks.height
        assert set(by_state) <= {"virus", "other", "no_open_frame"}


def test_example_is_mostly_right(example):
    """The demo classifier tells phage lambda from E. coli on most bases; single short pieces may be wrong."""
    for sample, state in (("lambda", "virus"), ("ecoli", "other")):
        assert set(table(example, sample, "sequences")["state"]) == {state}
    mixed = table(example, "mixed", "sequences")
    right = (mixed["file"] == "mixed_phage.fa.gz") == (mixed["state"] == "virus")
    assert mixed.filter(right)["length"].sum() >= 0.7 * mixed["length"].sum()


def test_sequence_score_is_the_weighted_mean_of_its_chunks(example):
    for sample in SAMPLES:
        chunks = table(example, sample, "chunks").filter(pl.col("virus_score").is_not_null())
        length = pl.col("end") - pl.col("start") + 1
        means = chunks.group_by("sequence_number").agg(
            ((pl.col("virus_score") * length).sum() / length.sum()).alias("mean")
        )
        both = table(example, sample, "sequences").join(means, on="sequence_number")
        assert ((both["virus_score"] - both["mean"]).abs() < 1e-5).all()


def test_viruses_fasta(example):
    for sample in SAMPLES:
        expected = table(example, sample, "sequences").filter(pl.col("state") == "virus")
        with gzip.open(example.results / sample / "viruses.fasta.gz", "rt", encoding="utf-8") as text:
            found = [(r.id, len(r), r.description) for r in SeqIO.parse(text, "fasta")]
        assert [f[:2] for f in found] == list(zip(expected["sequence_id"], expected["length"], strict=True))
        assert all("virus_score=0." in f[2] and "viral_regions=" in f[2] and "sequence_number=" in f[2] for f in found)


def test_regions_are_named_alike_in_every_format(example, truth):
    for sample in SAMPLES:
        regions = table(example, sample, "regions")
        lengths = [n for _, n in truth[sample]]
        assert all(
            1 <= a <= b <= lengths[s - 1] for s, a, b in regions.select("sequence_number", "start", "end").rows()
        )
        with gzip.open(example.results / sample / "regions.fasta.gz", "rt", encoding="utf-8") as text:
            found = [(r.id, len(r)) for r in SeqIO.parse(text, "fasta")]
        assert found == regions.select("region", "length").rows()
        bed = (example.results / sample / "regions.bed").read_text(encoding="utf-8").splitlines()
        assert [line.split("\t")[3] for line in bed] == regions["region"].to_list()
        gff = (example.results / sample / "regions.gff3").read_text(encoding="utf-8").splitlines()
        assert [line.split("ID=")[1].split(";")[0] for line in gff if line[0] != "#"] == regions["region"].to_list()
    assert table(example, "lambda", "regions").height


def test_compatible_files_agree_with_the_tables(example):
    for sample in SAMPLES:
        frames = pd.read_csv(example.results / sample / "prediction_results.txt", sep="\t")
        best = pd.read_csv(example.results / sample / "prediction_results_highestscore.csv", sep="\t")
        chunks = table(example, sample, "chunks")
        assert len(frames) == chunks["frames_scored"].sum()
        scored = chunks.filter(pl.col("frames_scored") > 0)
        viral = {f"{r['sequence_id']}_chunk_{r['chunk']}": r["state"] == "virus" for r in scored.iter_rows(named=True)}
        assert dict(zip(best["Modified_ID"], best["Is_Virus"], strict=True)) == viral


def test_evaluate_reads_them_at_every_level(example):
    """The tables as predict has written them, by the reader of --workflow evaluate."""
    for sample in SAMPLES:
        names = set(table(example, sample, "sequences")["sequence_id"])
        rows = {"sequences.tsv": len(names), "chunks.tsv": table(example, sample, "chunks").height}
        rows["prediction_results.txt"] = table(example, sample, "chunks")["frames_scored"].sum()
        levels = []
        for file, count in rows.items():
            form, answers = read_answers(example.results / sample / file)
            levels.append(form.level)
            assert answers.height == count and set(answers["id"]) <= names and answers["score"].is_not_null().any()
        assert levels == ["sequence", "chunk", "frame"]


def test_pipeline_info(example):
    info = example.results / "pipeline_info"
    names = (
        "execution_report.html",
        "execution_timeline.html",
        "execution_trace.tsv",
        "pipeline_dag.html",
        "params.json",
    )
    assert all((info / n).stat().st_size > 100 for n in names)
    summary = json.loads((info / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"]
    assert summary["sequences"]["total"] == 22
    versions = json.loads((info / "versions.json").read_text(encoding="utf-8"))
    assert {"EXTRACT_FRAMES", "EMBED_ESM2", "EMBED_DNABERT_S", "CLASSIFY", "REPORT", "Workflow"} <= set(versions)
    assert versions["EMBED_ESM2"]["torch"].startswith("2.")


def test_tasks_predicted_and_measured(example):
    plan = json.loads((example.results / "pipeline_info/task_plan.json").read_text(encoding="utf-8"))["encoders"]
    tasks = pl.read_csv(example.results / "pipeline_info/embedding_tasks.tsv", separator="\t")
    assert tasks["task"].to_list() == ["dnabert_s_001", "dnabert_s_002", "esm2_001", "esm2_002"]
    frames = {e: sum(b["frames"] for b in plan[e]["tasks"]) for e in plan}
    for (encoder,), part in tasks.group_by("encoder"):
        assert part["processed"].sum() == frames[encoder], "(processed, failed) reaches the report"
        assert part["failed"].sum() == 0
    esm2 = tasks.filter(pl.col("encoder") == "esm2")
    assert (esm2["predicted_tokens"] == esm2["tokens"]).all(), "ESM-2's tokens are known beforehand"


def test_saved_embeddings_are_read_in_one_line(example):
    """As docs/output.md shows it, with polars, pandas and duckdb."""
    folder = example.results / "lambda/embeddings"
    pattern = f"{folder}/*.esm2.parquet"
    frames = len((example.results / "lambda/prediction_results.txt").read_text(encoding="utf-8").splitlines()) - 1
    assert pl.read_parquet(pattern).height == frames
    assert len(pd.concat(map(pd.read_parquet, folder.glob("*.esm2.parquet")))) == frames
    assert duckdb.sql(f"select count(*) from '{pattern}'").fetchall() == [(frames,)]


def test_the_store_serves_another_run(nextflow, example):
    """Another sample sheet with the same sequences: nothing is embedded twice, and the scores are the same."""
    sheet = example.folder / "other.csv"
    fasta = example.results.parent / "copy.fa.gz"
    source = next(p for p in (example.folder / "work").glob("*/*/input1/lambda.fa.gz"))
    fasta.write_bytes(source.read_bytes())
    sheet.write_text(f"sample,fasta\nagain,{fasta}\n", encoding="utf-8")
    run = nextflow(
        example.folder, "-profile", "test", "--input", sheet, "--embedding_store", "store", "--outdir", "second"
    )
    assert run.code == 0, run.text
    tasks = pl.read_csv(example.folder / "second/pipeline_info/embedding_tasks.tsv", separator="\t")
    assert (tasks["reused"] == tasks["frames"]).all()
    assert (tasks["tokens"] == 0).all()
    ours = (example.folder / "second/again/chunks.tsv").read_text(encoding="utf-8")
    assert ours == (example.results / "lambda/chunks.tsv").read_text(encoding="utf-8")


def test_stretches_read_what_open_frames_leave(nextflow, example):
    """Open frames score as before, in VirNucPro's files alone, and hardly a chunk is left without a call."""
    out = example.folder / "longest"
    run = nextflow(example.folder, "-profile", "test", "--frames", "longest", "--outdir", out)
    assert run.code == 0, run.text
    for sample in SAMPLES:
        before = table(example, sample, "chunks")
        after = pl.read_csv(out / sample / "chunks.tsv", separator="\t", quote_char=None)
        is_open = before["state"] != "no_open_frame"
        assert after.filter(is_open)["state"].equals(before.filter(is_open)["state"])
        assert (after.filter(is_open)["virus_score"] - before.filter(is_open)["virus_score"]).abs().max() < 1e-5
        assert (after.filter(is_open)["evidence"] == "open_frames").all()
        stretches = after.filter(~is_open & (after["state"] != "no_open_frame"))
        assert (stretches["evidence"] == "stretches").all() and (stretches["stretch_residues"] >= 40).all()
        assert stretches.height > 0.9 * (~is_open).sum()
        mine, theirs = (
            pl.read_csv(f / sample / "prediction_results.txt", separator="\t") for f in (out, example.results)
        )
        assert mine.select("Sequence_ID", "Prediction").equals(theirs.select("Sequence_ID", "Prediction"))
        assert (mine["score2"] - theirs["score2"]).abs().max() < 1e-5  # batches differ, and with them the last digits
