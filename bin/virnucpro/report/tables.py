"""The report's tables for machines and spreadsheets: summary.json, embedding_tasks.tsv, failures.tsv."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from virnucpro.report.embedding_tasks import EmbeddingTask
from virnucpro.report.outcome import Failure
from virnucpro.words import printable

TASK_COLUMNS = (
    "task",
    "encoder",
    "state",
    "shards",
    "frames",
    "predicted_load",
    "predicted_tokens",
    "tokens",
    "seconds",
    "load_seconds",
    "total_seconds",
    "tokens_per_second",
    "padding_share",
    "device",
    "attempts",
    "processed",
    "failed",
    "unique_sequences",
    "reused",
    "recomputed_in_fp32",
    "oom_halvings",
    "started",
    "finished",
)
FAILURE_COLUMNS = ("level", "sample", "id", "encoder", "task", "frame_key", "reason")


def write_tasks(rows: list[EmbeddingTask], path: Path) -> None:
    """One row per task; a cell is empty where nothing was measured."""
    _write(TASK_COLUMNS, ({**vars(r), "shards": len(r.shards)} for r in rows), path)


def write_failures(rows: list[Failure], path: Path) -> None:
    """One row per failure, all that are listed (Outcome.unlisted counts the others)."""
    _write(FAILURE_COLUMNS, (vars(r) for r in rows), path)


def write_figures(rows: list[dict[str, Any]], path: Path) -> None:
    """One row per caller, level, size and part; each figure with the ends of its interval. Empty where it has no
    meaning."""
    flat = [_flat(row) for row in rows]
    _write(tuple(flat[0]) if flat else (), flat, path)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, list):
            flat |= dict(zip((name, f"{name}_low", f"{name}_high"), value, strict=True))
        else:
            flat[name] = value
    return flat


def write_json(content: dict[str, Any], path: Path) -> None:
    """Indented JSON with a final newline."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write(columns: tuple[str, ...], rows: Iterable[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write("\t".join(columns) + "\n")
        for row in rows:
            out.write("\t".join(_cell(row[c]) for c in columns) + "\n")


def _cell(value: Any) -> str:
    """A number or text of one line; tabs and line ends in an id are shown as escapes, so that columns stay columns."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.3f}"
    return printable(value)
