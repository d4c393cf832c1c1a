"""What a running task tells: JSON lines for watchers, a line now and then on stderr for people."""

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

INTERVAL = 10.0  # seconds between two lines of progress


class Events:
    """The task's event file and its count of frames. An event is on disk when the call returns; any thread may call."""

    def __init__(self, path: Path, task_name: str, encoder: str, attempt: int):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.total = self.done = self.failed = self.tokens = 0
        self._repeats_left = 0  # frames to come whose sequence an earlier shard computes: no work
        self._computed = 0  # frames done that were neither stored nor known: what the speed is measured on
        self._file = path.open("w", buffering=1, encoding="utf-8")
        self._lock = threading.RLock()
        self._constant = {"task": task_name, "encoder": encoder, "attempt": attempt}
        self._constant |= {"hostname": socket.gethostname(), "pid": os.getpid()}
        self._device: dict = {}
        self._began: float | None = None
        self._last = time.monotonic()

    def start(self, total: int, device: dict) -> None:
        """The device is known; the model is being loaded."""
        self.total, self._device = total, device
        self.emit("start")

    def begin_work(self, repeats: int = 0) -> None:
        """The model is loaded: speed counts from here. repeats: frames whose sequence an earlier shard computes."""
        self._repeats_left = repeats
        self._began = self._last = time.monotonic()

    def advance(self, frames: int, tokens: int, computed: bool = True, repeats: int = 0) -> None:
        """Count frames that are finished, `repeats` of them as an earlier shard had them; say so when it is time."""
        with self._lock:
            self.done += frames
            self.tokens += tokens
            self._computed += frames if computed else 0
            self._repeats_left -= repeats
            now = time.monotonic()
            if now - self._last >= INTERVAL:
                self._last = now
                self.emit("progress")
                self._show()

    def fail(self, **entry) -> None:
        """One frame has no embedding: shard, frame_key, frame_id, reason."""
        with self._lock:
            self.failed += 1
            self.emit("failed", **entry)

    def warn(self, message: str) -> None:
        """Something did not work that ends no task."""
        self.emit("progress", message=message)
        print(f"warning: {message}", file=sys.stderr, flush=True)

    def emit(self, event: str, **more) -> None:
        """Append one event with the present counts."""
        with self._lock:
            counts = {"done": self.done, "total": self.total, "failed": self.failed}
            speed = {"tokens_per_second": self.tokens_per_second(), "seconds_left": self.seconds_left()}
            record = {"time": time.time(), "event": event, **self._constant, "device": self._device, **counts, **speed}
            if not self._file.closed:
                self._file.write(json.dumps(record | more) + "\n")

    def tokens_per_second(self) -> float | None:
        """Tokens computed (no padding) per second of work so far."""
        seconds = self._seconds()
        return round(self.tokens / seconds, 1) if seconds > 0 else None

    def seconds_left(self) -> float | None:
        """At the speed so far; None before the first batch."""
        if not self._computed:
            return 0.0 if self.total and self.done == self.total else None
        return round(max(0, self.total - self.done - self._repeats_left) * self._seconds() / self._computed, 1)

    def close(self, event: str, **more) -> None:
        """The last event, and the last line."""
        with self._lock:
            self.emit(event, **more)
            self._show()
            self._file.close()

    def _seconds(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began

    def _show(self) -> None:
        left = self.seconds_left()
        text = f"{self.done:,}/{self.total:,} frames, {self.tokens_per_second() or 0:,.0f} tokens/s"
        text += f", {left:,.0f} s left" if left is not None else ""
        text += f", {self.failed:,} failed" if self.failed else ""
        print(f"{self._constant['encoder']} {self._constant['task']}: {text}", file=sys.stderr, flush=True)
