"""GPU leases, with a fake nvidia-smi and processes that write down which GPU they got, when, and until when."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from virnucpro.embedding import gpus
from virnucpro.embedding.gpus import leased_gpu, usable_gpus
from virnucpro.errors import CudaFault, UsageError

TWO = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa0000-0000-0000-0000-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb1111-0000-0000-0000-000000000000)
"""
A, B = "GPU-aaaa0000-0000-0000-0000-000000000000", "GPU-bbbb1111-0000-0000-0000-000000000000"
# The first card is cut into two MIG devices; the text is that of NVIDIA's MIG user guide, with other ids.
MIG = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa0000-0000-0000-0000-000000000000)
  MIG 3g.20gb     Device  0: (UUID: MIG-c0c0c0c0-1111-5b58-b4bd-000000000000)
  MIG 3g.20gb     Device  1: (UUID: MIG-d1d1d1d1-2222-5b58-b4bd-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb1111-0000-0000-0000-000000000000)
"""
M0, M1 = "MIG-c0c0c0c0-1111-5b58-b4bd-000000000000", "MIG-d1d1d1d1-2222-5b58-b4bd-000000000000"

TASK = """
import os, sys, time
from virnucpro.embedding.gpus import leased_gpu
with leased_gpu("auto"):
    start = time.time()
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), start, flush=True)
    time.sleep(float(sys.argv[1])) if sys.argv[1] != "None" else sys.stdin.read()
    print(time.time(), flush=True)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose nvidia-smi prints what `machine(text)` is given; its lock folder is empty."""
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()

    def lists(text: str, status: int = 0, seconds: float = 0) -> Path:
        (tmp_path / "listing").write_text(text, encoding="utf-8")
        smi.write_text(f"#!/bin/sh\nsleep {seconds}\ncat '{tmp_path / 'listing'}'\nexit {status}\n", encoding="utf-8")
        smi.chmod(0o755)
        return tmp_path / "locks"

    monkeypatch.setenv("PATH", f"{smi.parent}:/usr/bin:/bin")
    monkeypatch.setenv(gpus.LOCKS_VARIABLE, str(tmp_path / "locks"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lists


def start(root: Path, seconds: float | None, **variables: str) -> subprocess.Popen:
    """A task that holds its GPU for so long; until `finish` where None."""
    return subprocess.Popen(
        [sys.executable, "-c", TASK, str(seconds)],
        env=os.environ | {"PYTHONPATH": str(root / "bin")} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def begin(process: subprocess.Popen) -> str:
    """Wait until the task has its GPU: what its first line says."""
    return process.stdout.readline()


def finish(process: subprocess.Popen, first: str = "") -> tuple[str, float, float]:
    """(what CUDA_VISIBLE_DEVICES was, from when, until when); first: the line that was read already."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    first, last = (first + out).strip().split("\n")
    return first.split()[0], float(first.split()[1]), float(last)


@pytest.mark.parametrize(
    ("listing", "narrowed", "expected"),
    [
        (TWO, None, [A, B]),
        (TWO, "0,1", [A, B]),
        (TWO, "1", [B]),
        (TWO, "1,0", [B, A]),
        (TWO, "GPU-bbbb", [B]),  # CUDA takes an unambiguous beginning
        (TWO, f"{A},{A}", [A]),
        (TWO, "", []),
        (TWO, "-1", []),
        (TWO, "NoDevFiles", []),  # what some SLURM versions set in a job without GPUs
        (TWO, "1,7", [B]),
        (MIG, None, [M0, M1, B]),
        (MIG, "0", [M0, M1]),
        (MIG, M1, [M1]),
        (MIG, f"{M0},{M1}", [M0, M1]),
        ("", None, []),
        ("", "0", []),
        ("No devices found.\n", None, []),
    ],
)
def test_usable_gpus(listing, narrowed, expected):
    assert usable_gpus(listing, narrowed) == expected


def test_a_variable_that_names_no_gpu_is_an_error():
    with pytest.raises(UsageError, match=r"CUDA_VISIBLE_DEVICES=2 names none .*GPU-aaaa.*GPU-bbbb"):
        usable_gpus(TWO, "2")


def test_two_tasks_get_two_gpus_and_more_wait_their_turn(root, machine):
    machine(TWO)
    holders = [start(root, None) for _ in range(2)]
    lines = [begin(p) for p in holders]
    waiting = [start(root, 0.1) for _ in range(3)]
    held = [finish(p, line) for p, line in zip(holders, lines, strict=True)]
    assert {gpu for gpu, _, _ in held} == {A, B}, "both GPUs work at once"
    held += [finish(p) for p in waiting]
    for gpu in (A, B):
        turns = sorted((begun, end) for g, begun, end in held if g == gpu)
        assert all(turns[i][1] <= turns[i + 1][0] for i in range(len(turns) - 1)), "one task per GPU at a time"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_frees_its_gpu(root, machine, number):
    machine(TWO)
    holder = start(root, 60, CUDA_VISIBLE_DEVICES="1")
    assert holder.stdout.readline().split()[0] == B
    waiting = start(root, 0, CUDA_VISIBLE_DEVICES="1")
    time.sleep(0.7)
    assert waiting.poll() is None
    killed = time.time()
    holder.send_signal(number)
    holder.communicate()
    gpu, begin, _ = finish(waiting)
    assert (gpu, begin > killed) == (B, True)


