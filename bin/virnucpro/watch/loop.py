"""Following a run until its end."""

import sys
import time

from virnucpro.watch.lines import Lines
from virnucpro.watch.state import FollowedRun, Snapshot

SCAN_SECONDS = 5.0  # between two looks for new files
TICK_SECONDS = 1.0  # between two reads of the files that are known


def choose_view(run: FollowedRun, plain: bool, interval: float):
    """The live screen on a terminal, lines elsewhere (or where Rich is not installed)."""
    if not plain and sys.stdout.isatty():
        try:
            from rich.console import Console

            from virnucpro.watch.screen import LiveScreen
        except ImportError:
            print("rich is not installed: log lines instead of a live display", file=sys.stderr)
            return Lines(interval)
        # False on a dumb terminal, or where NO_COLOR-like settings ask for plain text.
        if (console := Console()).is_terminal and not console.is_dumb_terminal:
            return LiveScreen(run.folder.work, console)
    return Lines(interval)


def follow(run: FollowedRun, view, once: bool, give_up: float) -> int:
    """Show the run until all tasks are done (0), or until none has run for `give_up` seconds though some are missing
    (1). `once` shows it once (0)."""
    scanned, news_at = 0.0, time.time()
    with view:
        while True:
            now = time.time()
            look = now - scanned >= SCAN_SECONDS
            if run.update(now, look_for_new=look):
                news_at = now
            if look:
                scanned = time.time()
            snapshot = run.snapshot(now)
            stuck = _is_stuck(snapshot) and now - news_at > give_up
            last = once or snapshot.complete or stuck
            view.show(snapshot, now, last)
            if last:
                break
            time.sleep(TICK_SECONDS)
    if stuck and not once:
        missing = ", ".join(f"{t.name} ({state})" for t, state in snapshot.open[:20])
        print(f"no task runs any more, and these tasks are missing: {missing}", file=sys.stderr)
        return 1
    return 0


def _is_stuck(snapshot: Snapshot) -> bool:
    """Tasks have died and none is at work: whether they are tried again, only Nextflow knows."""
    return bool(snapshot.open) and all(state in ("dead", "silent") for _, state in snapshot.open)
