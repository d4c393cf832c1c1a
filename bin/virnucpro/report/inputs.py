"""What the tasks of a run left behind, read from their JSON files (docs/report.md lists the files and their fields)."""

import json
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from virnucpro.errors import InputError


@dataclass(frozen=True)
class Run:
    """One run's reports. `unreadable` has one line for each file that could not be used, so that one damaged file
    does not cost the report of all the others."""

    summaries: dict[str, dict[str, Any]]  # by sample, sorted
    task_reports: dict[str, dict[str, Any]]  # by task, the highest attempt of each, sorted
    plan: dict[str, dict[str, Any]]  # encoder -> {"tasks": [...], "total_load", ...}
    load_unit: str  # what the plan's load counts: tokens or frames
    expected_samples: list[str]
    models: dict[str, Any]
    params: dict[str, Any]
    versions: dict[str, dict[str, str]]  # process -> tool -> version
    launch: dict[str, Any]  # how the run was started: command_line, run_name, session, revision, commit, ...
    collected: dict[str, Any] | None = None  # counts of the tables of all samples; None where none are expected
    failed_tasks: list[dict[str, Any]] = field(default_factory=list)  # process, tag, exit, attempt, reason
    unreadable: list[str] = field(default_factory=list)


def read_run(
    summaries: Path | None,
    task_reports: Path | None,
    plan: Path | None = None,
    models: Path | None = None,
    params: Path | None = None,
    versions: Path | None = None,
    expected: Path | None = None,
    launch: Path | None = None,
    failed_tasks: Path | None = None,
    collected: Path | None = None,
) -> Run:
    """Read a run's reports; folders may be absent or empty, since a run in which everything failed has a report too.

    Raises InputError where one of the single files cannot be read.
    """
    unreadable: list[str] = []
    by_sample = {
        s["sample"]: s for s in _folder(summaries, "*.summary.json", ("sample", "state", "sequences"), unreadable)
    }
    by_task: dict[str, dict[str, Any]] = {}
    for report in _folder(task_reports, "*.report.json", ("task", "encoder", "processed", "failed"), unreadable):
        known = by_task.get(report["task"])
        if known is None or report.get("attempt", 1) > known.get("attempt", 1):
            by_task[report["task"]] = report
    planned, expects = _single(plan, json.loads), _single(expected, json.loads)
    return Run(
        summaries=dict(sorted(by_sample.items())),
        task_reports=dict(sorted(by_task.items())),
        plan=planned.get("encoders", {}),
        load_unit=planned.get("weight", "tokens"),
        expected_samples=sorted(expects.get("samples", {})),
        collected=_single(collected, json.loads) if expects.get("collected") else None,
        models=_single(models, json.loads),
        params=_single(params, json.loads),
        # The task that writes the report cannot be among the versions that it is given.
        versions={**_single(versions, yaml.safe_load), "REPORT": _own_versions()},
        launch=_single(launch, json.loads),
        failed_tasks=_single(failed_tasks, lambda text: {"tasks": json.loads(text)}).get("tasks", []),
        unreadable=unreadable,
    )


def _own_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("multiqc", "pyyaml"):
        with suppress(metadata.PackageNotFoundError):  # the tables are written all the same
            found[name] = metadata.version(name)
    return found


def _folder(folder: Path | None, pattern: str, required: tuple[str, ...], unreadable: list[str]) -> list[dict]:
    """The JSON objects in a folder's files, in the order of their names."""
    found = []
    for path in sorted(folder.glob(pattern)) if folder else []:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            absent = [name for name in required if name not in content]
        except (OSError, ValueError, TypeError) as e:
            unreadable.append(f"{path.name}: cannot be read ({e}); the task that wrote it may have been killed")
            continue
        if absent:
            unreadable.append(f"{path.name}: has no {', '.join(absent)}; it was not written by this pipeline's version")
            continue
        found.append(content)
    return found


def _single(path: Path | None, parse: Callable[[str], Any]) -> dict[str, Any]:
    """One file's content, which is a mapping; {} where there is no such file or it is empty."""
    if path is None or not path.exists() or path.stat().st_size == 0:
        return {}
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as e:
        raise InputError(f"{path}: cannot be read ({e}); the task that writes it must run again") from e
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a mapping of names to values")
    return content
