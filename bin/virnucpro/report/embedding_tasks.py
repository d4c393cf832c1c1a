"""Embedding tasks: what the plan predicted, what they measured, and how well the devices were used."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Any

from virnucpro.report.inputs import Run

# A stretch in which no task ran at all is a pause (a queue, or a run that was resumed later) when it is longer than
# this many seconds; shorter ones are idle time of the devices.
PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class EmbeddingTask:
    """One task of one encoder. What was not measured, or not planned, is None. Times are seconds since the epoch."""

    task: str
    encoder: str
    state: str  # done | missing
    shards: list[str]
    frames: int | None  # planned
    predicted_load: float | None  # in the plan's unit, tokens or frames
    predicted_tokens: int | None
    tokens: int | None = None  # computed: of distinct sequences that were not in the store, without padding
    padding_share: float | None = None  # padding / (tokens + padding)
    seconds: float | None = None  # the task's work, without loading the model
    load_seconds: float | None = None
    total_seconds: float | None = None
    tokens_per_second: float | None = None
    device: str = ""
    lane: str = ""  # the device's unique name
    lane_short: str = ""
    attempts: int | None = None
    processed: int | None = None
    failed: int | None = None
    unique_sequences: int | None = None  # equal sequences are computed once
    reused: int = 0  # frames taken from the store of earlier results
    recomputed_in_fp32: int = 0
    oom_halvings: int = 0
    kernels_failure: str = ""  # why a GPU did without own kernels
    started: float | None = None
    finished: float | None = None


def list_tasks(run: Run) -> list[EmbeddingTask]:
    """Every planned task, and every reported task that no plan names, by encoder and name."""
    rows = []
    for encoder, plan in run.plan.items():
        for planned in plan["tasks"]:
            report = run.task_reports.get(planned["task"])
            rows.append(_task(planned["task"], encoder, planned, report))
    planned_names = {row.task for row in rows}
    rows += [_task(n, r["encoder"], {}, r) for n, r in run.task_reports.items() if n not in planned_names]
    return sorted(rows, key=lambda row: (row.encoder, row.task))


def _task(name: str, encoder: str, planned: dict[str, Any], report: dict[str, Any] | None) -> EmbeddingTask:
    plan = {
        "task": name,
        "encoder": encoder,
        "frames": planned.get("frames"),
        "predicted_load": planned.get("load"),
        "predicted_tokens": planned.get("tokens"),
    }
    if report is None:
        return EmbeddingTask(**plan, state="missing", shards=planned.get("shards", []))
    seconds = report.get("seconds", {})
    tokens, padding = report.get("tokens"), report.get("padding_tokens", 0)
    device = report.get("device", {})
    host = report.get("hostname", "")
    shards = report.get("shards", [])
    return EmbeddingTask(
        **plan,
        state="done",
        shards=planned.get("shards") or [s["shard"] for s in shards],
        tokens=tokens,
        padding_share=padding / (tokens + padding) if tokens else None,
        seconds=seconds.get("work"),
        load_seconds=seconds.get("load"),
        total_seconds=seconds.get("total"),
        tokens_per_second=report.get("tokens_per_second"),
        device=device.get("name", ""),
        # A MIG slice or one of several equal GPUs is known by its uuid; a CPU has none.
        lane=" · ".join(part for part in (host, device.get("name"), device.get("uuid")) if part),
        lane_short=" · ".join(part for part in (host, (device.get("uuid") or device.get("name") or "")[:12]) if part),
        attempts=report.get("attempt", 1),
        processed=report["processed"],
        failed=len(report["failed"]),
        unique_sequences=report.get("unique_sequences"),
        recomputed_in_fp32=report.get("recomputed_in_fp32", 0),
        reused=sum(s.get("processed", 0) for s in shards if s.get("reused")),
        oom_halvings=report.get("oom_halvings", 0),
        kernels_failure=report.get("kernels_failure", ""),
        started=report.get("started"),
        finished=report.get("finished"),
    )


@dataclass(frozen=True)
class EncoderWork:
    """One encoder's tasks together. `predicted_balance` and `measured_balance` are max / mean over its tasks, 1.0 at
    best: of the plan's load and of the measured seconds of work."""

    encoder: str
    tasks: int
    done: int
    missing: list[str]
    frames: int
    processed: int
    failed: int
    tokens: int
    padding_share: float | None
    seconds: float
    tokens_per_second: float | None  # of the median task
    predicted_balance: float | None
    measured_balance: float | None


