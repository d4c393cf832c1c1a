"""The report's part on the embedding tasks: encoders, devices over time, predicted and measured load."""

from typing import Any

from multiqc import BaseMultiqcModule

from virnucpro.encoders.kinds import colour, label
from virnucpro.report import figures
from virnucpro.report.embedding_tasks import EmbeddingTask, EncoderWork, Use
from virnucpro.report.html import (
    Raw,
    box,
    card,
    cards,
    legend,
    note,
    number,
    percent,
    short,
    table,
    text,
)
from virnucpro.words import duration

MOST_ROWS = 1000  # tasks in the table and in each figure
MOST_LANES = 100
MOST_TASKS = 2000  # drawn over time


def embedding_sections(
    tasks: list[EmbeddingTask], encoders: list[EncoderWork], use: Use | None, models: dict[str, Any], unit: str
) -> BaseMultiqcModule:
    """Encoders, devices over time, tasks predicted against measured."""
    module = BaseMultiqcModule(
        name="Embedding",
        anchor="embedding",
        info="The open frames are packed into tasks of equal load; each task runs on one device.",
    )
    if not tasks:
        content = box(note("No frame was open, so nothing was embedded."))
        module.add_section(name="Encoders", anchor="embedding-encoders", content=content)
        return module
    module.add_section(name="Encoders", anchor="embedding-encoders", content=box(_encoders(encoders, models)))
    if use:
        module.add_section(
            name="Devices over time",
            anchor="embedding-gantt",
            description="One row per device, one block per task, with model loading. An orange edge marks a task that "
            "was tried again or in which frames failed; the pointer shows the figures.",
            content=box(
                _use(use), _encoder_legend(encoders), figures.gantt(use, MOST_LANES, MOST_TASKS), _gantt_caps(use)
            ),
        )
    measured = [e.encoder for e in encoders if any(_comparable(b) for b in tasks if b.encoder == e.encoder)]
    panels = "".join(
        figures.predicted_measured(
            [b for b in tasks if b.encoder == e and _comparable(b)][:MOST_ROWS], e, label(e), unit
        )
        for e in measured
    )
    module.add_section(
        name="Tasks, predicted and measured",
        anchor="embedding-tasks",
        description="A dot on the dashed line took just as long as its predicted load promised. The table is also in "
        "<code>pipeline_info/embedding_tasks.tsv</code>.",
        content=box(f'<div class="vnp-grid">{panels}</div>', _tasks(tasks, unit)),
    )
    return module


def _comparable(row: EmbeddingTask) -> bool:
    """Measured afresh: a task taken from the store costs no time."""
    return bool(row.predicted_load) and row.seconds is not None and not row.reused


def _encoder_legend(encoders: list[EncoderWork]) -> str:
    return legend((label(e.encoder), colour(e.encoder)) for e in encoders)


def _encoders(encoders: list[EncoderWork], models: dict[str, Any]) -> str:
    known = {m.get("kind"): m for m in models.get("encoders", [])}
    rows = [
        (
            label(e.encoder),
            known.get(e.encoder, {}).get("name", ""),
            f"{e.done:,} of {e.tasks:,}",
            e.frames,
            e.processed,
            e.failed,
            short(e.tokens),
            percent(e.padding_share),
            number(e.tokens_per_second),
            number(e.predicted_balance, 3),
            number(e.measured_balance, 3),
        )
        for e in encoders
    ]
    columns = (
        "encoder",
        "model",
        "bins done",
        "frames",
        "processed",
        "failed",
        "tokens",
        "padding",
        "tokens/s",
        "balance, predicted",
        "balance, measured",
    )
    return table(columns, rows, "--nnnnnnnnn") + note(
        "<em>tokens/s</em> is of the median task. <em>Balance</em> is max / mean over the tasks, 1 at best: of the "
        "plan's load, and of the measured seconds of work."
    )


def _use(use: Use) -> str:
    pause = sum(b - a for a, b in use.pauses)
    rows = [
        (devices(use).partition(" ")[2], number(use.devices)),
        ("time in which tasks ran", duration(use.running_seconds)),
        ("idle share", percent(use.idle_share)),
        ("scaling efficiency", percent(use.efficiency)),
    ]
    if use.pauses:
        rows.append(("pauses (no task ran; not counted as idle)", duration(pause)))
    return cards((card(text(value), label) for label, value in rows), wide=True) + note(
        "<em>Idle share</em>: part of the devices' time in which no task was on them. <em>Scaling efficiency</em>: the "
        "time one device would need for all of the work, loading each model once, over the devices' time; 100 % means "
        "that n devices were n times as fast as one."
    )


def devices(use: Use) -> str:
    """On how many devices, and how many tasks at a time where they shared devices."""
    words = f"{use.devices:,} device{'s' if use.devices > 1 else ''}"
    return words if len(use.lanes) == use.devices else f"{words}, {len(use.lanes):,} tasks at once"


def _gantt_caps(use: Use) -> str:
    tasks = sum(len(lane.tasks) for lane in use.lanes[:MOST_LANES])
    words = []
    if len(use.lanes) > MOST_LANES:
        words.append(f"{MOST_LANES:,} of {len(use.lanes):,} devices are drawn.")
    if tasks > MOST_TASKS:
        words.append(f"{MOST_TASKS:,} of {tasks:,} tasks are drawn.")
    return note(" ".join(words)) if words else ""


def _tasks(tasks: list[EmbeddingTask], unit: str) -> str:
    # Missing first, then failures and retries, then the slowest: what an operator looks for.
    ranked = sorted(
        tasks, key=lambda b: (b.state == "done", -(b.failed or 0), -(b.attempts or 0), -(b.seconds or 0), b.task)
    )
    shown = ranked[:MOST_ROWS]
    rows = [
        (
            b.task,
            Raw("done") if b.state == "done" else Raw('<strong style="color:#d55e00">missing</strong>'),
            f"{b.processed or 0:,} of {b.frames if b.frames is not None else (b.processed or 0) + (b.failed or 0):,}",
            b.failed,
            number(b.predicted_load),
            b.tokens,
            duration(b.seconds),
            number(b.tokens_per_second),
            percent(b.padding_share),
            b.attempts,
            b.device,
            len(b.shards),
            _remarks(b),
        )
        for b in shown
    ]
    columns = (
        "task",
        "state",
        "frames processed",
        "failed",
        f"predicted load ({unit})",
        "tokens",
        "time",
        "tokens/s",
        "padding",
        "attempts",
        "device",
        "shards",
        "remarks",
    )
    shown_table = table(columns, rows, "--nnnnnnnn-nw")
    more = note(f"{len(shown):,} of {len(tasks):,} tasks are shown.") if len(tasks) > len(shown) else ""
    return shown_table + more


def _remarks(row: EmbeddingTask) -> str:
    """What else happened to a task: why it took less, or more, than its load promised."""
    frames = (row.processed or 0) + (row.failed or 0)
    words = [f"{row.reused:,} frames from the store of earlier results"] if row.reused else []
    if row.unique_sequences is not None and not row.reused and row.unique_sequences < 0.99 * frames:
        words.append(f"{row.unique_sequences:,} distinct sequences")
    words += [f"{row.recomputed_in_fp32:,} computed again in fp32"] if row.recomputed_in_fp32 else []
    words += [f"batch halved {row.oom_halvings} times for want of memory"] if row.oom_halvings else []
    words += [f"plain PyTorch ({row.kernels_failure})"] if row.kernels_failure else []
    return "; ".join(words)
