"""The run's outcome: is everything there, what is missing, what failed and why."""

from dataclasses import dataclass
from typing import Any

from virnucpro.report.bins import Bin, EncoderUse, Use
from virnucpro.report.inputs import STATES, Run

WHERE_TO_LOOK = (
    "pipeline_info/execution_trace.tsv lists the task's exit status and hash, .command.log in its work folder has the "
    "message"
)


@dataclass(frozen=True)
class Failure:
    """One thing that has no result. `level` is sample, bin, sequence, chunk or frame."""

    level: str
    sample: str
    id: str
    encoder: str
    bin: str
    frame_key: int | None
    reason: str


@dataclass(frozen=True)
class Outcome:
    """`complete` says that every task's results are there; `problems` has one line for whatever is amiss."""

    complete: bool
    problems: list[str]
    failures: list[Failure]
    unlisted: int  # failures that the samples counted and nothing lists: a sample lists its first 1,000


def judge(run: Run, bins: list[Bin]) -> Outcome:
    """Compare what is there with what should be there."""
    problems = [f"report file {line}" for line in run.unreadable]
    complete = not problems
    failures: list[Failure] = []

    missing_samples = [s for s in run.expected_samples if s not in run.summaries]
    for sample in missing_samples:
        reason = f"no result: a task of this sample failed; {WHERE_TO_LOOK}"
        problems.append(f"sample {sample}: {reason}")
        failures.append(Failure("sample", sample, "", "", "", None, reason))
    for sample, summary in run.summaries.items():
        lines = _sample_problems(sample, summary)
        complete = complete and not lines
        problems += lines
        if summary["state"] == "failed":
            failures.append(Failure("sample", sample, "", "", "", None, summary.get("reason", "")))

    for row in (b for b in bins if b.state == "missing"):
        samples = sorted({shard.rsplit(".shard_", 1)[0] for shard in row.shards})
        frames = f"{row.frames:,} frames" if row.frames is not None else "frames"
        reason = (
            f"no result after its retries; {frames} of {_some(samples)} have no {row.encoder} embedding; "
            f"{WHERE_TO_LOOK}"
        )
        problems.append(f"bin {row.bin}: {reason}")
        failures.append(Failure("bin", ", ".join(samples), row.bin, row.encoder, row.bin, None, reason))
        complete = False

    frame_failures = _frames(run)
    for row in bins:
        if row.failed:
            problems.append(f"bin {row.bin}: {row.failed:,} of {row.failed + row.processed:,} frames failed")
    frames_of: dict[str, set[str]] = {}
    for failure in frame_failures:
        frames_of.setdefault(failure.sample, set()).add(failure.id)
    unlisted = 0
    for sample, summary in run.summaries.items():
        listed = summary.get("failures", [])
        # Frames that an embedding task lists are in the table even where the sample's own list is cut off before them.
        reported = frames_of.get(sample, set())
        more = len(reported - {item["id"] for item in listed})
        unlisted += max(0, summary.get("failures_total", len(listed)) - len(listed) - more)
        for item in listed:
            # The embedding task's own line about a frame says more than the sample's.
            if item["level"] == "frame" and item["id"] in reported:
                continue
            failures.append(Failure(item["level"], sample, item["id"], "", "", None, item["reason"]))
    order = {"sample": 0, "bin": 1, "sequence": 2, "chunk": 3, "frame": 4}
    failures = sorted(failures + frame_failures, key=lambda f: order.get(f.level, 5))
    return Outcome(complete and not missing_samples, problems, failures, unlisted)


def _sample_problems(sample: str, summary: dict[str, Any]) -> list[str]:
    """Why a sample's results are not whole."""
    lines = []
    counts = summary["sequences"]
    lost = [
        f"{part['failed']:,} of {part[whole]:,} {name} failed"
        for name, whole in (("sequences", "total"), ("chunks", "total"), ("frames", "open"))
        if (part := summary.get(name, {})).get("failed")
    ]
    if summary["state"] != "complete" or lost:
        reason = "; ".join(([summary["reason"]] if summary.get("reason") else []) + lost) or "no reason was given"
        lines.append(f"sample {sample}: {summary['state']}: {reason}")
    if (added := sum(counts.get(state, 0) for state in STATES)) != counts["total"]:
        lines.append(f"sample {sample}: its states add up to {added:,}, but it has {counts['total']:,} sequences")
    return lines


def _frames(run: Run) -> list[Failure]:
    return [
        Failure(
            "frame",
            frame["shard"].rsplit(".shard_", 1)[0],
            frame["frame_id"],
            report["encoder"],
            name,
            frame["frame_key"],
            frame["reason"],
        )
        for name, report in run.bin_reports.items()
        for frame in report["failed"]
    ]


def _some(names: list[str], most: int = 5) -> str:
    """At most `most` names in one line."""
    head = ", ".join(names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"sample{'s' if len(names) > 1 else ''} {head}{more}"


def totals(run: Run) -> dict[str, Any]:
    """Counts over all samples: bases, and sequences, chunks and frames by state."""
    summaries = run.summaries.values()
    count = {
        part: {key: sum(s.get(part, {}).get(key, 0) for s in summaries) for key in keys}
        for part, keys in {
            "sequences": ("total", *STATES),
            "chunks": ("total", "virus", "other", "no_open_frame", "failed"),
            "frames": ("open", "scored", "failed"),
        }.items()
    }
    return {"bases": sum(s.get("bases", 0) for s in summaries), **count}


def viral_share(sequences: dict[str, int]) -> float | None:
    """Viral among the sequences that were scored; None where none was."""
    scored = sequences.get("virus", 0) + sequences.get("other", 0)
    return sequences.get("virus", 0) / scored if scored else None


def machine_summary(run: Run, outcome: Outcome, encoders: list[EncoderUse], use: Use | None) -> dict[str, Any]:
    """What summary.json holds."""
    states = [s["state"] for s in run.summaries.values()]
    return {
        "format": 1,
        "complete": outcome.complete,
        "problems": outcome.problems,
        "missing_bins": [name for e in encoders for name in e.missing],
        "samples": {
            "expected": len(set(run.expected_samples) | set(run.summaries)),
            "reported": len(states),
            **{state: states.count(state) for state in ("complete", "partial", "failed")},
        },
        **totals(run),
        "failures_listed": len(outcome.failures),
        "failures_not_listed": outcome.unlisted,
        "encoders": {e.encoder: {k: v for k, v in vars(e).items() if k != "encoder"} for e in encoders},
        "devices": None
        if use is None
        else {
            "devices": use.devices,
            "tasks_at_once": len(use.lanes),
            "started": use.started,
            "finished": use.finished,
            "running_seconds": use.running_seconds,
            "pause_seconds": sum(b - a for a, b in use.pauses),
            "idle_share": use.idle_share,
            "scaling_efficiency": use.efficiency,
        },
        "per_sample": [
            {
                "sample": sample,
                "state": s["state"],
                "reason": s.get("reason", ""),
                "bases": s.get("bases", 0),
                "sequences": s["sequences"],
                "chunks": s.get("chunks", {}),
                "frames": s.get("frames", {}),
                "viral_share": viral_share(s["sequences"]),
            }
            for sample, s in run.summaries.items()
        ],
    }