def by_encoder(tasks: list[EmbeddingTask]) -> list[EncoderWork]:
    """Sum the tasks up by encoder."""
    groups: dict[str, list[EmbeddingTask]] = defaultdict(list)
    for row in tasks:
        groups[row.encoder].append(row)
    uses = []
    for encoder, rows in groups.items():
        done = [r for r in rows if r.state == "done"]
        padding = [(r.tokens, r.padding_share) for r in done if r.tokens and r.padding_share is not None]
        all_tokens = sum(tokens / (1 - share) for tokens, share in padding if share < 1)
        speeds = [r.tokens_per_second for r in done if r.tokens_per_second]
        uses.append(
            EncoderWork(
                encoder=encoder,
                tasks=len(rows),
                done=len(done),
                missing=[r.task for r in rows if r.state == "missing"],
                frames=sum(r.frames if r.frames is not None else (r.processed or 0) + (r.failed or 0) for r in rows),
                processed=sum(r.processed or 0 for r in done),
                failed=sum(r.failed or 0 for r in done),
                tokens=sum(r.tokens or 0 for r in done),
                padding_share=1 - sum(t for t, _ in padding) / all_tokens if all_tokens else None,
                seconds=sum(r.seconds or 0 for r in done),
                tokens_per_second=median(speeds) if speeds else None,
                predicted_balance=_balance([r.predicted_load for r in rows]),
                # A task whose shards all came from the store took no time, which says nothing about the plan.
                measured_balance=_balance([r.seconds for r in done if not r.reused]),
            )
        )
    return uses


def _balance(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return max(known) / (sum(known) / len(known)) if known and sum(known) > 0 else None


@dataclass(frozen=True)
class Lane:
    """A place where one task at a time ran: a device, or one of several where tasks shared a device."""

    name: str
    short_name: str
    tasks: list[EmbeddingTask]


@dataclass(frozen=True)
class Use:
    """How the devices were used while embedding tasks ran. Shares are of lanes x running seconds.

    `efficiency` is what one device would need for all of it (every second of work, each model loaded once), divided by
    the running seconds times the lanes: 1 means that n devices were n times as fast as one.
    """

    lanes: list[Lane]
    devices: int
    pauses: list[tuple[float, float]]  # nothing ran
    started: float
    finished: float
    running_seconds: float  # from start to finish without the pauses
    idle_share: float
    efficiency: float


def device_use(tasks: list[EmbeddingTask]) -> Use | None:
    """Lay the tasks out on their devices; None where no task told its times."""
    timed = [b for b in tasks if b.started is not None and b.finished is not None]
    if not timed:
        return None
    by_device: dict[str, list[EmbeddingTask]] = defaultdict(list)
    for row in sorted(timed, key=lambda b: (b.started, b.task)):
        by_device[row.lane].append(row)
    lanes = [lane for name in sorted(by_device) for lane in _lanes(name, by_device[name])]
    pauses = _pauses(timed)
    started, finished = min(b.started for b in timed), max(b.finished for b in timed)
    running = finished - started - sum(end - begin for begin, end in pauses)
    busy = sum(b.finished - b.started for b in timed)
    # Each encoder's model is loaded once on a single device, in the time of its quickest load here.
    loads: dict[str, float] = {}
    for row in timed:
        if row.load_seconds is not None:
            loads[row.encoder] = min(loads.get(row.encoder, row.load_seconds), row.load_seconds)
    alone = sum(b.seconds or 0 for b in timed) + sum(loads.values())
    available = len(lanes) * running
    return Use(
        lanes=lanes,
        devices=len(by_device),
        pauses=pauses,
        started=started,
        finished=finished,
        running_seconds=running,
        idle_share=max(0.0, 1 - busy / available) if available else 0.0,
        efficiency=min(1.0, alone / available) if available else 1.0,
    )


def _lanes(name: str, tasks: list[EmbeddingTask]) -> list[Lane]:
    """Tasks of one device in order of start, spread over as many lanes as ran at the same time."""
    lanes: list[list[EmbeddingTask]] = []
    for task in tasks:
        # Half a second: two clocks, rounding; a device's next task never really starts before the last one ends.
        free = next((lane for lane in lanes if lane[-1].finished <= task.started + 0.5), None)
        if free is None:
            lanes.append([task])
        else:
            free.append(task)
    brief = tasks[0].lane_short
    if len(lanes) == 1:
        return [Lane(name, brief, lanes[0])]
    return [Lane(f"{name} ({i})", f"{brief} ({i})", lane) for i, lane in enumerate(lanes, 1)]


def _pauses(tasks: list[EmbeddingTask]) -> list[tuple[float, float]]:
    """Stretches longer than PAUSE_SECONDS and 5 % of the time that tasks ran, in which none did."""
    gaps, end, covered = [], None, 0.0
    for task in sorted(tasks, key=lambda b: b.started):
        if end is not None and task.started > end:
            gaps.append((end, task.started))
        covered += max(0.0, task.finished - max(task.started, end if end is not None else task.started))
        end = max(task.finished, end) if end is not None else task.finished
    return [(a, b) for a, b in gaps if b - a > max(PAUSE_SECONDS, 0.05 * covered)]
