#!/usr/bin/env python3
"""Time start-up and orchestration of the bundled example without the models' work: a stub run, resumed and anew.

    benchmarks/orchestration.py [--rounds 5]

Needs nextflow on PATH (`make bench` sees to that).
"""

import argparse
import os
import tempfile
from pathlib import Path

from measure import machine, run, table, take_turns

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=5)
    rounds = p.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        command = ["nextflow", "-q", "run", ROOT, "-profile", "test", "-ansi-log", "false", "-stub"]
        env = os.environ | {"NXF_OFFLINE": "true", "NXF_SYNTAX_PARSER": "v2"}
        costs = take_turns(
            {
                "stub run": lambda: run(command, cwd=folder, env=env),
                "resumed": lambda: run([*command, "-resume"], cwd=folder, env=env),
            },
            rounds,
        )
    print(f"The bundled example, stubs only; {rounds} rounds, min / median / max\n{machine()}\n")
    print(table(costs))


if __name__ == "__main__":
    main()
