"""The run's outcome: is everything there, what is missing, what failed and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from virnucpro.names import CHUNK_STATES, SEQUENCE_STATES, sample_of
from virnucpro.report.embedding_tasks import EmbeddingTask, EncoderWork, Use
from virnucpro.report.inputs import Run

WHERE_TO_LOOK = (
    "pipeline_info/execution_trace.tsv lists the task's exit status and hash, .command.log in its work folder has the "
    "message"
)


@dataclass(frozen=True)
class Failure:
    """One thing that has no result. `level` is sample, task, sequence, chunk or frame."""

    level: str
    sample: str
    id: str
    encoder: str
    task: str
    frame_key: int | None
    reason: str


@dataclass(frozen=True)
class Outcome:
    """`complete` says that every task's results are there; `problems` has one line for whatever is amiss."""

    complete: bool
    problems: list[str]
    failures: list[Failure]
    unlisted: int  # failures that the samples counted and nothing lists: a sample lists its first 1,000


def judge(run: Run, tasks: list[EmbeddingTask]) -> Outcome:
    """Compare what is there with what should be there."""
    problems = [f"report file {line}" for line in run.unreadable]
    complete = not problems
    failures: list[Failure] = []

    missing_samples = [s for s in run.expected_samples if s not in run.summaries]
    for sample in missing_samples:
        reason = f"no result: {_why(run, sample, 'a task of this sample failed')}; {WHERE_TO_LOOK}"
        problems.append(f"sample {sample}: {reason}")
        failures.append(Failure("sample", sample, "", "", "", None, reason))
    for sample, summary in run.summaries.items():
        lines = _sample_problems(sample, summary)
        complete = complete and not lines
        problems += lines
        if summary["state"] == "failed":
            failures.append(Failure("sample", sample, "", "", "", None, summary.get("reason", "")))

    for row in (b for b in tasks if b.state == "missing"):
        samples = sorted({sample_of(shard) for shard in row.shards})
        frames = f"{row.frames:,} frames" if row.frames is not None else "frames"
        reason = (
            f"no result: {_why(run, row.task, 'it failed')}; {frames} of {_some(samples)} have no {row.encoder} "
            f"embedding; {WHERE_TO_LOOK}"
        )
        problems.append(f"task {row.task}: {reason}")
        failures.append(Failure("task", ", ".join(samples), row.task, row.encoder, row.task, None, reason))
        complete = False

    if lost := _collected_problem(run):
        problems.append(lost)
        complete = False

    frame_failures = _frames(run)
    for row in tasks:
        if row.failed:
            problems.append(f"task {row.task}: {row.failed:,} of {row.failed + row.processed:,} frames failed")
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
    order = {"sample": 0, "task": 1, "sequence": 2, "chunk": 3, "frame": 4}
    failures = sorted(failures + frame_failures, key=lambda f: order.get(f.level, 5))
    return Outcome(complete and not missing_samples, problems, failures, unlisted)


def _collected_problem(run: Run) -> str:
    """Why the tables of all samples are not whole, or an empty text."""
    if run.collected is None or not run.summaries:
        return ""
    files = "viruses.tsv, viruses.fasta.gz and their Parquet twins of all samples"
    if not run.collected:
        return f"{files}: no result: {_why(run, 'run', 'the task failed')}; the samples' own files are whole"
    counts = totals(run)["sequences"]
    found = {"samples": len(run.summaries), "sequences": counts["total"], "viruses": counts["virus"]}
    wrong = [f"{run.collected[what]:,} of {n:,} {what}" for what, n in found.items() if run.collected.get(what, n) != n]
    return f"{files} hold {', '.join(wrong)}" if wrong else ""


def _why(run: Run, tag: str, otherwise: str) -> str:
    """What the task said that failed for good, named by its sample or its embedding task."""
    for failed in run.failed_tasks:
        if failed["tag"] == tag:
            said = f": {failed['reason'].removeprefix('error: ')}" if failed["reason"] else ""
            return f"{failed['process']} failed at try {failed['attempt']} with exit status {failed['exit']}{said}"
    return otherwise


def _sample_problems(sample: str, summary: dict[str, Any]) -> list[str]:
    """Why a sample's results are not whole."""
    lines = []
    counts = summary["sequences"]
    lost = [
        f"{part['failed']:,} of {part[whole]:,} {name} failed"
        for name, whole in (("sequences", "total"), ("chunks", "total"), ("frames", "total"))
        if (part := summary.get(name, {})).get("failed")
    ]
    if summary["state"] != "complete" or lost:
        reason = "; ".join(([summary["reason"]] if summary.get("reason") else []) + lost) or "no reason was given"
        lines.append(f"sample {sample}: {summary['state']}: {reason}")
    if (added := sum(counts.get(state, 0) for state in SEQUENCE_STATES)) != counts["total"]:
        lines.append(f"sample {sample}: its states add up to {added:,}, but it has {counts['total']:,} sequences")
    return lines


def _frames(run: Run) -> list[Failure]:
    return [
        Failure(
            "frame",
            sample_of(frame["shard"]),
            frame["frame_id"],
            report["encoder"],
            name,
            frame["frame_key"],
            frame["reason"],
        )
        for name, report in run.task_reports.items()
        for frame in report["failed"]
    ]


def _some(names: list[str], most: int = 5) -> str:
    """At most `most` names in one line."""
    head = ", ".join(names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"sample{'s' if len(names) > 1 else ''} {head}{more}"


def totals(run: Run) -> dict[str, Any]:
    """Counts over all samples: bases; sequences, chunks and frames by state; sequences that each
    classifier called, and that a screening left out; sequences by genetic code."""
    summaries = run.summaries.values()
    count = {
        part: {key: sum(s.get(part, {}).get(key, 0) for s in summaries) for key in keys}
        for part, keys in {
            "sequences": ("total", *SEQUENCE_STATES),
            "chunks": ("total", *CHUNK_STATES),
            "frames": ("total", "stretches", "scored", "failed"),
        }.items()
    }
    screened = sum(s.get("screened", 0) for s in summaries)
    called: dict[str, int] = {}
    for s in summaries:
        for classifier, sequences in s.get("classifiers", {}).items():
            called[classifier] = called.get(classifier, 0) + sequences
    codes = {name: _by_code(summaries, name) for name in ("genetic_codes", "better_genetic_codes")}
    return {
        "bases": sum(s.get("bases", 0) for s in summaries),
        **count,
        "classifiers": called,
        "screened": screened,
        **codes,
    }


def _by_code(summaries: Iterable[dict[str, Any]], name: str) -> dict[str, dict[str, int]]:
    """Sequences and bases of each genetic code, over all samples."""
    found: dict[str, dict[str, int]] = {}
    for code, counts in (item for s in summaries for item in s.get(name, {}).items()):
        total = found.setdefault(code, {"sequences": 0, "bases": 0})
        for what in total:
            total[what] += counts[what]
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def viral_share(sequences: dict[str, int]) -> float | None:
    """Viral among the sequences that were scored; None where none was."""
    scored = sequences.get("virus", 0) + sequences.get("other", 0)
    return sequences.get("virus", 0) / scored if scored else None


def machine_summary(run: Run, outcome: Outcome, encoders: list[EncoderWork], use: Use | None) -> dict[str, Any]:
    """What summary.json holds."""
    states = [s["state"] for s in run.summaries.values()]
    return {
        "format": 1,
        "complete": outcome.complete,
        "problems": outcome.problems,
        "missing_tasks": [name for e in encoders for name in e.missing],
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
