"""The watcher without a terminal: a line for whatever happens, and the totals at an interval."""

import time
from collections.abc import Callable

from virnucpro.watch.attempt import Attempt
from virnucpro.watch.state import Snapshot
from virnucpro.watch.words import count, encoder_line, ending, queue_line, speed, trouble
from virnucpro.words import duration

MOST_TASKS = 20  # running tasks with a line of their own at each interval
MOST_FAILURES = 5  # failed frames of one task that are told one by one


class Lines:
    """Prints to `say`, one line a call."""

    def __init__(self, interval: float, say: Callable[[str], None] | None = None):
        self.interval = interval
        self._say = say or (lambda line: print(line, flush=True))
        self._told: dict[str, tuple[int, str]] = {}  # task -> (attempt's identity, state) as last told
        self._failures: dict[int, int] = {}  # attempt's identity -> failures told
        self._next = 0.0

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, snapshot: Snapshot, now: float, last: bool = False) -> None:
        """Tell what changed since the last call; the totals when the interval is over or `last`."""
        states = {task.name: state for task, state in snapshot.open}
        for name, task in sorted(snapshot.current.items()):
            self._happened(task, states.get(name, "done"), now)
        if now >= self._next or last:
            self._next = now + self.interval
            self._totals(snapshot, now)

    def _line(self, now: float, words: str) -> None:
        self._say(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))}  {words}")

    def _happened(self, task: Attempt, state: str, now: float) -> None:
        before = self._told.get(task.name)
        if before != (id(task), state):
            self._told[task.name] = (id(task), state)
            attempt = f", attempt {task.attempt}" if task.attempt > 1 else ""
            if before and before[0] != id(task) and before[1] != "done":
                attempt += ", after one that did not finish"
            frames = f"{count(task.done, task.total)} frames"
            where = f" on {task.where}" if task.where else ""
            known = f"{where}: {task.total:,} frames" if task.total is not None else ""
            said = {
                "loading": f"begun{known}{attempt}, loading the model",
                "running": f"at work{known}{attempt}",
                "done": f"done{where}: {frames}, {task.failed:,} failed, {duration(task.seen - task.started)}{attempt}",
                "silent": f"SILENT for {duration(now - task.seen)}{where}: {frames}{attempt}",
                "dead": f"{ending(task).replace('ended early', 'ENDED EARLY')}{where}: {frames}{attempt}",
            }
            self._line(now, f"{task.name} {said[state]}")
        told = self._failures.get(id(task), 0)
        if task.failures_new > told:
            new = task.failures_new - told
            for frame, reason in list(task.failures)[-new:][: max(0, MOST_FAILURES - told)]:
                self._line(now, f"{task.name} FAILED frame {frame}: {reason}")
            if task.failures_new > MOST_FAILURES >= told:
                self._line(now, f"{task.name} has more failed frames; they are in its report")
            self._failures[id(task)] = task.failures_new

    def _totals(self, snapshot: Snapshot, now: float) -> None:
        if not snapshot.encoders:
            self._line(now, "no embedding task has begun")
            return
        words = [encoder_line(e) for e in snapshot.encoders] + [queue_line(snapshot)]
        if snapshot.seconds_left is not None and not snapshot.complete:
            words.append(f"about {duration(snapshot.seconds_left)} left")
        self._line(now, "; ".join(words))
        for task, state in snapshot.open[:MOST_TASKS]:
            where = f" {task.where}" if task.where else ""
            parts = [
                f"{count(task.done, task.total)} frames" if task.total is not None else "",
                speed(task.tokens_per_second),
                f"{duration(task.seconds_left)} left" if task.seconds_left else "",
                trouble(task, state, now),
            ]
            self._line(now, f"  {task.name}{where}: " + ", ".join(p for p in parts if p))
        if len(snapshot.open) > MOST_TASKS:
            self._line(now, f"  and {len(snapshot.open) - MOST_TASKS:,} tasks more")
