"""One GPU for one task: a lease that ends with the process that holds it.

Schedulers give each job its own GPUs. On one machine with several GPUs nobody does (Nextflow's local executor only from
26.10 on, and only with CUDA_VISIBLE_DEVICES set), so each task leases a free one: an flock on a file named after the
GPU's UUID, in a folder that all tasks of the machine share. The kernel drops the lock however the process ends.
Must run before CUDA starts, as it narrows CUDA_VISIBLE_DEVICES to the leased GPU. Imports no torch: waiting is cheap.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from virnucpro.errors import CudaFault, UsageError

# A fixed path, as TMPDIR differs between jobs; containers have to mount it (conf/gpu.config does).
LOCKS = "/tmp/nf-virnucpro-gpus"
LOCKS_VARIABLE = "NF_VIRNUCPRO_GPU_LOCKS"  # another folder, or "off"
POLL_SECONDS = 0.5
AVOID_SECONDS = 600  # how long a GPU with a CUDA fault is left alone where there are others
NVIDIA_SMI_SECONDS = 60

_LISTED = re.compile(r"^\s*(?:GPU (?P<index>\d+):|MIG ).*\(UUID: (?P<uuid>[^)]+)\)", re.MULTILINE)


class Lease(NamedTuple):
    """A GPU that is this process's own, until `descriptor` is closed or the process ends."""

    uuid: str  # as nvidia-smi names it
    waited: float  # seconds
    descriptor: int
    folder: Path


