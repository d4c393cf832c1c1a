"""--workflow evaluate: tables of ten kinds against a truth table, and a folder of our own results."""

import json

import polars as pl
import pytest
from caller_tables import WRITERS, write_parts, write_tables, write_truth

pytestmark = pytest.mark.nextflow
EVALUATE = ("--workflow", "evaluate", "--input", "callers.csv", "--truth", "truth.tsv")


@pytest.fixture(scope="module")
def run(nextflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    tables = write_tables(folder)
    write_truth(folder / "truth.tsv")
    ours = folder / "ours" / "gut"
    ours.mkdir(parents=True)
    tables["nf-virnucpro"].rename(ours / "sequences.tsv")
    write_parts(ours)
    rows = [
        f"{name.replace(',', '')},{'ours' if name == 'nf-virnucpro' else path.name}" for name, path in tables.items()
    ]
    (folder / "callers.csv").write_text("\n".join(["caller,table", *rows]) + "\n", encoding="utf-8")
    done = nextflow(folder, *EVALUATE)
    assert done.code == 0, done.text
    return done


def test_all_callers_stand_in_one_table(run):
    figures = pl.read_csv(run.results / "evaluation/figures.tsv", separator="\t", infer_schema_length=None)
    whole = figures.filter((pl.col("part") == "all") & (pl.col("level") == "sequence"))
    assert whole["caller"].to_list() == [name.replace(",", "") for name in WRITERS]
    assert (whole["viruses"] == 40).all() and (whole["auroc_low"] <= whole["auroc"]).all()
    scores = pl.read_csv(run.results / "evaluation/scores.tsv", separator="\t", infer_schema_length=None)
    assert scores.height == 80 and set(whole["caller"]) < set(scores.columns)
    found = json.loads((run.results / "pipeline_info/evaluation.json").read_text(encoding="utf-8"))
    assert found["formats"] == {name.replace(",", ""): name for name in WRITERS}


def test_a_folder_of_predict_is_judged_by_chunk_and_by_frame_as_well(run):
    figures = pl.read_csv(run.results / "evaluation/figures.tsv", separator="\t", infer_schema_length=None)
    parts = figures.filter((pl.col("level") != "sequence") & (pl.col("part") == "all"))
    assert parts.select("caller", "level", "viruses").rows() == [
        ("nf-virnucpro", "chunk", 120),
        ("nf-virnucpro", "frame", 120),
    ]
    page = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    assert "Chunks" in page and "Frames" in page


def test_the_page_shows_them(run):
    page = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    for words in ("compared with nf-virnucpro", "ROC", "Reliability", "Score by length", "Sequences by kind"):
        assert words in page, words
    assert "VirSorter2" in run.text and "nf-virnucpro" in run.text


def test_a_sheet_that_cannot_be_used(nextflow, tmp_path):
    (tmp_path / "callers.csv").write_text("caller,table\n,absent.tsv\nmine,.\n", encoding="utf-8")
    (tmp_path / "truth.tsv").write_text("sequence_id\tlabel\na\tvirus\nb\tother\n", encoding="utf-8")
    done = nextflow(tmp_path, *EVALUATE)
    assert done.code != 0 and "Submitted process" not in done.text
    assert "there is no such table: absent.tsv" in done.text and "without results of predict" in done.text
