"""What fails, fails alone: the rest is delivered, the report says what is missing, the exit status tells."""

import gzip
import json

import polars as pl
import pytest

pytestmark = pytest.mark.nextflow

ORF = "ATGGCTAGCAAAGGTAAACGTATTGCAGAACTGAAAGAAGCGATTGAAAAACGTGCAGAACTGGCAGAAGCGATTAAAAAAGCGGCG" * 3

# A task that fails at every try, picked by its name; the others run as ever.
FAIL_A_BIN = """
profiles { test { } } // 25.04's strict parser looks for the profile in the last file it reads
process {
    maxRetries = 1
    withLabel: process_gpu {
        beforeScript = 'if grep -q -- "--task %s" .command.sh; then echo "node on fire" >&2; exit 9; fi'
    }
}
"""


def write(folder, name, records):
    path = folder / name
    path.write_text("".join(f">{i} about {i}\n{s}\n" for i, s in records), encoding="utf-8")
    return path


@pytest.fixture
def sheet(tmp_path):
    """Two good samples and three bad ones."""
    write(tmp_path, "good.fa", [("g1", ORF), ("g1", ORF[1:]), ("<script>alert(1)</script>", ORF), ("é|/$(x)", ORF)])
    write(tmp_path, "other.fa", [("o1", ORF), ("empty", ""), ("protein", "MKLEFQPI" * 9)])
    (tmp_path / "cut.fa.gz").write_bytes(gzip.compress(f">c1\n{ORF}\n".encode() * 5000)[:-50])
    (tmp_path / "empty.fa").write_text("", encoding="utf-8")
    (tmp_path / "reads.fa").write_text("@r1\nACGT\n+\nIIII\n", encoding="utf-8")
    rows = ["good,good.fa", "other,other.fa", "cut,cut.fa.gz", "empty,empty.fa", "reads,reads.fa"]
    (tmp_path / "s.csv").write_text("sample,fasta\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_bad_samples_and_records_fail_alone(nextflow, sheet):
    run = nextflow(sheet, "-profile", "test", "--input", "s.csv")
    assert run.code != 0
    for line in (
        "sample cut: failed: cut.fa.gz: the gzip stream is truncated or damaged",
        "sample empty: failed: empty.fa: the file is empty",
        "sample reads: failed: reads.fa: not a FASTA file: it looks like FASTQ",
        "sample other: partial: 2 of 3 sequences failed",
    ):
        assert line in run.text, line
    good = pl.read_csv(run.results / "good/sequences.tsv", separator="\t", quote_char=None)
    assert good["sequence_id"].to_list() == ["s1_g1", "s2_g1", "<script>alert(1)</script>", "é|/$(x)"]
    assert set(good["state"]) <= {"virus", "other"}
    other = pl.read_csv(run.results / "other/sequences.tsv", separator="\t", quote_char=None)
    assert other["state"].to_list()[1:] == ["failed", "failed"]
    assert "looks like a protein" in other["reason"][2]
    report = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)</script>" not in report
    # The same with leave to be incomplete; nothing but the last task runs or is left out anew.
    again = nextflow(sheet, "-profile", "test", "--input", "s.csv", "--allow_partial", "true", "-resume")
    assert again.code == 0
    assert "NOT COMPLETE" in again.text
    assert [s.split(" ")[0] for s in again.submitted()] == ["REPORT"], "its parameters are part of the report"


def test_a_task_that_always_fails(nextflow, tmp_path):
    """Its sequences are failed, every other result is that of an undisturbed run, and the status is not 0."""
    rows = []
    for sample in ("a", "b"):
        write(tmp_path, f"{sample}.fa", [(f"{sample}{i}", ORF[i:]) for i in range(90)])
        rows.append(f"{sample},{sample}.fa")
    (tmp_path / "s.csv").write_text("sample,fasta\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "fail.config").write_text(FAIL_A_BIN % "esm2_002", encoding="utf-8")
    args = ("-profile", "test", "--input", "s.csv", "--tasks_per_encoder", "2")
    run = nextflow(tmp_path, *args, "-c", "fail.config")
    assert run.code != 0
    assert "task esm2_002" in run.text, run.text
    summary = json.loads((run.results / "pipeline_info/summary.json").read_text(encoding="utf-8"))
    assert not summary["complete"]
    assert summary["missing_tasks"] == ["esm2_002"]
    why = "EMBED_ESM2 failed at try 2 with exit status 9: node on fire"
    assert any(why in problem for problem in summary["problems"])
    assert why in run.text and why in (run.results / "pipeline_info/failures.tsv").read_text(encoding="utf-8")
    whole = nextflow(tmp_path, *args, "--outdir", "whole", "-resume")
    assert whole.code == 0, whole.text
    assert [name for name in whole.submitted() if name.startswith("EMBED")] == ["EMBED_ESM2 (esm2_002)"]
    plan = json.loads((run.results / "pipeline_info/task_plan.json").read_text(encoding="utf-8"))
    lost = plan["encoders"]["esm2"]["tasks"][1]
    failed = 0
    for sample in ("a", "b"):
        ours, theirs = (
            pl.read_csv(tmp_path / o / sample / "chunks.tsv", separator="\t", infer_schema=False)
            for o in ("results", "whole")
        )
        keys = ["sequence_number", "chunk"]
        assert ours.select(keys).equals(theirs.select(keys))
        mine = ours["state"] == "failed"
        failed += ours.filter(mine)["open_frames"].str.split(",").list.len().sum()
        assert all("esm2 task failed" in r for r in ours.filter(mine)["reason"])
        assert ours.filter(~mine).equals(theirs.filter(~mine))
    assert failed == lost["frames"] > 0


def test_an_input_where_nothing_is_open(nextflow, tmp_path):
    """Valid, empty results, and the run says so."""
    write(tmp_path, "closed.fa", [("c1", "TAATTAACTAACTAGTTAGTCAA" * 30)])
    run = nextflow(tmp_path, "-profile", "test", "--input", "closed.fa")
    assert run.code == 0, run.text
    assert "1 sequences: 1 no_open_frame" in run.text
    assert not [task for task in run.submitted() if task.startswith("EMBED_")]
    assert pl.read_csv(run.results / "closed/chunks.tsv", separator="\t")["state"].unique().to_list() == [
        "no_open_frame"
    ]
    assert (run.results / "multiqc_report.html").exists()