def test_a_killed_waiter_does_not_block_the_queue(root, machine):
    machine(TWO)
    holder = start(root, None, CUDA_VISIBLE_DEVICES="0")
    begin(holder)
    first = start(root, 0, CUDA_VISIBLE_DEVICES="0")
    time.sleep(0.5)
    second = start(root, 0, CUDA_VISIBLE_DEVICES="0")
    time.sleep(0.5)
    first.kill()
    first.communicate()
    holder.communicate()
    assert finish(second)[0] == A


def test_a_waiter_for_one_gpu_does_not_hold_up_another(root, machine):
    machine(TWO)
    holder = start(root, None, CUDA_VISIBLE_DEVICES="0")
    begin(holder)
    waiting = start(root, 0, CUDA_VISIBLE_DEVICES="0")
    time.sleep(0.5)
    assert finish(start(root, 0))[0] == B
    assert waiting.poll() is None
    holder.communicate()
    assert finish(waiting)[0] == A


def test_mig_devices_are_leased_one_by_one(root, machine):
    machine(MIG)
    holders = [start(root, None) for _ in range(3)]
    assert {begin(p).split()[0] for p in holders} == {M0, M1, B}
    for process in holders:
        process.communicate()


def test_a_child_that_outlives_the_task_does_not_keep_the_gpu(root, machine):
    machine(TWO)
    code = TASK.replace(
        "time.sleep", "__import__('subprocess').Popen(['sleep', '20'], stdout=-3, stderr=-3) and time.sleep"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, "0"],
        env=os.environ | {"PYTHONPATH": str(root / "bin"), "CUDA_VISIBLE_DEVICES": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    finish(parent)
    asked = time.time()
    assert finish(start(root, 0, CUDA_VISIBLE_DEVICES="0"))[1] - asked < 5


def test_nothing_to_lease(machine, monkeypatch):
    locks = machine(TWO)
    with leased_gpu("cpu") as lease:
        assert lease is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with leased_gpu("auto") as lease:
        assert lease is None
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv(gpus.LOCKS_VARIABLE, "off")
    with leased_gpu("cuda") as lease:
        assert lease is None
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert not locks.exists()


def test_a_driver_that_fails_is_reported_and_is_no_gpu(machine, capsys):
    machine("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", status=9)
    with leased_gpu("auto") as lease:
        assert lease is None
    assert "couldn't communicate" in capsys.readouterr().err


def test_a_lost_gpu_does_not_take_the_others_along(machine, capsys):
    listing = "Unable to determine the device handle for GPU0: GPU is lost\n" + TWO.splitlines()[1] + "\n"
    machine(listing, status=15)
    with leased_gpu("auto") as lease:
        assert lease.uuid == B
    assert "GPU is lost" in capsys.readouterr().err
    assert usable_gpus(listing, "1") == [B]
    with pytest.raises(UsageError):
        usable_gpus(listing, "0")


def test_a_hanging_nvidia_smi_is_a_fault_of_the_gpu(machine, monkeypatch):
    machine(TWO, seconds=5)
    monkeypatch.setattr(gpus, "NVIDIA_SMI_SECONDS", 0.3)
    with pytest.raises(CudaFault, match="no answer"), leased_gpu("auto"):
        pass


def test_after_a_cuda_fault_the_next_task_goes_elsewhere(machine, monkeypatch):
    locks = machine(TWO)
    with pytest.raises(CudaFault), leased_gpu("cuda") as lease:
        assert lease.uuid == A
        raise CudaFault("an illegal memory access was encountered")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with leased_gpu("cuda") as lease:
        assert lease.uuid == B
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # no other to go to
    with leased_gpu("cuda") as lease:
        assert lease.uuid == A
    old = time.time() - gpus.AVOID_SECONDS - 1
    os.utime(locks / f"{A}.fault", (old, old))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with leased_gpu("cuda") as lease:
        assert lease.uuid == A


def test_every_user_may_use_the_lock_folder(machine):
    locks = machine(TWO)
    with leased_gpu("cuda"):
        pass
    assert locks.stat().st_mode & 0o7777 == 0o1777
    assert {path.stat().st_mode & 0o777 for path in locks.iterdir()} == {0o666}


def test_a_lock_folder_that_cannot_be_used_is_an_error(machine, monkeypatch, tmp_path):
    machine(TWO)
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(gpus.LOCKS_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(UsageError, match=gpus.LOCKS_VARIABLE), leased_gpu("cuda"):
        pass


def test_a_lock_file_that_a_cleaner_removed_is_made_again(root, machine):
    locks = machine(TWO)
    finish(start(root, 0, CUDA_VISIBLE_DEVICES="0"))
    for path in locks.iterdir():
        path.unlink()
    assert finish(start(root, 0, CUDA_VISIBLE_DEVICES="0"))[0] == A
