"""The watcher on a terminal: one live table of totals, tasks, queue and failures (Rich)."""

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from virnucpro.watch.attempt import Attempt
from virnucpro.watch.state import Snapshot
from virnucpro.watch.words import count, label, queue_line, speed, trouble
from virnucpro.words import duration

STYLES = {"running": "", "loading": "dim", "silent": "bold yellow", "dead": "bold red"}
MOST_FAILURES = 6


class LiveScreen:
    """A display that is drawn anew at each `show`; what stands there last stays when the watcher leaves."""

    def __init__(self, work: Path, console: Console | None = None):
        self.work = work
        self.console = console or Console()
        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "LiveScreen":
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(*error)

    def show(self, snapshot: Snapshot, now: float, last: bool = False) -> None:
        """Draw a snapshot; the `last` one is drawn whole, however long."""
        room = 10_000 if last else self.console.size.height
        self._live.update(self._drawing(snapshot, now, room), refresh=True)

    def _drawing(self, snapshot: Snapshot, now: float, room: int) -> Group:
        head = Text.assemble(
            ("nf-virnucpro ", "bold"), (str(self.work), "dim"), "  ", time.strftime("%H:%M:%S", time.localtime(now))
        )
        if not snapshot.encoders:
            return Group(head, Text("no embedding task has begun; Ctrl-C leaves, the run goes on", style="dim"))
        failures = _failures(snapshot)
        # Head, one line per encoder, a blank line, the queue, the last line; the rest is for tasks.
        for_tasks = max(3, room - len(snapshot.encoders) - len(failures) - 6)
        parts = [head, self._encoders(snapshot), Text(), self._tasks(snapshot, now, for_tasks)]
        parts.append(Text(queue_line(snapshot, 6), style="dim", no_wrap=True, overflow="ellipsis"))
        parts += failures
        parts.append(self._foot(snapshot))
        return Group(*parts)

    def _bar_width(self) -> int:
        return max(6, min(36, self.console.size.width - 96))

    def _encoders(self, snapshot: Snapshot) -> Table:
        grid = Table.grid(padding=(0, 2))
        for e in snapshot.encoders:
            grid.add_row(
                Text(label(e.name), style="bold"),
                ProgressBar(total=max(1, e.frames), completed=e.frames_done, width=self._bar_width()),
                Text(f"{count(e.tasks_done, e.tasks)} tasks"),
                Text(f"{count(e.frames_done, e.frames)} frames"),
                Text(speed(e.tokens_per_second)),
                Text(f"{e.failed:,} failed", style="bold red") if e.failed else Text(""),
            )
        return grid

    def _tasks(self, snapshot: Snapshot, now: float, room: int) -> Group:
        grid = Table.grid(padding=(0, 1))
        shown = snapshot.open if len(snapshot.open) <= room else snapshot.open[: room - 1]
        for task, state in shown:
            grid.add_row(*self._task(task, state, now))
        more = len(snapshot.open) - len(shown)
        return Group(grid, *([Text(f"and {more:,} tasks more", style="dim")] if more else []))

    def _task(self, task: Attempt, state: str, now: float) -> tuple:
        style = STYLES[state]
        left = f"{duration(task.seconds_left)} left" if state == "running" and task.seconds_left is not None else ""
        return (
            Text(task.name, style=style),
            Text(task.where if self.console.size.width > 110 else task.where_short, style="cyan", no_wrap=True),
            ProgressBar(total=max(1, task.total or 1), completed=task.done, width=self._bar_width()),
            Text(count(task.done, task.total) if task.total is not None else "", justify="right"),
            Text(speed(task.tokens_per_second) if state == "running" else "", justify="right"),
            Text(left, justify="right"),
            Text(trouble(task, state, now), style=style or "yellow"),
        )

    def _foot(self, snapshot: Snapshot) -> Text:
        if snapshot.complete:
            return Text("all tasks are done", style="bold green")
        left = snapshot.seconds_left
        about = f"about {duration(left)} left for all tasks; " if left is not None else ""
        return Text(f"{about}Ctrl-C leaves, the run goes on", style="dim")


def _failures(snapshot: Snapshot) -> list[Text]:
    """The latest failed frames of each task, the tasks' share of MOST_FAILURES lines."""
    found = [t for t in snapshot.current.values() if t.failures]
    lines = []
    for task in found[-MOST_FAILURES:]:
        for frame, reason in list(task.failures)[-max(1, MOST_FAILURES // len(found)) :]:
            words = Text.assemble((f"failed {task.name} ", "red"), frame[:60], ": ", (reason, "dim"))
            words.no_wrap, words.overflow = True, "ellipsis"
            lines.append(words)
    return lines
