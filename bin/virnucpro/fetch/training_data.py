"""Public training data: fetched or brought along, checked, and written down as a samplesheet of --workflow train."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from virnucpro.errors import ModelError
from virnucpro.fetch.download import content_of, download, mismatch
from virnucpro.fetch.sources import RemoteFile

SHEET = "labelled.csv"


@dataclass(frozen=True)
class ListedFile:
    """A file with the sample and the label of its sequences."""

    sample: str
    label: str
    file: RemoteFile


def read_list(path: Path) -> list[ListedFile]:
    """assets/training/*.yml; ModelError where it is none."""
    try:
        files = yaml.safe_load(path.read_text(encoding="utf-8"))["files"]
        return [
            ListedFile(f["sample"], f["label"], RemoteFile(name, f["url"], int(f["size"]), f["sha256"]))
            for name, f in files.items()
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as e:
        raise ModelError(f"{path}: is no list of training data that can be read ({e})") from e


def fetch_training_data(files: list[ListedFile], out: Path, brought: Path | None, say: Callable[[str], None]) -> Path:
    """Write the files and their samplesheet into `out`; the samplesheet's path. brought: folder to take them from.

    ModelError or DownloadError where a file cannot be had, or is not what the list says.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = ["sample,fasta,label"]
    for one in files:
        target = out / one.file.name
        if target.is_file() and mismatch(one.file, content_of(target)) is None:
            say(f"{one.file.name} is there already")
        elif brought is not None:
            _take(one.file, brought / one.file.name, target)
            say(f"{one.file.name} taken from {brought}")
        else:
            say(f"fetching {one.file.url}")
            download(one.file, target)
        rows.append(f"{one.sample},{target.resolve()},{one.label}")
    sheet = out / SHEET
    sheet.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return sheet


def _take(file: RemoteFile, source: Path, target: Path) -> None:
    if not source.is_file():
        raise ModelError(f"{source}: is not there; fetch it from {file.url}")
    if wrong := mismatch(file, content_of(source)):
        raise ModelError(f"{source}: {wrong}; fetch it again from {file.url}")
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.replace(target)