@contextmanager
def leased_gpu(device: str) -> Iterator[Lease | None]:
    """Wait for a free GPU and make it the only one that CUDA sees. `device` is auto, cpu or cuda.

    None where there is nothing to lease: `cpu`, no nvidia-smi, no GPU, leases switched off. UsageError where
    CUDA_VISIBLE_DEVICES names no GPU of this machine or the lock folder is of no use; CudaFault where nvidia-smi hangs.
    After a CudaFault inside, the tasks that come next leave this GPU alone for a while if there is another.
    """
    folder = os.environ.get(LOCKS_VARIABLE) or LOCKS
    switched_off = device == "cpu" or folder == "off"
    candidates = [] if switched_off else usable_gpus(list_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    if not candidates:
        yield None
        return
    lease = _wait_for_one(candidates, _lock_folder(Path(folder)))
    os.environ["CUDA_VISIBLE_DEVICES"] = lease.uuid
    try:
        yield lease
    except CudaFault:
        with suppress(OSError):  # another user's mark, which says the same
            _fault_file(lease.folder, lease.uuid).touch()
        raise
    finally:
        os.close(lease.descriptor)


def list_gpus() -> str:
    """What `nvidia-smi -L` prints; "" where there is none. Raises CudaFault where it hangs."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"],
            capture_output=True,
            encoding="utf-8",
            timeout=NVIDIA_SMI_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return ""
    except subprocess.TimeoutExpired as e:
        raise CudaFault(
            f"nvidia-smi -L gave no answer in {NVIDIA_SMI_SECONDS} s: a GPU of this machine hangs (dmesg tells which)"
        ) from e
    if done.returncode:  # one GPU that is lost is enough for that; the others are listed all the same
        print(f"nvidia-smi -L failed: {(done.stdout + done.stderr).strip()}", file=sys.stderr)
    return done.stdout


def usable_gpus(listing: str, narrowed: str | None) -> list[str]:
    """UUIDs that this process may use: a GPU, or in its place its MIG devices.

    `listing` is what `nvidia-smi -L` prints, `narrowed` the value of CUDA_VISIBLE_DEVICES (None: not set): indexes,
    UUIDs or beginnings of them. Raises UsageError where it names none of the listed.
    """
    gpus: list[tuple[str, str, list[str]]] = []  # index, UUID, those of MIG devices; a lost GPU leaves a gap
    for found in _LISTED.finditer(listing):
        if found["index"] is None:
            gpus[-1][2].append(found["uuid"])
        else:
            gpus.append((found["index"], found["uuid"], []))
    if narrowed is None or not gpus:
        return [uuid for _, gpu, parts in gpus for uuid in parts or [gpu]]
    tokens = [token.strip() for token in narrowed.split(",")]
    if tokens[0] in ("", "-1", "NoDevFiles"):  # how a scheduler says: none
        return []
    chosen: list[str] = []
    for token in tokens:
        for index, gpu, parts in gpus:
            if token == index or (token.startswith("GPU-") and gpu.startswith(token)):
                chosen += parts or [gpu]
            elif token.startswith("MIG-"):
                chosen += [part for part in parts if part.startswith(token)]
    if not chosen:
        known = ", ".join(gpu for _, gpu, _ in gpus)
        raise UsageError(
            f"CUDA_VISIBLE_DEVICES={narrowed} names none of this machine's GPUs: {known}; "
            "unset it, or give indexes or UUIDs that `nvidia-smi -L` lists"
        )
    return list(dict.fromkeys(chosen))


def _lock_folder(folder: Path) -> Path:
    """The folder, made for all users of the machine."""
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)
    except FileExistsError:
        pass
    except OSError as e:
        raise _unusable(folder, e) from e
    return folder


def _wait_for_one(candidates: list[str], folder: Path) -> Lease:
    """Lease one of the GPUs, in the order of asking."""
    started = time.monotonic()
    # Only the first in the queue looks for a free GPU, the others sleep in the kernel: nobody is overtaken for hours.
    with _queue(candidates, folder):
        while True:
            for uuid in _without_faulty(candidates, folder):
                descriptor = _try_lock(folder / f"{_safe(uuid)}.lock")
                if descriptor is not None:
                    waited = time.monotonic() - started
                    print(f"leased {uuid}, one of {len(candidates)}, after {waited:.0f} s", file=sys.stderr)
                    return Lease(uuid, waited, descriptor, folder)
            time.sleep(POLL_SECONDS)


@contextmanager
def _queue(candidates: list[str], folder: Path) -> Iterator[None]:
    """One queue for each set of GPUs, so that nobody waits behind a task that may not use what is free."""
    digest = hashlib.sha256(" ".join(sorted(candidates)).encode()).hexdigest()[:16]
    descriptor = _open(folder / f"queue-{digest}.lock")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for one of {len(candidates)} GPUs", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _without_faulty(candidates: list[str], folder: Path) -> list[str]:
    """Those without a recent CUDA fault; all, where each had one."""
    return [uuid for uuid in candidates if not _is_recent(_fault_file(folder, uuid))] or candidates


def _is_recent(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < AVOID_SECONDS
    except OSError:
        return False


def _try_lock(path: Path) -> int | None:
    """Descriptor of the locked file; None where another process holds it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            os.utime(descriptor)  # or a cleaner of old files takes it away
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # held, or cleaned away since it was opened: tried again
        pass
    except PermissionError:  # only the time could not be set
        return descriptor
    os.close(descriptor)
    return None


def _open(path: Path) -> int:
    """Descriptor of a lock file; made where there is none. Not inherited by child processes."""
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        # Without O_CREAT first: Linux refuses that for other users' files in a sticky folder (fs.protected_regular).
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            descriptor = os.open(path, flags | os.O_CREAT, 0o666)
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.fchmod(descriptor, 0o666)
            return descriptor
    except OSError as e:
        raise _unusable(path.parent, e) from e


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"GPU leases need a folder that every user of the machine can write: {folder}: {error.strerror}; "
        f"make it (mkdir -m 1777), or name another in {LOCKS_VARIABLE} (`off` where something else assigns the GPUs)"
    )


def _fault_file(folder: Path, uuid: str) -> Path:
    return folder / f"{_safe(uuid)}.fault"


def _safe(uuid: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "_", uuid)
