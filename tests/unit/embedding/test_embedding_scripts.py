"""The embedding scripts as processes: exit codes, kills, threads, memory settings."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from encoder_folders import fair_esm, random_peptides, save_esm2, write_shard

from virnucpro import runtime

SHARDS = 6
# The script, slowed down or broken at the one place where a batch is computed.
DRIVER = """
import sys, time
sys.path.insert(0, {bin!r})
import virnucpro.embedding.embedder as embedder
from virnucpro.embedding import cli
from virnucpro.errors import run_main
original = embedder.Embedder._compute
def compute(self, batch, launched):
    {what}
    original(self, batch, launched)
embedder.Embedder._compute = compute
run_main(cli.main)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """An encoder and shards."""
    folder = tmp_path_factory.mktemp("files")
    save_esm2(fair_esm(2, 40, 4), folder / "encoder")
    rng = np.random.default_rng(2)
    for number in range(SHARDS):
        write_shard(folder / "shards", number, random_peptides(6, rng))
    return folder


class Run:
    """A script in a process of its own."""

    def __init__(self, root: Path, files: Path, out: Path, what: str | None = None, *options: str):
        script = [str(root / "bin" / "embed.py")]
        if what is not None:
            script = ["-c", DRIVER.format(bin=str(root / "bin"), what=what)]
        arguments = [
            "--kind",
            "esm2",
            "--shards",
            files / "shards",
            "--encoder",
            files / "encoder",
            "--task",
            "esm2_001",
            "--out",
            out,
        ]
        self.out = out
        self.process = subprocess.Popen(
            [sys.executable, *script, *map(str, arguments), "--threads", "1", "--device", "cpu", *options],
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # The driver imports numpy before the script blocks SIGTERM: threads of its own would not inherit that.
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def events(self, name: str | None = None) -> list[dict]:
        path = self.out / "esm2_001.events.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        return [e for e in map(json.loads, lines) if name in (None, e["event"])]

    def wait_for_shards(self, count: int) -> None:
        for _ in range(600):
            if len(self.events("shard")) >= count or self.process.poll() is not None:
                break
            time.sleep(0.1)
        assert self.process.poll() is None, self.process.stderr.read()

    def end(self) -> tuple[int, str]:
        stderr = self.process.communicate(timeout=120)[1]
        return self.process.returncode, stderr


def test_killed_at_any_moment_no_finished_shard_is_embedded_twice(root, files, tmp_path):
    store = str(tmp_path / "store")
    finished: set[str] = set()
    for attempt, kill in enumerate((signal.SIGKILL, signal.SIGTERM), start=1):
        run = Run(root, files, tmp_path / f"{attempt}", "time.sleep(0.3)", "--store", store, "--attempt", str(attempt))
        run.wait_for_shards(2 * attempt)
        run.process.send_signal(kill)
        code, _ = run.end()
        assert code == (-signal.SIGKILL if kill == signal.SIGKILL else 143)
        told = run.events("shard")
        assert {e["shard"] for e in told if not e["reused"]}.isdisjoint(finished)
        finished |= {e["shard"] for e in told}
        assert not (run.out / "esm2_001.report.json").exists()
        assert all((run.out / f"{e['shard']}.esm2.parquet").exists() for e in told)
    assert run.events()[-1]["message"] == "terminated by SIGTERM"
    assert len(finished) >= 4
    last = Run(root, files, tmp_path / "3", None, "--store", store, "--attempt", "3")
    assert last.end()[0] == 0
    again = {e["shard"] for e in last.events("shard") if not e["reused"]}
    assert len(again & finished) == 0, "shards embedded twice"
    assert len(last.events("shard")) == SHARDS
    report = json.loads((last.out / "esm2_001.report.json").read_text(encoding="utf-8"))
    assert report["processed"] == SHARDS * 6
    assert report["attempt"] == 3


def test_a_cuda_fault_exits_with_its_own_code(root, files, tmp_path):
    what = "raise RuntimeError('CUDA error: an illegal memory access was encountered')"
    run = Run(root, files, tmp_path, what)
    code, stderr = run.end()
    assert code == 70
    assert "error: the GPU failed (RuntimeError: CUDA error: an illegal memory access" in stderr
    assert "Traceback" not in stderr
    assert "the GPU failed" in run.events("end")[0]["message"]


def test_out_of_memory_above_a_size_is_survived(root, files, tmp_path):
    """A device that holds 100 tokens and no more: the budget is halved until batches fit, and nothing fails."""
    what = "if batch.tokens > 100: raise MemoryError('CUDA out of memory. Tried to allocate 2 GiB')"
    small, roomy = (Run(root, files, tmp_path / name, what if name == "small" else None) for name in ("small", "roomy"))
    assert small.end()[0] == roomy.end()[0] == 0
    report = json.loads((small.out / "esm2_001.report.json").read_text(encoding="utf-8"))
    assert report["processed"] == SHARDS * 6 and report["failed"] == []
    assert report["oom_halvings"] > 0 and report["batch_tokens"] <= 100
    for path in roomy.out.glob("*.parquet"):
        ours, theirs = (pq.read_table(run.out / path.name) for run in (small, roomy))
        assert ours["frame_key"].equals(theirs["frame_key"])
        a, b = (np.stack(t["embedding"].to_numpy()) for t in (ours, theirs))
        assert np.abs(a - b).max() < 1e-5


def test_a_full_disk_ends_with_its_own_code(root, files, tmp_path):
    """A real one, of 16 KiB: the message names the folder, and what could not be written whole is not there."""
    out = tmp_path / "out"
    out.mkdir()
    embed = [str(root / "bin/embed.py"), "--kind", "esm2", "--shards", files / "shards", "--encoder", files / "encoder"]
    embed += ["--task", "esm2_001", "--out", out, "--threads", "1", "--device", "cpu"]
    # What is left is listed before the disk goes with its namespace.
    script = f'mount -t tmpfs -o size=16k none "{out}" || exit 99; "$@"; status=$?; ls -A "{out}"; exit $status'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, *map(str, embed)]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1) to mount a small disk with")
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip("this user may not mount a small disk")
    assert done.returncode == 74, done.stderr
    assert "No space left on device" in done.stderr and "make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert "esm2_001.report.json" not in done.stdout


