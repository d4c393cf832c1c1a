#!/usr/bin/env python3
"""Time the plan of a million shards, random and heavy-tailed, and its balance.

benchmarks/packing.py [--shards 1000000] [--bins 64] [--rounds 5]
"""

import argparse
import random
import sys
import time
from pathlib import Path

from measure import machine, spread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

from virnucpro.packing import Shard, plan_encoder


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
        shards = [Shard(f"s.shard_{i:07d}", 200, t) for i, t in enumerate(tokens)]
        seconds = []
        for _ in range(a.rounds):
            began = time.process_time()
            plan = plan_encoder("esm2", shards, a.bins, "tokens")
            seconds.append(time.process_time() - began)
        print(f"| {name} | {spread(seconds)} | {plan['balance']:.5f} |")


if __name__ == "__main__":
    main()
