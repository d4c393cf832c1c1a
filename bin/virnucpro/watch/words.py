"""How the watcher says numbers and times, on a screen and in lines."""

from virnucpro.watch.state import Encoder, Snapshot
from virnucpro.watch.task import Task

LABELS = {"dnabert_s": "DNABERT-S", "esm2": "ESM-2"}


def label(encoder: str) -> str:
    """An encoder's name for people."""
    return LABELS.get(encoder, encoder)


def duration(seconds: float | None) -> str:
    """75 -> 1 min 15 s; empty for None."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{whole // 60} min"
    return (
        f"{whole // 3600} h {whole % 3600 // 60} min"
        if whole < 86400
        else f"{whole // 86400} d {whole % 86400 // 3600} h"
    )


def speed(tokens_per_second: float | None) -> str:
    """12345 -> 12,345 tokens/s; empty for None or 0."""
    return f"{tokens_per_second:,.0f} tokens/s" if tokens_per_second else ""


def count(done: int, total: int | None) -> str:
    """5 of 10 frames as 5/10, or just the count where the total is not known."""
    return f"{done:,}" if total is None else f"{done:,}/{total:,}"


def trouble(task: Task, state: str, now: float) -> str:
    """What is wrong with a task, or what is worth knowing; empty where nothing is."""
    words = []
    if state == "dead":
        words.append(ending(task))
    elif state == "silent":
        words.append(f"silent for {duration(now - task.seen)}")
    elif state == "loading":
        words.append("loading the model")
    if task.attempt > 1:
        words.append(f"attempt {task.attempt}")
    if task.failed:
        words.append(f"{task.failed:,} failed")
    if task.retries:
        words.append(f"{task.retries:,} batches tried again")
    return ", ".join(words)


def ending(task: Task) -> str:
    """How a task ended before its bin did."""
    code = f", exit {task.exit_code}" if task.exit_code else ""
    return f"ended early{code}{f': {task.message}' if task.message else ''}"


def encoder_line(e: Encoder) -> str:
    """One encoder's totals in words."""
    parts = [f"{label(e.name)} {count(e.bins_done, e.bins)} bins", f"{count(e.frames_done, e.frames)} frames"]
    if e.frames:
        parts[1] += f" ({100 * e.frames_done / e.frames:.1f} %)"
    parts += [speed(e.tokens_per_second)] if e.tokens_per_second else []
    parts += [f"{e.failed:,} failed"] if e.failed else []
    return ", ".join(parts)


def queue_line(snapshot: Snapshot, most: int = 8) -> str:
    """The bins that no task has begun."""
    queue = [name for e in snapshot.encoders for name in e.queue]
    if not queue:
        return "queue: empty" if snapshot.planned else "queue: not known, no plan yet"
    more = f" and {len(queue) - most:,} more" if len(queue) > most else ""
    return f"queue: {len(queue):,} bins: {', '.join(queue[:most])}{more}"
