"""One attempt at one task, as its event file tells."""

from collections import deque
from dataclasses import dataclass, field

from virnucpro.watch.tail import EventFile
from virnucpro.words import printable

FAILURES_KEPT = 100


@dataclass
class Attempt:
    """One attempt at one task. Times are seconds since the epoch, by the clock of the task's node."""

    name: str
    file: EventFile
    started: float
    seen: float  # last sign of life
    encoder: str = ""
    attempt: int = 1
    hostname: str = ""
    device: dict = field(default_factory=dict)
    done: int = 0
    total: int | None = None  # None while the model loads
    failed: int = 0
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    retries: int = 0  # batches that were tried again in smaller parts
    ended: bool = False
    message: str = ""  # why it ended early, in its own words
    exit_code: int | None = None
    failures: deque = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))  # (frame, reason)
    failures_new: int = 0  # events of failure so far

    @property
    def where(self) -> str:
        """Host and device, short."""
        name = self.device.get("name", "").removeprefix("NVIDIA ")
        parts = (self.hostname.split(".")[0], name[:20].strip(), (self.device.get("uuid") or "")[:12])
        return printable(" ".join(part for part in parts if part))

    @property
    def where_short(self) -> str:
        """The device alone, or the host where the device has no unique name."""
        return printable((self.device.get("uuid") or self.hostname.split(".")[0])[:12])

    def state(self, now: float, silent_after: float) -> str:
        """done | dead (it ended before its task was done) | silent (no sign for too long) | loading | running."""
        if self.message or self.exit_code not in (None, 0):
            return "dead"
        if self.ended or self.exit_code == 0:
            return "done"
        # A model of 11 GB may take minutes to read, and says nothing meanwhile; then the first batches compile.
        is_loading = not self.done and not self.tokens_per_second
        if now - self.seen > silent_after * (5 if is_loading else 1):
            return "silent"
        return "loading" if is_loading else "running"

    def is_over(self) -> bool:
        """Whether nothing more is to be learnt about it."""
        return self.exit_code not in (None, 0) or (self.ended and not self.message)

    def frames_per_second(self) -> float | None:
        """From the task's own forecast while it runs, from its whole time afterwards."""
        if self.total is None or not self.done:
            return None
        if not self.ended and self.seconds_left:
            return (self.total - self.done) / self.seconds_left
        return self.done / max(1e-3, self.seen - self.started)

    def take(self, event: dict) -> None:
        """Follow one event."""
        kind = event["event"]
        if self.total is None:
            self.started = event["time"]
        self.seen = max(self.seen, event["time"])
        self.encoder = event.get("encoder", self.encoder)
        self.attempt = event.get("attempt", self.attempt)
        self.hostname = event.get("hostname") or self.hostname
        self.device = event.get("device") or self.device
        self.done = event.get("done", self.done)
        self.total = event.get("total", self.total)
        self.failed = event.get("failed") if isinstance(event.get("failed"), int) else self.failed
        self.tokens_per_second = event.get("tokens_per_second")
        self.seconds_left = event.get("seconds_left")
        self.retries += kind == "retry"
        if kind == "end":  # with a message where the task was stopped or failed
            self.ended, self.message = True, printable(event.get("message", ""))
        if kind == "failed":
            self.failures_new += 1
            self.failures.append((printable(event.get("frame_id", "")), printable(event.get("reason", ""))))
