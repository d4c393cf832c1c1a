"""What lies in --outdir is of the last run: what an earlier one left is moved aside, a user's own files stay."""

import json

import polars as pl
import pytest
from pipeline_samples import snapshot

pytestmark = pytest.mark.nextflow


def test_another_run_into_the_same_folder(nextflow, two_samples):
    """Other input and other shards; then the first run once more, all of it from the cache."""
    first = ["-profile", "test", "--save_embeddings", "true", "--input", "s.csv", "--shard_size", "10"]
    run = nextflow(two_samples, *first)
    assert run.code == 0, run.text
    before = snapshot(run.results)
    assert "earlier" not in run.text
    (run.results / "host/notes.txt").write_text("mine", encoding="utf-8")
    (run.results / "phage/embeddings/other.parquet").write_text("mine", encoding="utf-8")

    other = nextflow(two_samples, *first[:-3], "phage.fa", "-resume")  # -resume: of one session, as is the third
    assert other.code == 0, other.text
    assert (
        "files of an earlier run that this one did not make were moved to results/earlier_results/until_" in other.text
    )
    (aside,) = (run.results / "earlier_results").iterdir()
    host = {name for name in before if name.startswith("host/")}
    assert {f"host/{p.relative_to(aside / 'host')}" for p in (aside / "host").rglob("*") if p.is_file()} == host
    assert all((aside / name).read_bytes() == before[name] for name in host)
    assert [p.name for p in (run.results / "host").iterdir()] == ["notes.txt"]
    assert (run.results / "phage/embeddings/other.parquet").read_text(encoding="utf-8") == "mine"
    frames = len((run.results / "phage/prediction_results.txt").read_text(encoding="utf-8").splitlines()) - 1
    assert pl.read_parquet(f"{run.results}/phage/embeddings/phage.*.esm2.parquet").height == frames > 10

    again = nextflow(two_samples, *first, "-resume")
    assert again.code == 0, again.text
    assert again.submitted() == []
    mine = {"host/notes.txt": b"mine", "phage/embeddings/other.parquet": b"mine"}
    now = {name: data for name, data in snapshot(again.results).items() if not name.startswith("earlier_results/")}
    assert now == before | mine
    assert json.loads((again.results / "pipeline_info/summary.json").read_text(encoding="utf-8"))["complete"]


SBATCH = """#!/usr/bin/env bash
# A scheduler that runs every job at once, and refuses those that ask for a GPU.
script="${@: -1}"
if grep -q gres=gpu "$script"; then
    echo 'sbatch: error: Batch job submission failed: Requested time limit is invalid' >&2
    exit 1
fi
bash "$script" > /dev/null 2>&1 &
echo "Submitted batch job $RANDOM"
"""


@pytest.mark.parametrize("array_size", ["0", "100"])
def test_a_job_that_the_scheduler_refuses(nextflow, two_samples, array_size, monkeypatch):
    """The run ends, says why on the console and in its reports, and the reports of the run before are gone."""
    for name, script in (("sbatch", SBATCH), ("squeue", "#!/bin/sh\n")):
        path = two_samples / "slurm" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
    info = two_samples / "results/pipeline_info"
    info.mkdir(parents=True)
    (info / "summary.json").write_text('{"complete": true}', encoding="utf-8")
    args = ["-profile", "test,slurm", "-stub", "--use_gpu", "auto", "--input", "s.csv", "--gpus", "2"]
    path = {"PATH": f"{two_samples / 'slurm'}:{nextflow.environment['PATH']}"}
    run = nextflow(two_samples, *args, "--tasks_per_encoder", "2", "--array_size", array_size, env=path, timeout=300)
    assert run.code == 1, run.text
    words = "Requested time limit is invalid"
    assert words in run.text
    summary = json.loads((info / "summary.json").read_text(encoding="utf-8"))
    assert not summary["complete"]
    (problem,) = summary["problems"]
    assert problem.startswith("the run ended before it was complete: ") and words in problem
    assert words in (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    tasks = pl.read_csv(info / "execution_trace.tsv", separator="\t", infer_schema=False)
    done = tasks.filter(pl.col("status") == "COMPLETED")["name"].to_list()
    assert sum("EXTRACT_FRAMES" in name for name in done) == 1
