"""Small samples share tasks: the same results as alone, and one takes no other along."""

import json

import polars as pl
import pytest
from pipeline_samples import snapshot, write_two_samples

pytestmark = pytest.mark.nextflow

# Every task that has the sample `host` among its own fails, as one with damaged data does.
FAILS_WITH_HOST = """
process {
    withName: '%s' {
        beforeScript = 'if grep -q -- "--sample .host." .command.sh; then echo "error: damaged" >&2; exit 65; fi'
    }
}
"""


def tasks(run) -> list[str]:
    """Processes and tags of the tasks that succeeded in this run, sorted."""
    table = pl.read_csv(run.results / "pipeline_info/execution_trace.tsv", separator="\t", infer_schema=False)
    return sorted(name.rsplit(":", 1)[-1] for name in table.filter(pl.col("status") == "COMPLETED")["name"])


def problems(run) -> list[str]:
    return json.loads((run.results / "pipeline_info/summary.json").read_text(encoding="utf-8"))["problems"]


@pytest.mark.parametrize("more", [[], ["--screen", "compact"]], ids=["plain", "screened"])
def test_results_are_those_of_samples_alone(nextflow, two_samples, more):
    """To the byte; one cannot be read, one has two files, one another genetic code and so a batch of its own."""
    (two_samples / "bad.fa").write_text("no fasta", encoding="utf-8")
    rows = ["bad,bad.fa,", "both,host.fa,", "coded,phage.fa,4", "host,host.fa,", "both,phage.fa,", "phage,phage.fa,"]
    (two_samples / "s.csv").write_text("sample,fasta,genetic_code\n" + "\n".join(rows) + "\n", encoding="utf-8")
    args = ["--input", "s.csv", *more]
    alone = nextflow(two_samples, *args, "--samples_per_task", "1", "--outdir", "alone", "-work-dir", "work_alone")
    run = nextflow(two_samples, *args)
    assert run.code == alone.code == 1, run.text
    assert snapshot(run.results) == snapshot(two_samples / "alone")
    assert [line for line in problems(run) if line.startswith("sample bad: failed: bad.fa: not a FASTA file")]
    failures = [f / "pipeline_info/failures.tsv" for f in (run.results, two_samples / "alone")]
    assert failures[0].read_bytes() == failures[1].read_bytes() and b"bad.fa" in failures[0].read_bytes()
    of_samples = [name for name in tasks(run) if name.startswith(("EXTRACT", "SCREEN", "CLASSIFY"))]
    processes = ["CLASSIFY", "EXTRACT_FRAMES", *(["SCREEN"] if more else [])]
    assert of_samples == [f"{process} ({tag})" for process in processes for tag in ("bad and 3 more", "coded")]


@pytest.fixture(scope="module")
def whole(nextflow, tmp_path_factory):
    """The results of a run of the two samples with compact."""
    run = nextflow(write_two_samples(tmp_path_factory.mktemp("whole")), "--input", "s.csv")
    assert run.code == 0, run.text
    return snapshot(run.results)


@pytest.mark.parametrize("process", ["EXTRACT_FRAMES", "CLASSIFY"])
def test_a_sample_fails_alone(nextflow, two_samples, whole, process):
    """The batch's task fails: the other sample is delivered, this one's words are told; -resume mends it."""
    (two_samples / "fail.config").write_text(FAILS_WITH_HOST % f"{process}.*", encoding="utf-8")
    run = nextflow(two_samples, "--input", "s.csv", "-c", "fail.config")
    assert run.code == 1, run.text
    delivered = {name: data for name, data in snapshot(run.results).items() if name.startswith(("phage/", "host/"))}
    assert delivered == {name: data for name, data in whole.items() if name.startswith("phage/")}
    (problem,) = problems(run)
    assert problem.startswith(f"sample host: no result: {process}_ALONE failed at try 1 with exit status 65: damaged")
    assert f"{process}_ALONE (phage)" in tasks(run)
    mended = nextflow(two_samples, "--input", "s.csv", "-resume")
    assert mended.code == 0, mended.text
    assert snapshot(mended.results) == whole


SBATCH = """#!/usr/bin/env bash
# A scheduler that runs every job at once, and the tasks of an array one after another.
script="${@: -1}"
tasks=$(sed -n 's/^#SBATCH --array 0-//p' "$script")
(for i in $(seq 0 "${tasks:-0}"); do SLURM_ARRAY_TASK_ID=$i bash "$script"; done) > /dev/null 2>&1 &
echo "Submitted batch job $RANDOM"
"""


def test_tasks_of_samples_go_as_job_arrays(nextflow, two_samples):
    for name, script in (("sbatch", SBATCH), ("squeue", "#!/bin/sh\n")):
        path = two_samples / "slurm" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
    path = {"PATH": f"{two_samples / 'slurm'}:{nextflow.environment['PATH']}"}
    args = ["-profile", "test,slurm", "-stub", "--input", "s.csv", "--samples_per_task", "1"]
    run = nextflow(two_samples, *args, env=path, timeout=300)
    assert run.code == 0, run.text
    scripts = [p.read_text(encoding="utf-8") for p in (two_samples / "work").glob("*/*/.command.run")]
    arrays = [text for text in scripts if "#SBATCH --array 0-1" in text]
    assert len(arrays) == 2, "of EXTRACT_FRAMES and of CLASSIFY"
    assert [name for name in tasks(run) if name.startswith(("EXTRACT", "CLASSIFY"))] == [
        f"{process} ({sample})" for process in ("CLASSIFY", "EXTRACT_FRAMES") for sample in ("host", "phage")
    ]
