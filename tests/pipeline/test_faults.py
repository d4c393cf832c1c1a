"""Faults on the way: tasks that are killed, run out of time, memory, disk or GPU; files that are cut or vanish.

Each fault is injected by a shim that stands before the real script on PATH and acts on a given attempt. What counts in
the end: the bytes of an undisturbed run, or a result that says what is missing.
"""

import json
import shutil
import subprocess

import polars as pl
import pytest
from pipeline_samples import snapshot

pytestmark = pytest.mark.nextflow

# Without resourceLimits of the test profile for memory, so that a retry may ask for more.
CONFIG = """
profiles {{ test {{ }} }} // 25.04's strict parser looks for the profile in the last file it reads
process {{
    resourceLimits = [cpus: 1, memory: 8.GB]
    beforeScript = {{ "export ATTEMPT=${{task.attempt}} PATH='{shims}':\\$PATH" }}
    {more}
}}
"""

SHIM = """#!/usr/bin/env bash
real='{root}/bin/{script}'
case "$ATTEMPT $*" in
{cases}
esac
exec "$real" "$@"
"""

KILLED = '"$real" "$@" & sleep 0.05; kill -KILL $!; wait $!; exit $?'
# A file that grows beyond 1 KiB cannot be written any more, as on a disk that is full.
DISK_FULL = "ulimit -f 1"
NO_BYTE_LEFT = "ulimit -f 0"
# The embedding script, with something else in the place of its first batch.
IN_A_BATCH = """PYTHONPATH='{root}/bin' exec python3 -c '
import os, signal, time
from virnucpro.embedding import cli, embedder
from virnucpro.errors import run_main
def compute(*_):
    {what}
embedder.Embedder._compute = compute
run_main(cli.main)
' "$@" """
TERMINATED = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
CUDA_FAULT = 'raise RuntimeError("CUDA error: an illegal memory access was encountered")'


@pytest.fixture
def faults(tmp_path, root):
    """A function that sets up shims, {script: {attempt: bash}}, and gives the arguments that put them to work.

    An attempt may be followed by words of the command line: "1 --kind esm2".
    """

    def setup(cases: dict[str, dict[int | str, str]], more: str = "") -> list[str]:
        shims = tmp_path / "shims"
        shutil.rmtree(shims, ignore_errors=True)
        shims.mkdir()
        for script, attempts in cases.items():
            lines = "\n".join(f"{_pattern(n)}) {what.replace('{root}', str(root))} ;;" for n, what in attempts.items())
            (shims / script).write_text(SHIM.format(root=root, script=script, cases=lines), encoding="utf-8")
            (shims / script).chmod(0o755)
        (tmp_path / "faults.config").write_text(CONFIG.format(shims=shims, more=more), encoding="utf-8")
        return ["-c", "faults.config"]

    return setup


ARGUMENTS = ["-profile", "test", "--input", "s.csv", "--tasks_per_encoder", "2"]


def in_a_batch(what: str) -> str:
    return IN_A_BATCH.replace("{what}", what)


def _pattern(attempt: int | str) -> str:
    """bash's pattern of `<attempt> <command line>`: {1: "1\\ *", "1 --kind esm2": "1\\ *--kind\\ esm2*"}."""
    number, _, words = str(attempt).partition(" ")
    return f"{number}\\ *" + (words.replace(" ", "\\ ") + "*" if words else "")


def trace(run) -> pl.DataFrame:
    return pl.read_csv(run.results / "pipeline_info/execution_trace.tsv", separator="\t", infer_schema=False)


def summary(run) -> dict:
    return json.loads((run.results / "pipeline_info/summary.json").read_text(encoding="utf-8"))


