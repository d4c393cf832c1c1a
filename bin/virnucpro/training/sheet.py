"""The labelled files of a training or an evaluation, as the workflow hands them over; the genome of a record."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from virnucpro.errors import InputError

LABELS = ("other", "virus")  # 0 and 1 in tables; the order of a classifier's classes
SIDES = ("train", "validation", "test")

# An accession of GenBank or RefSeq at the beginning of an id, without its version; of a draft genome (six digits and
# more behind the two of its version) the part that all its contigs share.
_ACCESSION = re.compile(
    r"(?:[A-Z]{2}_)?(?:[A-Z]{4}\d{2}|[A-Z]{6}\d{2})(?=\d{6,7}(?:\D|$))|(?:[A-Z]{2}_)?[A-Z]{0,2}\d{5,9}(?=\D|$)"
)


@dataclass(frozen=True)
class LabelledFile:
    """One FASTA file of a sample. `number`: its position among them, from 0. group, side: "" where not given.
    annotation: the number of its GenBank file among all.
    """

    sample: str
    number: int
    name: str
    label: str
    group: str = ""
    side: str = ""
    annotation: int | None = None


def read_sheet(path: Path) -> list[LabelledFile]:
    """The JSON [{"sample", "files": [{"name", "label", "group", "split"}, ...]}, ...], in its order.

    InputError where a label is missing or is another than LABELS.
    """
    files = []
    for sample in json.loads(path.read_text(encoding="utf-8")):
        for number, f in enumerate(sample["files"]):
            file = LabelledFile(
                sample["sample"], number, f["name"], f["label"], f["group"] or "", f["split"] or "", f.get("annotation")
            )
            if file.label not in LABELS or file.side not in ("", *SIDES):
                raise InputError(f"{path.name}: {file.name}: label {file.label!r} or split {file.side!r} cannot be")
            files.append(file)
    for label in LABELS:
        if label not in {f.label for f in files}:
            raise InputError(f"no file is labelled {label}; both are needed")
    return files


def group_of(record: str) -> str:
    """The genome that a record is of, as far as its id tells: the accession in front, else the id itself."""
    found = _ACCESSION.match(record)
    return found[0] if found else record
