"""Files that are whole or absent, and what tells their content."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from virnucpro.errors import ModelError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to. What lies there moves to `path` at the block's end; nothing is left where the block fails."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_object(path: Path) -> dict:
    """The JSON object that a file of a model holds; ModelError where the file is missing or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise ModelError(f"{path}: cannot be read as JSON ({e}).") from e
    if not isinstance(found, dict):
        raise ModelError(f"{path}: holds no JSON object.")
    return found
