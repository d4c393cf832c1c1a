"""Settings of the whole process. They must be made before PyTorch is imported: this module imports none of it.

Memory. glibc gives large freed blocks back to the kernel, and takes them anew, page by page, for the next tensor: with
its defaults a tenth to two fifths of an encoder's time on a CPU goes into page faults. Told through mallopt(3) to keep
what it has, the process holds its peak and faults no more (docs/performance.md has the figures).
"""

import ctypes
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

# Parameters of mallopt(3), from malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP = 2**31 - 1  # bytes; the parameter is an int
_TOP_PAD = 64 * 2**20  # bytes that the heap grows by
TERMINATED = 128 + signal.SIGTERM


def keep_freed_memory() -> bool:
    """Have malloc keep freed memory for the next tensor. False where the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # No mmap for large blocks (they would go back on free), no trimming of the heap.
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _KEEP), (_M_TOP_PAD, _TOP_PAD))
    accepted = [mallopt(parameter, value) == 1 for parameter, value in settings]
    return all(accepted)


def bound_kernel_cache() -> None:
    """Keep the oneDNN library from holding 1,024 kernels, one for each shape of a batch: memory would grow for hundreds
    of shards. A batch needs few, for all layers the same, and making one takes no time to speak of."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")


def use_threads(threads: int | None) -> None:
    """As many threads as given, else as the process may run on, for matrix products and the tokenizer."""
    count = str(threads or len(os.sched_getaffinity(0)))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        if threads or name not in os.environ:
            os.environ[name] = count


def wait_asleep() -> None:
    """Threads that wait for others sleep. They would spin: where other tasks share the cores, small matrix products by
    two threads then take twenty times as long."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def tune_gpu_allocator() -> None:
    """Let PyTorch's GPU memory grow in place: batches of many lengths would fragment it. Not on WSL, where drivers of
    NVIDIA fail at the first allocation then (https://github.com/pytorch/pytorch/issues/192330)."""
    if not Path("/dev/dxg").exists():
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")


def place_kernels() -> None:
    """Where Triton keeps its compiled kernels (seconds), for all tasks of a user that share a temporary folder. Its
    default is in the home folder, which a container may lack or not be allowed to write."""
    folder = Path(tempfile.gettempdir()) / f"nf-virnucpro-kernels-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        mine = folder.stat().st_uid == os.getuid() and not folder.is_symlink()
    except OSError:
        mine = False
    if not mine:  # code that somebody else put there must not be run
        folder = Path(tempfile.mkdtemp(prefix="nf-virnucpro-kernels-"))
    os.environ.setdefault("TRITON_CACHE_DIR", str(folder))


def on_sigterm(do: Callable[[], None]) -> None:
    """At SIGTERM call `do` and end at once with status 143; nothing is finished, what is finished stays.

    A thread of its own waits for the signal, since the main thread may be minutes inside one batch. Call this before
    any other thread is started: they inherit that the signal is not for them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        try:
            do()
        finally:
            os._exit(TERMINATED)

    threading.Thread(target=wait, name="sigterm", daemon=True).start()


def cpu_name() -> str:
    """The processor's model as Linux tells it, else "cpu"."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "cpu"
