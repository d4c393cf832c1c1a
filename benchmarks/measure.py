"""Measure whole processes side by side: contenders take turns, so that a machine's drift strikes all of them alike."""

import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What one run of a process cost, its children included."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    memory: float  # MB, the largest resident set of one process


def run(command: list, **options) -> Cost:
    """Run `command` to its end; CalledProcessError where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, **options)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def take_turns(contenders: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Costs of each contender, one a round."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            costs[name].append(contender())
    return costs


def spread(values: list[float]) -> str:
    """'min / median / max' with three digits that count."""
    return " / ".join(f"{f(values):.3g}" for f in (min, statistics.median, max))


def table(costs: dict[str, list[Cost]], baseline: str | None = None) -> str:
    """A Markdown table, min / median / max of each figure; with ratios to `baseline`, round by round."""
    head = ["", "CPU s", "wall s", "memory MB"]
    if baseline:
        head += [f"{baseline}'s CPU / its own", f"{baseline}'s wall / its own"]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, runs in costs.items():
        cells = [name, *(spread([getattr(c, f) for c in runs]) for f in ("cpu", "wall", "memory"))]
        if baseline:
            pairs = list(zip(costs[baseline], runs, strict=True))
            cells += [spread([getattr(b, f) / getattr(c, f) for b, c in pairs]) for f in ("cpu", "wall")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> str:
    """The machine in a line: processor, its widest vector instructions, cores, Python."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next(
        (x.split(":", 1)[1].strip() for x in text.splitlines() if x.startswith("model name")), platform.machine()
    )
    vectors = next((name for name in ("avx512f", "avx2", "asimd") if re.search(rf"\b{name}\b", text)), "no AVX2")
    return f"{model} ({vectors}), {os.cpu_count()} cores, Python {platform.python_version()}"
