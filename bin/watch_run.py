#!/usr/bin/env python3
"""Watch a run's embedding tasks: one bar per task on a terminal, log lines elsewhere. It only reads, may join late,
leave (Ctrl-C) and come back, and follows a run on other nodes over a shared file system."""

import argparse
import time
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.watch.loop import choose_view, follow
    from virnucpro.watch.state import FollowedRun
    from virnucpro.watch.work_folder import WorkFolder, find_work


def parse_args() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("run", type=Path, metavar="RUN_DIR", help="where nextflow was started, or its -work-dir")
    p.add_argument("--once", action="store_true", help="show the present state and leave")
    p.add_argument("--plain", action="store_true", help="log lines, also on a terminal")
    p.add_argument("--interval", type=_seconds, default=60.0, metavar="SECONDS", help="between two lines of totals")
    p.add_argument(
        "--silent_after", type=_seconds, default=180.0, metavar="SECONDS", help="a task without an event is silent then"
    )
    p.add_argument(
        "--give_up", type=_seconds, default=3600.0, metavar="SECONDS", help="leave when all open tasks are dead so long"
    )
    p.add_argument("--plan", type=Path, help="plan.json to go by, where one work folder serves several runs at once")
    p.add_argument(
        "--since",
        type=_seconds,
        metavar="SECONDS",
        help="ignore tasks without an event in this time: those of an earlier run with the same plan",
    )
    return p.parse_args()


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def main() -> int:
    a = parse_args()
    since = time.time() - a.since if a.since else 0.0
    run = FollowedRun(WorkFolder(find_work(a.run)), a.silent_after, a.plan, since)
    view = choose_view(run, a.plain, a.interval)
    try:
        return follow(run, view, a.once, a.give_up)
    except (KeyboardInterrupt, BrokenPipeError):
        return 0  # the watcher leaves, the run goes on


if __name__ == "__main__":
    run_main(main)
