"""One contender in a process of its own, that works when it is told to: encoders.py starts it.

    encoder_contender.py esm2|dnabert_s CONTENDER SIZE THREADS ours|glibc

The last word chooses the memory settings: those that our scripts make, or glibc's defaults. For each line on its
standard input it embeds everything once and answers with a line of JSON: seconds, page faults, tokens, and the first
values, so that encoders.py can see that all contenders compute the same.
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path

from virnucpro import runtime

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests" / "support")]


def main() -> None:

    kind, contender, size, threads, memory = sys.argv[1:]
    runtime.use_threads(int(threads))
    if memory == "ours":
        runtime.keep_freed_memory()
        runtime.bound_kernel_cache()
    # Only now, since it imports PyTorch.
    run = importlib.import_module(f"contenders_{kind}").CONTENDERS[contender](size)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        tokens, vectors = run()
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
        answer = {
            "wall": wall,
            "user": after.ru_utime - before.ru_utime,
            "system": after.ru_stime - before.ru_stime,
            "faults": after.ru_minflt - before.ru_minflt,
            "memory": after.ru_maxrss / 1024,
            "tokens": tokens,
            "values": vectors[:4, :8].astype(float).tolist(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
