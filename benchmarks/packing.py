#!/usr/bin/env python3
"""Time the plan of a million shards, random and heavy-tailed, and its balance; and what it costs to keep a plan's tasks
when a sample comes in later.

benchmarks/packing.py [--shards 1000000] [--bins 64] [--rounds 5]
"""

import argparse
import random
import sys
import time
from pathlib import Path

from measure import machine, spread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

from virnucpro.packing.plan import ShardLoad, plan_encoder


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--shards", type=int, default=1_000_000)
    p.add_argument("--bins", type=int, default=64)
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    rng = random.Random(1)
    loads = {
        "random": [rng.randint(1, 100_000) for _ in range(a.shards)],
        "heavy-tailed": [min(10**9, int(rng.paretovariate(1.1) * 1000)) for _ in range(a.shards)],
    }
    print(f"{a.shards:,} shards into {a.bins} bins, {a.rounds} rounds, min / median / max\n{machine()}\n")
    print("| loads | CPU s | balance (max / mean) |\n| --- | --- | --- |")
    for name, tokens in loads.items():
        shards = [ShardLoad(f"s.shard_{i:07d}", 200, t) for i, t in enumerate(tokens)]
        seconds = []
        for _ in range(a.rounds):
            began = time.process_time()
            plan = plan_encoder("esm2", shards, a.bins, "tokens")
            seconds.append(time.process_time() - began)
        print(f"| {name} | {spread(seconds)} | {plan['balance']:.5f} |")
    added(rng)


def added(rng: random.Random) -> None:
    """64 tasks are done, a tenth of their shards comes in: their own tasks against a plan from scratch."""
    shards = [ShardLoad(f"a.shard_{i:05d}", 200, rng.randint(1, 100_000)) for i in range(6400)]
    more = [ShardLoad(f"b.shard_{i:05d}", 200, rng.randint(1, 100_000)) for i in range(640)]
    before = plan_encoder("esm2", shards, 64, "tokens")["tasks"]
    kept = {task["task"]: task["shards"] for task in before}
    own = plan_encoder("esm2", shards + more, 7, "tokens", kept)
    anew = plan_encoder("esm2", shards + more, 71, "tokens")
    known = {tuple(names) for names in kept.values()}
    print("\n6,400 shards in 64 tasks, 640 shards more\n\n| plan | balance | tokens to embed |\n| --- | --- | --- |")
    for name, plan in (("new shards in tasks of their own", own), ("from scratch", anew)):
        again = sum(task["tokens"] for task in plan["tasks"] if tuple(task["shards"]) not in known)
        print(f"| {name} | {plan['balance']:.4f} | {again / plan['total_load']:.1%} |")


if __name__ == "__main__":
    main()
