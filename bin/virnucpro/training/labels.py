"""The two small tables a person writes for training: labels per sample, and groups per record."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from virnucpro.errors import InputError
from virnucpro.models.classifier import CLASSES

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class LabelledSample:
    """A sample, what all its sequences are, and where they go ("": by the group-wise split)."""

    name: str
    label: str
    split: str = ""


def read_labels(path: Path) -> list[LabelledSample]:
    """CSV with the columns sample,label and, if wanted, split. InputError names the line."""
    samples: dict[str, LabelledSample] = {}
    for number, row in _rows(path, ("sample", "label")):
        name, label, split = (row.get(c) or "" for c in ("sample", "label", "split"))
        if label not in CLASSES:
            raise InputError(f"{path}, line {number}: label {label!r} is neither {' nor '.join(CLASSES)}")
        if split and split not in SPLITS:
            raise InputError(f"{path}, line {number}: split {split!r} is none of {', '.join(SPLITS)} (or empty)")
        if not name or name in samples:
            raise InputError(
                f"{path}, line {number}: sample {name!r} {'stands there twice' if name else 'has no name'}"
            )
        samples[name] = LabelledSample(name, label, split)
    for label in CLASSES:
        if label not in {s.label for s in samples.values()}:
            raise InputError(f"{path}: no sample is labelled {label}; both classes are needed")
    return list(samples.values())


def read_groups(path: Path) -> Callable[[str], str]:
    """CSV with the columns id,group: the group of each record. The function raises InputError for an unlisted id."""
    groups: dict[str, str] = {}
    for number, row in _rows(path, ("id", "group")):
        if groups.setdefault(row["id"], row["group"]) != row["group"]:
            raise InputError(f"{path}, line {number}: record {row['id']!r} stands there with two groups")

    def group(record: str) -> str:
        if record not in groups:
            raise InputError(f"{path}: record {record!r} has no group; add a line for it")
        return groups[record]

    return group


def _rows(path: Path, needed: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """(line number, cells by column) of each line that is not blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as f:
            reader = csv.DictReader(f, skipinitialspace=True)
            missing = [c for c in needed if c not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path}: the column {' and '.join(missing)} is missing; the first line names them")
            return [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read ({e})") from e
