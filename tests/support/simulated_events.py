"""Makes a Nextflow work folder with event files, written by what running embedding tasks write them with."""

import json
import socket
import time
import uuid
from contextlib import ExitStack, redirect_stderr
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import simulated_run as sim

from virnucpro.embedding import events as writing

TOKENS = 150  # of each frame


class FakeTask:
    """One task folder, in which the task's events are appended, at times that a test may choose."""

    def __init__(self, work: Path, name: str, total: int, attempt=1, gpu=0, at=None):
        digest = uuid.uuid4().hex
        self.folder = work / digest[:2] / digest[2:]
        self.path = self.folder / "embeddings" / f"{name}.events.jsonl"
        self.total, self.started, self.working = total, time.time() if at is None else at, False
        self.device = {"type": "cuda", "name": "NVIDIA A100-SXM4-40GB", "uuid": f"GPU-{gpu:08x}-1234"}
        with patch.object(socket, "gethostname", lambda: f"{sim.HOST}.cluster"), self._at(self.started):
            self.events = writing.Events(self.path, name, name.rpartition("_")[0], attempt)

    def _at(self, at: float | None, interval: float = 0.0) -> ExitStack:
        """The writer's clocks stand at `at` (default: now), and it tells its progress each `interval` seconds."""
        at = time.time() if at is None else at
        clock = SimpleNamespace(time=lambda: at, monotonic=lambda: at)
        stack = ExitStack()
        stack.enter_context(patch.object(writing, "time", clock))
        stack.enter_context(patch.object(writing, "INTERVAL", interval))
        stack.enter_context(redirect_stderr(StringIO()))
        return stack

    def start(self, at=None) -> None:
        """It knows its device, and loads the model."""
        with self._at(at):
            self.events.start(self.total, self.device)

    def progress(self, done: int, at=None, interval=0.0) -> None:
        """`done` frames so far, counted since the task was made."""
        if not self.working:
            self.working = True
            with self._at(self.started):
                self.events.begin_work()
        with self._at(at, interval):
            more = done - self.events.done
            self.events.advance(more, TOKENS * more)

    def fail(self, frame: str, reason: str, at=None) -> None:
        """A failed frame."""
        with self._at(at):
            self.events.fail(shard="a.shard_00001", frame_key=1, frame_id=frame, reason=reason)

    def stop(self, message: str, at=None) -> None:
        """It ends before its task is done."""
        with self._at(at):
            self.events.close("end", message=message)

    def exit(self, code: int) -> None:
        """What Nextflow's wrapper leaves."""
        (self.folder / ".exitcode").write_text(str(code), encoding="utf-8")

    def end(self, at=None) -> None:
        """The whole of the task is done."""
        self.progress(self.total, at, interval=float("inf"))
        with self._at(at):
            self.events.close("end")
        self.exit(0)


def write_plan(work: Path, tasks=2, frames=1000) -> dict:
    """A plan in a task folder of its own; returns it."""
    plan = sim.plan(["a"], tasks=tasks, frames=frames)
    folder = work / "00" / ("f" * 30)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / ".exitcode").write_text("0", encoding="utf-8")
    return plan
