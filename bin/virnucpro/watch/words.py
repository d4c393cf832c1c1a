"""How the watcher says numbers and times, on a screen and in lines."""

from virnucpro.encoders.kinds import label
from virnucpro.watch.attempt import Attempt
from virnucpro.watch.state import EncoderProgress, Snapshot
from virnucpro.words import duration


def speed(tokens_per_second: float | None) -> str:
    """12345 -> 12,345 tokens/s; empty for None or 0."""
    return f"{tokens_per_second:,.0f} tokens/s" if tokens_per_second else ""


def count(done: int, total: int | None) -> str:
    """5 of 10 frames as 5/10, or just the count where the total is not known."""
    return f"{done:,}" if total is None else f"{done:,}/{total:,}"


def trouble(task: Attempt, state: str, now: float) -> str:
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


def ending(task: Attempt) -> str:
    """How an attempt ended before its task was done."""
    code = f", exit {task.exit_code}" if task.exit_code else ""
    return f"ended early{code}{f': {task.message}' if task.message else ''}"


def encoder_line(e: EncoderProgress) -> str:
    """One encoder's totals in words."""
    parts = [f"{label(e.name)} {count(e.tasks_done, e.tasks)} tasks", f"{count(e.frames_done, e.frames)} frames"]
    if e.frames:
        parts[1] += f" ({100 * e.frames_done / e.frames:.1f} %)"
    parts += [speed(e.tokens_per_second)] if e.tokens_per_second else []
    parts += [f"{e.failed:,} failed"] if e.failed else []
    return ", ".join(parts)


def queue_line(snapshot: Snapshot, most: int = 8) -> str:
    """The tasks that have not begun."""
    queue = [name for e in snapshot.encoders for name in e.queue]
    if not queue:
        return "queue: empty" if snapshot.planned else "queue: not known, no plan yet"
    more = f" and {len(queue) - most:,} more" if len(queue) > most else ""
    return f"queue: {len(queue):,} tasks: {', '.join(queue[:most])}{more}"
