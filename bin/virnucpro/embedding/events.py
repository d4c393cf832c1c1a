"""What a running task tells: JSON lines for watchers, a line (or a bar on a terminal) on stderr for people."""

import json
import os
import socket
import sys
import time
from pathlib import Path

INTERVAL = 10.0  # seconds between two lines of progress
_BAR = 30


class Events:
    """The task's event file and its count of frames. Every event is on disk when `emit` returns."""

    def __init__(self, path: Path, bin_name: str, encoder: str, attempt: int, total: int):
        self.total, self.done, self.failed, self.tokens = total, 0, 0, 0
        self.computed = 0  # frames done that were not taken from the store: what the speed is measured on
        self._file = path.open("w", buffering=1)
        self._constant = {"bin": bin_name, "encoder": encoder, "attempt": attempt}
        self._constant |= {"hostname": socket.gethostname(), "pid": os.getpid()}
        self._device: dict = {}
        self._work_started: float | None = None
        self._last = 0.0
        self._is_terminal = sys.stderr.isatty()

    def start(self, device: dict) -> None:
        """The model is loaded, the work begins."""
        self._device = device
        self._work_started = self._last = time.monotonic()
        self.emit("start")

    def advance(self, frames: int, tokens: int, computed: bool = True) -> None:
        """Count frames that are finished; say so when the interval is over."""
        self.done += frames
        self.tokens += tokens
        self.computed += frames if computed else 0
        now = time.monotonic()
        if now - self._last >= (0.5 if self._is_terminal else INTERVAL):
            self._last = now
            self.emit("progress")
            self._show()

    def emit(self, event: str, **more) -> None:
        """Append one event with the present counts."""
        counts = {"done": self.done, "total": self.total, "failed": self.failed}
        speed = {"tokens_per_second": self.tokens_per_second(), "seconds_left": self.seconds_left()}
        record = {
            "time": time.time(),
            "event": event,
            **self._constant,
            "device": self._device,
            **counts,
            **speed,
            **more,
        }
        self._file.write(json.dumps(record) + "\n")

    def tokens_per_second(self) -> float | None:
        """Tokens computed (no padding) per second of work so far."""
        seconds = self._seconds()
        return round(self.tokens / seconds, 1) if seconds > 0 else None

    def seconds_left(self) -> float | None:
        """At the speed so far; None before the first batch."""
        if not self.computed:
            return 0.0 if self.done == self.total else None
        return round((self.total - self.done) * self._seconds() / self.computed, 1)

    def close(self, event: str, **more) -> None:
        """The last event, and the end of the bar."""
        self.emit(event, **more)
        self._show()
        if self._is_terminal:
            print(file=sys.stderr)
        self._file.close()

    def _seconds(self) -> float:
        return 0.0 if self._work_started is None else time.monotonic() - self._work_started

    def _show(self) -> None:
        left = self.seconds_left()
        text = f"{self.done:,}/{self.total:,} frames, {self.tokens_per_second() or 0:,.0f} tokens/s"
        text += f", {left:,.0f} s left" if left is not None else ""
        text += f", {self.failed:,} failed" if self.failed else ""
        name = f"{self._constant['encoder']} {self._constant['bin']}"
        if self._is_terminal:
            filled = _BAR * self.done // max(1, self.total)
            print(f"\r{name} [{'#' * filled}{'.' * (_BAR - filled)}] {text}\033[K", end="", file=sys.stderr, flush=True)
        else:
            print(f"{name}: {text}", file=sys.stderr, flush=True)