def test_a_process_with_our_settings_faults_no_pages(root):
    """Large tensors, made and dropped: page faults with glibc's defaults, and none with what the scripts set."""
    program = """
import ctypes, resource, sys
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: where Linux gives huge pages there are few faults anyway
sys.path.insert(0, {bin!r})
from virnucpro import runtime
if {tuned}:
    assert runtime.keep_freed_memory()
runtime.use_threads(1)
import torch
def work():
    for size in (1_000_000, 3_000_000, 40_000_000):  # bytes: below and above glibc's limits
        torch.ones(size // 4).mul(2).sum()
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, torch.get_num_threads())
"""
    faults = {}
    for tuned in (False, True):
        code = program.format(bin=str(root / "bin"), tuned=tuned)
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
        ).stdout.split()
        faults[tuned] = int(out[0])
        assert out[1] == "1"
    assert faults[False] > 10_000  # 80 MB ten times, in pages of 4 KiB, is 195,000
    assert faults[True] < faults[False] / 10  # the heap may grow once more


def test_threads_follow_what_is_asked_for(monkeypatch):
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "7")
    runtime.use_threads(None)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    runtime.use_threads(3)
    assert {os.environ[name] for name in names} == {"3"}
    monkeypatch.delenv("OMP_NUM_THREADS")
    runtime.use_threads(None)
    assert os.environ["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))


class TestKernels:
    """Triton's compiled kernels must lie in a folder of this user's own, whatever the home folder."""

    @pytest.fixture
    def temporary(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setenv("TRITON_CACHE_DIR", "")  # so that it is put back afterwards
        del os.environ["TRITON_CACHE_DIR"]
        return tmp_path

    def test_tasks_share_a_folder(self, temporary):
        runtime.place_kernels()
        folder = Path(os.environ["TRITON_CACHE_DIR"])
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        del os.environ["TRITON_CACHE_DIR"]
        runtime.place_kernels()
        assert Path(os.environ["TRITON_CACHE_DIR"]) == folder

    def test_a_folder_of_somebody_else_is_not_used(self, temporary):
        planted = temporary / "planted"
        planted.mkdir()
        (temporary / f"nf-virnucpro-kernels-{os.getuid()}").symlink_to(planted)
        runtime.place_kernels()
        folder = Path(os.environ["TRITON_CACHE_DIR"]).resolve()
        assert folder != planted
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_the_users_own_choice_stays(self, temporary, monkeypatch):
        monkeypatch.setenv("TRITON_CACHE_DIR", "/elsewhere")
        runtime.place_kernels()
        assert os.environ["TRITON_CACHE_DIR"] == "/elsewhere"


def test_help_needs_no_pytorch(root):
    path = str(root / "bin" / "embed.py")
    code = "import runpy, sys; sys.modules['torch'] = None; sys.argv[1:] = ['--help']; "
    code += f"runpy.run_path({path!r}, run_name='__main__')"
    environment = os.environ | {"PYTHONPATH": str(root / "bin")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 0, done.stderr
    assert "--batch_tokens" in done.stdout


@pytest.mark.parametrize(
    ("option", "value"), [("--batch_tokens", "0"), ("--layer", "x"), ("--precision", "fp8"), ("--threads", "-1")]
)
def test_wrong_options_end_with_2(root, option, value):
    command = [sys.executable, str(root / "bin" / "embed.py"), option, value]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    assert option in done.stderr
