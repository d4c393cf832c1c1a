"""How far a download is: a line that is redrawn where stderr is a terminal, one now and then where it is a log."""

import sys
import time
from pathlib import Path
from typing import TextIO

from virnucpro.words import duration


def human(size: float) -> str:
    """Bytes as people write them: 5.7 GB (decimal, as disks and networks are sold)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class Progress:
    """Counts the bytes of one file. `note`: a file that holds the latest display, for other programs."""

    def __init__(
        self, label: str, stream: TextIO | None = None, interval: float | None = None, note: Path | None = None
    ):
        self.label, self.stream, self.note = label, stream or sys.stderr, note
        self.terminal = self.stream.isatty()
        self.interval = interval if interval is not None else (0.2 if self.terminal else 15.0)
        self.started = self.shown = time.monotonic()
        self.first = 0

    def start(self, done: int) -> None:
        """The download (re)starts with `done` bytes already there; the speed counts from here."""
        self.started, self.first = time.monotonic(), done

    def update(self, done: int, total: int | None) -> None:
        """`done` bytes are there; shown when the last display is old enough."""
        if time.monotonic() - self.shown >= self.interval:
            self.show(done, total)

    def show(self, done: int, total: int | None) -> None:
        self.shown = time.monotonic()
        speed = (done - self.first) / max(self.shown - self.started, 1e-3)
        text = f"{human(done)}" + (f" of {human(total)} ({100 * done // max(total, 1)} %)" if total else "")
        text += f", {human(speed)}/s"
        if total and speed > 0 and done < total:
            text += f", {duration((total - done) / speed)} left"
        line = f"{self.label}: {text}"
        self.stream.write(f"\r\033[K{line}" if self.terminal else f"{line}\n")
        self.stream.flush()
        if self.note:
            self.note.write_text(f"{line}\n", encoding="utf-8")

    def end(self, done: int, total: int | None) -> None:
        """The last display, so that a log shows that the file is there and at which speed it came."""
        self.show(done, total)
        if self.terminal:
            self.stream.write("\n")
