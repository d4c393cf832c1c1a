#!/usr/bin/env python3
"""Our encoders against how others run them, on a CPU: ESM-2 of 8M and 35M parameters, DNABERT-S.

    benchmarks/encoders.py [--rounds 3] [--threads N] [--only esm2:8M]

Every contender is a process that has loaded its model. They take turns, so that whatever else the machine does strikes
all of them alike; a round of warming up is not counted. CPU seconds are user and system together. First each runs as
its users run it (others with glibc's memory settings, ours with those of our scripts), then all with our settings.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from measure import machine, spread

FOLDER = Path(__file__).resolve().parent
TOLERANCE = 2e-5  # between the contenders' embeddings
# kind, size: our contender, and the others with what the bar asks for
BARS = {
    ("esm2", "8M"): {"virnucpro": 1.4, "file_order": 1.6, "transformers": 1.0},
    ("esm2", "35M"): {"virnucpro": 1.4, "file_order": 1.6, "transformers": 1.0},
    ("dnabert_s", "117M"): {"one_at_a_time": 1.5, "ours_one_at_a_time": None},
}


class Contender:
    """A process that embeds everything once whenever it is asked to."""

    def __init__(self, kind: str, name: str, size: str, threads: int, memory: str):
        command = [sys.executable, FOLDER / "encoder_contender.py", kind, name, size, str(threads), memory]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.runs: list[dict] = []
        self._answer()

    def run(self) -> dict:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender ended with status {self._process.wait()}")
        return json.loads(line)

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def compare(kind: str, size: str, threads: int, rounds: int) -> None:
    """Print the tables of one model."""
    others = BARS[kind, size]
    settings = {"ours": "ours"} | dict.fromkeys(others, "glibc")
    contenders = {(name, memory): Contender(kind, name, size, threads, memory) for name, memory in settings.items()}
    contenders |= {(name, "ours"): Contender(kind, name, size, threads, "ours") for name in others}
    first = contenders["ours", "ours"].run()
    for contender in contenders.values():
        warm = contender.run()
        difference = max(
            abs(a - b) for x, y in zip(warm["values"], first["values"], strict=True) for a, b in zip(x, y, strict=True)
        )
        if difference > TOLERANCE:
            raise SystemExit(f"contenders do not compute the same: {difference}")
    for _ in range(rounds):
        for contender in contenders.values():
            contender.runs.append(contender.run())
    for contender in contenders.values():
        contender.end()
    print(f"### {kind} {size}, {first['tokens']:,} tokens, {threads} thread(s)\n")
    for title, memory in (("As their users run them", "glibc"), ("All with our memory settings", "ours")):
        rows = {"ours": contenders["ours", "ours"].runs} | {name: contenders[name, memory].runs for name in others}
        print(f"{title}\n\n{table(rows, others)}\n", flush=True)


def table(rows: dict[str, list[dict]], bars: dict[str, float | None]) -> str:
    """Markdown: min / median / max; how many times as long as ours, round by round."""
    head = ("", "wall s", "CPU s", "of it system", "tokens / s", "page faults", "wall / ours", "CPU / ours", "bar")
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, runs in rows.items():
        pairs = list(zip(runs, rows["ours"], strict=True))
        cells = [
            spread([r["wall"] for r in runs]),
            spread([cpu(r) for r in runs]),
            spread([r["system"] for r in runs]),
            spread([r["tokens"] / r["wall"] for r in runs]),
            spread([r["faults"] for r in runs]),
            spread([a["wall"] / b["wall"] for a, b in pairs]),
            spread([cpu(a) / cpu(b) for a, b in pairs]),
            str(bars.get(name) or ""),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cpu(run: dict) -> float:
    return run["user"] + run["system"]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--only", metavar="KIND:SIZE", help="one of " + ", ".join(map(":".join, BARS)))
    a = p.parse_args()
    import torch
    import transformers

    print(f"{machine()}, torch {torch.__version__}, transformers {transformers.__version__}, fair-esm 2.0.0")
    print(f"{a.rounds} rounds, min / median / max; load before the start: {os.getloadavg()[0]:.1f}\n", flush=True)
    for kind, size in BARS:
        if a.only in (None, f"{kind}:{size}"):
            compare(kind, size, a.threads, a.rounds)


if __name__ == "__main__":
    main()
