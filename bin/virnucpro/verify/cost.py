"""What a run on an input will take: hours on 1, 4 and 16 such devices, disk in the work folder, files."""

from virnucpro.frames.shards import SHARE_OF_SAMPLE, SMALLEST
from virnucpro.packing.plan import LARGEST_TASK, SMALLEST_TASK, number_of_bins
from virnucpro.verify.counting import Counts
from virnucpro.verify.measuring import Bench
from virnucpro.verify.results import OK, Result
from virnucpro.verify.speed import tokens_per_second
from virnucpro.verify.subjects import Subject

CHECK = "cost"
DEVICES = (1, 4, 16)
START_SECONDS = 15  # of a task beside the loading of weights: Python, PyTorch, the container, the scheduler's pace
BYTES_OF_KEY = 40  # of an embedding's frame: key and name
SHARE_COMPRESSED = 0.35  # of a frame's letters, in a shard
FILES_OF_TASK = 14  # that Nextflow and the task write in the task's folder
LARGEST_SHARD = 10_000  # frames, unless --shard_size says otherwise


def check_input(counts: Counts) -> list[Result]:
    """A line: what is in the input."""
    about, how = ("about ", " (a part was extracted, the rest by its bases)") if counts.sampled else ("", "")
    words = (
        f"{counts.sequences:,} sequences, {counts.bases / 1e6:,.1f} million bases, {about}{counts.frames:,} frames{how}"
    )
    numbers = {name: getattr(counts, name) for name in ("sequences", "bases", "frames", "tokens", "sampled")}
    return [Result(CHECK, "input", OK, words, numbers)]


def check_cost(counts: Counts, subjects: list[Subject], bench: Bench) -> list[Result]:
    """Lines for the time and the disk. Raises what went wrong with an encoder."""
    shards = shards_of(counts.frames)
    hours, tasks = {}, {}
    for devices in DEVICES:
        seconds = 0.0
        for s in subjects:
            measured = bench.measured(s, bench.chosen[s.name])
            tokens = counts.tokens[s.kind]
            tasks[devices, s.name] = n = number_of_bins(
                shards, tokens, devices, smallest=SMALLEST_TASK, largest=LARGEST_TASK
            )
            rounds = -(-n // devices)
            seconds += tokens / tokens_per_second(measured) / min(n, devices) if n else 0
            seconds += rounds * (measured.load_seconds + START_SECONDS)
        hours[devices] = seconds / 3600
    time = ", ".join(f"{_hours(h)} on {n} device{'s' if n > 1 else ''}" for n, h in hours.items())
    disk = counts.letters * SHARE_COMPRESSED + counts.frames * sum(4 * s.dim + BYTES_OF_KEY for s in subjects)
    most_tasks = sum(tasks[DEVICES[-1], s.name] for s in subjects)
    files = shards * (1 + len(subjects)) + most_tasks * FILES_OF_TASK
    return [
        Result(
            CHECK,
            "time",
            OK,
            f"embedding takes {time}, if every frame differs from the others; other steps take CPUs alone",
            {f"hours_on_{n}": h for n, h in hours.items()},
        ),
        Result(
            CHECK,
            "disk",
            OK,
            f"{disk / 1e6:,.1f} MB in the work folder, in some {files:,} files; {shards:,} in the largest folder",
            {"bytes": round(disk), "files": files, "largest_folder": shards},
        ),
    ]


def shards_of(frames: int) -> int:
    """How many shards a sample of so many frames has, as frames.shards cuts it: each a thousandth of those before."""
    shards, before = 0, 0
    while before < frames:
        size = min(LARGEST_SHARD, max(SMALLEST, int(before * SHARE_OF_SAMPLE)))
        if size == LARGEST_SHARD:
            return shards + -(-(frames - before) // size)
        before, shards = before + size, shards + 1
    return shards


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 1 else f"{hours:.1f} h"
