#!/usr/bin/env python3
"""How long each script of bin/ takes to start, on top of Python: `--help`, which imports what the script begins with.

    benchmarks/imports.py [--rounds 5]

The bar for scripts that need no GPU is 0.3 s. For an embedding task: all that it imports before the first frame,
against `import torch` alone (bar: 1.1 times as long). Scripts take turns; figures are CPU seconds, min / median / max.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

from measure import machine, run, spread, take_turns

BIN = Path(__file__).resolve().parent.parent / "bin"
TASK = "import virnucpro.embedding.{}, virnucpro.encoders.{}.model"
HELP = {"tool_versions.py": "numpy"}  # it has no options
QUIET = {"stderr": subprocess.DEVNULL, "cwd": BIN}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=5)
    rounds = p.parse_args().rounds
    commands = {"python alone": ["-c", ""], "import torch": ["-c", "import torch"]}
    for kind, task in (("esm2", "task"), ("dnabert_s", "task"), ("composition", "light")):
        commands[f"an embedding task, {kind}"] = ["-c", TASK.format(task, kind)]
    commands |= {path.name: [path, HELP.get(path.name, "--help")] for path in sorted(BIN.glob("*.py"))}
    costs = take_turns({name: partial(run, [sys.executable, *c], **QUIET) for name, c in commands.items()}, rounds)
    alone = min(c.cpu for c in costs["python alone"])
    print(f"{machine()}\n\n| | CPU s on top of Python's {alone:.3f} |\n| --- | --- |")
    for name, taken in costs.items():
        print(f"| {name} | {spread([c.cpu - alone for c in taken])} |")


if __name__ == "__main__":
    main()