def test_tasks_that_fail_twice_in_different_ways(nextflow, two_samples, faults, undisturbed):
    """kill -9, SIGTERM, a time limit, exit 137, a full disk, a CUDA fault: tried again, the same results."""
    # Nextflow 26.04's local executor ends the run at a time limit (it asks for the exit status of a task that it has
    # only just told to end); there, the task ends as SLURM's would. The pipeline sets no limit on one machine.
    text = subprocess.run(
        ["nextflow", "-version"], env=nextflow.environment, capture_output=True, encoding="utf-8"
    ).stdout
    over_time = "sleep 100" if "version 25" in text else "exit 140"
    fault = faults(
        {
            "extract_frames.py": {1: KILLED, 2: DISK_FULL},
            "embed.py": {
                "1 --kind dnabert_s": in_a_batch(TERMINATED),
                "2 --kind dnabert_s": DISK_FULL,
                "1 --kind esm2": over_time,
                "2 --kind esm2": in_a_batch(CUDA_FAULT),
            },
            "classify.py": {1: "exit 137", 2: NO_BYTE_LEFT},
        },
        "withName: 'EMBED_ESM2' { time = { task.attempt == 1 ? 4.s : 1.h } }" if over_time.startswith("sleep") else "",
    )
    run = nextflow(two_samples, *ARGUMENTS, *fault)
    assert run.code == 0, run.text
    assert snapshot(run.results) == undisturbed
    tasks = trace(run)
    ends: dict[str, list[set[str]]] = {}
    for process in ("EXTRACT_FRAMES", "EMBED_DNABERT_S", "EMBED_ESM2", "CLASSIFY"):
        of = tasks.filter(pl.col("name").str.contains(process))
        ends[process] = [set(of.filter(pl.col("attempt") == str(n))["exit"]) for n in (1, 2, 3)]
    assert ends["EXTRACT_FRAMES"] == [{"137"}, {"74"}, {"0"}]
    assert ends["EMBED_DNABERT_S"] == [{"143"}, {"74"}, {"0"}]
    assert ends["EMBED_ESM2"][1:] == [{"70"}, {"0"}]
    assert ends["EMBED_ESM2"][0] & {"0", "70"} == set(), "stopped by its time limit"
    assert ends["CLASSIFY"] == [{"137"}, {"74"}, {"0"}]
    frames = tasks.filter(pl.col("name").str.contains("EXTRACT_FRAMES"))
    memory = set(zip(frames["attempt"], frames["memory"], strict=True))
    assert memory == {("1", "2 GB"), ("2", "4 GB"), ("3", "4 GB")}, "more after a kill, not after a full disk"
    tasks = pl.read_csv(run.results / "pipeline_info/embedding_tasks.tsv", separator="\t")
    assert set(tasks["attempts"]) == {3}


def test_a_truncated_shard_costs_its_own_bin_only(nextflow, two_samples, faults, undisturbed):
    cut = '"$real" "$@" || exit $?; for f in frames/host.shard_*; do truncate -s -50 "$f"; done; exit 0'
    run = nextflow(two_samples, *ARGUMENTS, *faults({"extract_frames.py": {1: cut}}))
    assert run.code != 0
    told = summary(run)
    assert not told["complete"]
    assert [name.split("_")[0] for name in told["missing_tasks"]] == ["dnabert", "esm2"]
    assert told["samples"]["complete"] == 1
    host = next(s for s in told["per_sample"] if s["sample"] == "host")
    assert host["sequences"]["failed"] == host["sequences"]["total"] == 1
    phage = {name: data for name, data in snapshot(run.results).items() if name.startswith("phage/")}
    assert phage == {name: data for name, data in undisturbed.items() if name.startswith("phage/")}
    tasks = trace(run).filter(pl.col("name").str.contains("EMBED_") & (pl.col("status") != "COMPLETED"))
    assert set(tasks["exit"]) == {"65"} and tasks.height == 2, "damaged data are not tried again"
    message = next(two_samples.glob(f"work/{tasks['hash'][0]}*/.command.err")).read_text(encoding="utf-8")
    assert "host.shard_00001.parquet: cannot be read as a shard" in message


def test_a_model_file_that_vanishes(nextflow, two_samples, faults, undisturbed, root):
    """After the check at the start: a status of its own, the file is named; once it is back, -resume goes on."""
    models = two_samples / "models"
    shutil.copytree(root / "assets/demo_models", models)
    weights = models / "encoders/demo_esm2/model.safetensors"
    args = [*ARGUMENTS, "--models", models]
    run = nextflow(two_samples, *args, *faults({"embed.py": {"1 --kind esm2": f"mv '{weights}' '{weights}.away'"}}))
    assert run.code != 0
    assert summary(run)["encoders"]["esm2"]["missing"] == ["esm2_001", "esm2_002"]
    tasks = trace(run).filter(pl.col("name").str.contains("EMBED_ESM2"))
    assert "66" in set(tasks["exit"]), "models: not tried again"
    folder = tasks.filter(pl.col("exit") == "66")["hash"][0]
    assert "model.safetensors" in next(two_samples.glob(f"work/{folder}*/.command.err")).read_text(encoding="utf-8")
    (weights.parent / "model.safetensors.away").rename(weights)
    again = nextflow(two_samples, *args, "-resume")
    assert again.code == 0, again.text
    assert not [name for name in again.submitted() if name.startswith(("EXTRACT", "EMBED_DNABERT"))]
    assert snapshot(again.results) == undisturbed


def test_two_runs_in_one_folder(nextflow, two_samples, undisturbed, root):
    """At the same time, from one folder, with one work folder and one store: neither disturbs the other."""
    command = ["nextflow", "run", str(root), "-ansi-log", "false", *ARGUMENTS, "--embedding_store", "store"]
    runs = [
        subprocess.Popen(
            [*command, "--outdir", f"out_{number}"],
            cwd=two_samples,
            env=nextflow.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        for number in (1, 2)
    ]
    texts = [run.communicate(timeout=600)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(texts)
    assert snapshot(two_samples / "out_1") == snapshot(two_samples / "out_2") == undisturbed
