"""The model in the box: what runs where none is named, and what it makes of the example."""

import gzip
import json

import polars as pl
import pytest
from Bio import SeqIO

pytestmark = pytest.mark.nextflow

HOST, PHAGE = ("ecoli",), ("lambda",)


@pytest.fixture(scope="module")
def run(nextflow, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compact")
    done = nextflow(folder, "--input", root / "assets/example/samples.csv")
    assert done.code == 0, done.text
    return done


def sequences(run, sample):
    return pl.read_csv(run.results / sample / "sequences.tsv", separator="\t")


def test_it_says_what_runs_and_what_else_there_is(run):
    assert "the bundle compact is used" in run.text and "docs/models.md" in run.text
    page = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    assert "compact_500" in page and "Compact" in page


def test_lambda_is_found_and_e_coli_is_left_alone(run):
    assert sequences(run, "lambda")["state"].to_list() == ["virus"]
    host = sequences(run, "ecoli").filter(pl.col("length") >= 1000)
    assert (host["state"] == "other").all(), host
    mixed = sequences(run, "mixed").filter(pl.col("length") >= 1000)
    is_phage = mixed["sequence_id"].str.starts_with("phage")
    right = (mixed["state"] == "virus") == is_phage
    assert right.mean() >= 0.8, mixed


def test_every_sequence_has_an_answer_a_probability_and_a_class(run):
    for sample in ("ecoli", "lambda", "mixed"):
        table = sequences(run, sample).filter(pl.col("length") >= 500)
        assert table["state"].is_in(["virus", "other"]).all()
        assert table["virus_probability"].is_between(0, 1).all() and table["q_value"].is_between(0, 1).all()
        viral = table["class"].is_in(["phage", "other_virus"])
        assert ((table["state"] == "virus") == viral).all()


def test_only_light_tasks_run(run):
    trace = pl.read_csv(run.results / "pipeline_info/execution_trace.tsv", separator="\t")
    names = trace["name"].str.extract(r"(\w+) \(")
    assert "EMBED_LIGHT" in names.to_list() and not names.str.contains("EMBED_(ESM2|DNABERT_S)").any()


def test_lambda_is_one_region(run):
    regions = pl.read_csv(run.results / "lambda/regions.tsv", separator="\t")
    assert regions.height == 1 and regions["length"][0] > 45_000
    assert pl.read_csv(run.results / "ecoli/regions.tsv", separator="\t").height <= 1


def test_two_classifiers_in_one_run(nextflow, root, tmp_path):
    """Of open frames alone compact_500 leaves short pieces without an answer; compact_300 has one for most."""
    with gzip.open(root / "assets/example/lambda.fa.gz", "rt", encoding="utf-8") as text:
        genome = str(next(SeqIO.parse(text, "fasta")).seq)
    pieces = [genome[i : i + 500] for i in range(0, 40_000, 500)]
    (tmp_path / "pieces.fa").write_text(
        "".join(f">p{i}\n{piece}\n" for i, piece in enumerate(pieces)), encoding="utf-8"
    )
    args = ["--input", "pieces.fa", "--frames", "open", "--classifier", "compact_500,compact_300"]
    run = nextflow(tmp_path, *args)
    assert run.code == 0, run.text
    summary = json.loads((run.results / "pipeline_info/summary.json").read_text(encoding="utf-8"))
    assert summary["complete"] and summary["classifiers"]["compact_500"] and summary["classifiers"]["compact_300"]
    (table,) = run.results.glob("*/sequences.tsv")
    calls = pl.read_csv(table, separator="\t")
    counts = dict(calls["classifier"].drop_nulls().value_counts().rows())
    assert counts == summary["classifiers"]
    page = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    assert "compact_300" in page


def test_a_first_look_spares_the_large_encoders(nextflow, root, tmp_path):
    """What compact holds for no virus is `other` by screening; all else is called as without it."""
    args = ["-profile", "test", "--input", root / "assets/example/ecoli.fa.gz"]
    whole = nextflow(tmp_path, *args, "--outdir", "whole")
    run = nextflow(tmp_path, *args, "--screen", "compact", "--screen_sensitivity", "0.95")
    assert whole.code == run.code == 0, run.text
    summary, plain = (
        json.loads((tmp_path / folder / "pipeline_info/summary.json").read_text(encoding="utf-8"))
        for folder in ("results", "whole")
    )
    screened, calls = (pl.read_csv(tmp_path / f / "ecoli/sequences.tsv", separator="\t") for f in ("results", "whole"))
    out = screened["evidence"] == "screened"
    assert 0 < out.sum() == summary["screened"] and summary["complete"]
    assert (screened.filter(out)["state"] == "other").all() and screened.filter(out)["reason"].str.contains(
        "compact"
    ).all()
    assert summary["frames"]["total"] < plain["frames"]["total"]
    same = ["sequence_id", "state", "virus_score", "chunks"]
    assert screened.filter(~out).select(same).equals(calls.filter(~out).select(same))
