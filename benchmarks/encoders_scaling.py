#!/usr/bin/env python3
"""Ten times the input: time and memory of an embedding task, ESM-2 8M shape on a CPU.

benchmarks/encoders_scaling.py [--frames 600] [--rounds 3] [--threads N]
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from measure import machine, run, spread

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests" / "support")]

SHARD = 200  # frames
BAR = 10.5


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--frames", type=int, default=600)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = p.parse_args()
    from contenders_esm2 import fair_esm, peptides
    from encoder_folders import save_esm2, write_shard

    figures: dict[int, list[dict]] = {1: [], 10: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = save_esm2(fair_esm("8M"), folder / "encoder")
        everything = peptides(-(-10 * a.frames // 600))[: 10 * a.frames]
        for times in figures:
            rows = everything[: times * a.frames]
            for number, start in enumerate(range(0, len(rows), SHARD)):
                write_shard(folder / f"shards_{times}", number, rows[start : start + SHARD])
        for round_ in range(a.rounds):
            for times, runs in figures.items():
                out = folder / f"out_{times}_{round_}"
                command = [
                    sys.executable,
                    ROOT / "bin" / "embed.py",
                    "--kind",
                    "esm2",
                    "--shards",
                    folder / f"shards_{times}",
                ]
                command += ["--encoder", encoder, "--task", "b", "--out", out, "--device", "cpu"]
                cost = run([*command, "--threads", a.threads])
                report = json.loads((out / "b.report.json").read_text(encoding="utf-8"))
                runs.append({"wall": report["seconds"]["work"], "cpu": cost.cpu, "memory": cost.memory})
    print(f"{machine()}, {a.frames:,} and {10 * a.frames:,} peptides, {a.threads} thread(s), {a.rounds} rounds\n")
    print(
        "| input | wall s without the model's load | CPU s of the process | peak memory MB |\n| --- | --- | --- | --- |"
    )
    for times, runs in figures.items():
        cells = [spread([r[key] for r in runs]) for key in ("wall", "cpu", "memory")]
        print(f"| {times} x | {' | '.join(cells)} |")
    pairs = list(zip(figures[1], figures[10], strict=True))
    ratios = {key: [b[key] / a[key] for a, b in pairs] for key in ("wall", "cpu", "memory")}
    print(f"| ratio (time at most {BAR}) | {' | '.join(spread(ratios[k]) for k in ratios)} |")


if __name__ == "__main__":
    main()
