"""Where a run stands, as its event files and its plan tell."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from virnucpro.watch.attempt import Attempt
from virnucpro.watch.tail import EventFile
from virnucpro.watch.work_folder import WorkFolder, exit_code


@dataclass(frozen=True)
class EncoderProgress:
    """One encoder's tasks together."""

    name: str
    tasks: int
    tasks_done: int
    frames: int
    frames_done: int
    failed: int
    tokens_per_second: float
    queue: list[str]  # tasks of the plan that have not begun


@dataclass(frozen=True)
class Snapshot:
    """The run at one moment. `open` holds each task's newest attempt that is not done, with its state."""

    encoders: list[EncoderProgress]
    open: list[tuple[Attempt, str]]
    current: dict[str, Attempt]
    planned: bool
    complete: bool
    seconds_left: float | None


class FollowedRun:
    """A run that is followed: `update` reads what is new, `snapshot` tells where things stand."""

    def __init__(self, folder: WorkFolder, silent_after: float, plan: Path | None = None, since: float = 0.0):
        self.folder = folder
        self.silent_after = silent_after
        self.since = since
        self._given_plan = plan
        self._plans: dict[Path, tuple[float, dict]] = {}  # path -> (time of change, content)
        self._tasks: dict[Path, Attempt] = {}

    def update(self, now: float, look_for_new: bool = True) -> bool:
        """Read new events (and, where `look_for_new`, look for new files); whether anything was new."""
        if look_for_new:
            self.folder.scan()
            for path in [self._given_plan] if self._given_plan else self.folder.plans:
                if path not in self._plans:
                    self._read_plan(path)
            for path in self.folder.event_files:
                if path not in self._tasks and (changed := _changed(path)) is not None and changed >= self.since:
                    name = path.name.removesuffix(".events.jsonl")
                    encoder = name.rpartition("_")[0]
                    self._tasks[path] = Attempt(name, EventFile(path), started=changed, seen=changed, encoder=encoder)
        news = False
        for task in self._tasks.values():
            # With exit 0 the last events are there, though a shared file system may show them later.
            if task.is_over():
                continue
            joined = task.total is None
            for event in (events := task.file.read()):
                task.take(event)
            news = news or bool(events)
            if events and not joined:
                # Grown under our eyes: alive, whatever the other node's clock says.
                task.seen = max(task.seen, now)
            if not look_for_new or task.is_over() or task.exit_code is not None:
                continue
            if (code := exit_code(task.file.path)) is not None:
                for event in task.file.read():
                    task.take(event)
                task.exit_code, news = code, True
        return news

    def _read_plan(self, path: Path) -> None:
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))["encoders"]
            self._plans[path] = (path.stat().st_mtime, plan)
        except (OSError, ValueError, KeyError, TypeError):
            return  # half written; it is there the next time

    def _plan(self) -> dict | None:
        """The plan of the run at hand: a work folder may hold those of earlier runs. The one that has the latest event
        of a task it names, or that was written after all of them."""

        def latest(item: tuple[float, dict]) -> float:
            frames = _frames(item[1])
            return max([item[0], *(t.seen for t in self._tasks.values() if frames.get(t.name, -1) == t.total)])

        return max(self._plans.values(), key=latest)[1] if self._plans else None

    def snapshot(self, now: float) -> Snapshot:
        """Where the run stands."""
        plan = self._plan()
        current = self._current(plan)
        states = {name: task.state(now, self.silent_after) for name, task in current.items()}
        planned = {e: [b["task"] for b in part["tasks"]] for e, part in (plan or {}).items()}
        frames = _frames(plan or {})
        kinds = planned or {e: [] for e in sorted({t.encoder for t in current.values()})}
        encoders = []
        for name in kinds:
            begun = [t for t in current.values() if t.encoder == name]
            names = planned.get(name) or [t.name for t in begun]
            encoders.append(
                EncoderProgress(
                    name=name,
                    tasks=len(names),
                    tasks_done=sum(states.get(b) == "done" for b in names),
                    frames=sum(frames.get(b, 0) for b in names) or sum(t.total or 0 for t in begun),
                    frames_done=sum(t.done for t in begun if states[t.name] not in ("dead", "silent")),
                    failed=sum(t.failed for t in begun),
                    tokens_per_second=sum(t.tokens_per_second or 0 for t in begun if states[t.name] == "running"),
                    queue=[b for b in names if b not in current],
                )
            )
        return Snapshot(
            encoders=encoders,
            open=[(t, states[n]) for n, t in sorted(current.items()) if states[n] != "done"],
            current=current,
            planned=plan is not None,
            complete=plan is not None and all(e.tasks == e.tasks_done for e in encoders),
            seconds_left=_seconds_left(encoders, current, states),
        )

    def _current(self, plan: dict | None) -> dict[str, Attempt]:
        """Each task's newest attempt. Tasks of another plan have the same names, but other numbers of frames."""
        frames = _frames(plan) if plan is not None else None
        current: dict[str, Attempt] = {}
        for task in sorted(self._tasks.values(), key=lambda t: (t.started, t.attempt)):
            planned = None if frames is None else frames.get(task.name, -1)
            if frames is None or (planned >= 0 if task.total is None else planned == task.total):
                current[task.name] = task
        return current


def _seconds_left(encoders: list[EncoderProgress], current: dict[str, Attempt], states: dict[str, str]) -> float | None:
    """About: each encoder's frames left at its tasks' speed, shared by the tasks that run now. None if not known."""
    running = sum(state == "running" for state in states.values())
    work = 0.0
    for encoder in encoders:
        left = encoder.frames - encoder.frames_done
        speeds = [s for t in current.values() if t.encoder == encoder.name and (s := t.frames_per_second())]
        if left > 0 and not speeds:
            return None
        work += left * len(speeds) / sum(speeds) if left > 0 else 0
    return work / running if running else None


def _frames(plan: dict) -> dict[str, int]:
    """Frames of every task of a plan."""
    return {b["task"]: b["frames"] for b in _tasks(plan)}


def _tasks(plan: dict) -> Iterable[dict]:
    return (b for part in plan.values() for b in part["tasks"])


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
