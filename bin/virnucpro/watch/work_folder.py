"""Finding event files and plans in Nextflow's work folder, which may hold many thousand task folders."""

import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from virnucpro.errors import UsageError

_HASH = re.compile(r"[0-9a-f]{2}")
# A folder that changed this short a time before it was listed may have changed again within its time stamp.
_FRESH_SECONDS = 3.0
# Time stamps of a file server whose clock is behind can hide a change; so all are listed anew this often.
_RELIST_SECONDS = 300.0
# A task that waits in a queue is looked at less often, the longer it has waited, but at least this often.
_MOST_SECONDS = 30.0


def find_work(folder: Path) -> Path:
    """The work folder of a run: `folder` itself, or `work` in it, which need not exist yet.

    Raises UsageError where `folder` is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give the folder where nextflow was started, or its -work-dir")
    if not (folder / "work").is_dir() and any(_HASH.fullmatch(name) for name in _names(folder)):
        return folder
    return folder / "work" if folder.name != "work" else folder


class WorkFolder:
    """What has been found so far. `scan` looks only where something can be new: into the (at most 256) folders of
    hashes that changed, and into task folders that have neither events nor an end yet."""

    def __init__(self, work: Path, clock: Callable[[], float] = time.time):
        self.work = work
        self.event_files: set[Path] = set()
        self.plans: set[Path] = set()
        self._clock = clock
        self._listed: dict[str, int] = {}  # hash folder -> its time of change when it was listed
        self._relisted = clock()
        self._known: set[str] = set()  # task folders
        self._waiting: dict[str, tuple[float, float]] = {}  # task folder -> (found, look again at)

    def scan(self) -> None:
        """Look for new task folders, event files and plans."""
        now = self._clock()
        for folder in self._changed(now):
            for name in _names(folder):
                task = f"{folder}/{name}"
                if task not in self._known:
                    self._known.add(task)
                    self._waiting[task] = (now, now)
        for task, (found, due) in list(self._waiting.items()):
            if due <= now:
                if self._look(task):
                    del self._waiting[task]
                else:
                    self._waiting[task] = (found, now + min(_MOST_SECONDS, (now - found) / 10))

    def _changed(self, now: float) -> Iterable[str]:
        if now - self._relisted > _RELIST_SECONDS:
            self._relisted = now
            self._listed.clear()
        for name in _names(self.work):
            if not _HASH.fullmatch(name):
                continue
            folder = f"{self.work}/{name}"
            try:
                changed = Path(folder).stat().st_mtime_ns
            except OSError:
                continue
            if self._listed.get(folder) != changed:
                # Not settled yet: listed again next time, whatever its time stamp says then.
                self._listed[folder] = changed if now - changed / 1e9 > _FRESH_SECONDS else -1
                yield folder

    def _look(self, task: str) -> bool:
        """Whether there is nothing more to be found in a task's folder."""
        names = _names(task)
        if "plan.json" in names:
            self.plans.add(Path(task, "plan.json"))
            return True
        if "embeddings" in names:
            events = [n for n in _names(f"{task}/embeddings") if n.endswith(".events.jsonl")]
            self.event_files.update(Path(task, "embeddings", n) for n in events)
            if events:
                return True
        return ".exitcode" in names


def exit_code(event_file: Path) -> int | None:
    """The exit code of the task that writes `event_file`; None while it runs."""
    try:
        return int((event_file.parent.parent / ".exitcode").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _names(folder: str | Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []
