"""manifest.yml: every file of a model bundle with its size, SHA-256, source and licence."""

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import yaml

from virnucpro.errors import ModelError
from virnucpro.files import sha256_file, whole

MANIFEST = "manifest.yml"
FORMAT = 1  # of that file
NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*"
)  # of bundles, encoders and classifiers: they become folders and file names


@dataclass(frozen=True)
class FileEntry:
    """What a manifest says of one file. `source`: where it came from; `licence`: an SPDX id or a short phrase."""

    size: int
    sha256: str
    source: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Manifest:
    """A bundle's name and its files by path relative to the bundle, with forward slashes."""

    name: str
    files: Mapping[str, FileEntry]


def numbers(card: object, names: Iterable[str]) -> dict[str, float]:
    """The finite numbers under `names` in a field of a card; ValueError where one is none or the field no mapping."""
    if not isinstance(card, Mapping):
        raise ValueError("a mapping is needed")
    for name in names:
        value = card.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"{name} is {value!r}, a number is needed")
    return {name: float(card[name]) for name in names}


def read_yaml(path: Path, known: int) -> dict:
    """A YAML file that holds a mapping of format `known`; ModelError where it is absent or is none."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise ModelError(f"{path}: there is no such file. Is {path.parent} the right folder?") from e
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise ModelError(f"{path}: cannot be read ({' '.join(str(e).split())}).") from e
    if not isinstance(raw, dict):
        raise ModelError(f"{path}: holds no mapping of names to values.")
    if raw.get("format") != known:
        raise ModelError(f"{path}: format is {raw.get('format')!r}; this version reads format {known}.")
    return raw


def read_manifest(bundle: Path) -> Manifest:
    """The manifest of the bundle in folder `bundle`; ModelError where it is missing or says what cannot be."""
    path = bundle / MANIFEST
    if not path.is_file():
        raise ModelError(
            f"{bundle}: is no model bundle: it holds no {MANIFEST}. Give --models a bundle's folder; "
            "`--workflow fetch_models --models DIR` makes one (docs/models.md)."
        )
    raw = read_yaml(path, FORMAT)
    name, files = raw.get("name"), raw.get("files")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ModelError(f"{path}: name {name!r} must consist of letters, digits, '.', '_' and '-'.")
    if not isinstance(files, dict) or not files:
        raise ModelError(f"{path}: lists no files.")
    return Manifest(name, {str(k): file_entry(path, str(k), v) for k, v in files.items()})


def file_entry(path: Path, name: str, raw: object) -> FileEntry:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != name or name == MANIFEST:
        raise ModelError(f"{path}: {name!r} is no plain path inside the bundle.")
    size, sha256 = (raw.get("size"), raw.get("sha256")) if isinstance(raw, dict) else (None, None)
    if not isinstance(size, int) or size < 0 or not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
        raise ModelError(f"{path}: the entry of {name} needs a size and a SHA-256 of 64 hexadecimal digits.")
    return FileEntry(size, sha256, str(raw.get("source") or ""), str(raw.get("licence") or ""))


def bundle_files(folder: Path) -> list[str]:
    """Paths of the files that make up a bundle: all but the manifest and hidden ones (stamps, locks, downloads)."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(d for d in folders if not d.startswith("."))
        found += [(Path(here) / f).relative_to(folder).as_posix() for f in files if not f.startswith(".")]
    return sorted(f for f in found if f != MANIFEST)


def write_manifest(
    folder: Path,
    name: str,
    sources: Mapping[str, tuple[str, str]] | None = None,
    known: Mapping[str, FileEntry] | None = None,
    only: Iterable[str] | None = None,
) -> Manifest:
    """Write `folder`/manifest.yml for the files that lie in the folder now, and return it.

    `sources` gives (source, licence) by relative path or by a folder of it (`encoders/esm2_t6_8M`, or "" for the rest);
    the longest match wins. `known` entries are taken over as they are (no second hashing of 6 GB), the others are
    hashed. `only` limits it to these paths. The file is whole or absent: written under another name, then moved.
    """
    if not NAME.fullmatch(name):
        raise ModelError(f"bundle name {name!r} must consist of letters, digits, '.', '_' and '-'.")
    known, files = known or {}, {}
    for path in bundle_files(folder) if only is None else sorted(only):
        if path in known:
            files[path] = known[path]
            continue
        source, licence = source_of(path, sources or {})
        files[path] = FileEntry((folder / path).stat().st_size, sha256_file(folder / path), source, licence)
    text = yaml.safe_dump(
        {"format": FORMAT, "name": name, "files": {k: asdict(v) for k, v in files.items()}},
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )
    with whole(folder / MANIFEST) as part:
        part.write_text(text, encoding="utf-8")
    return Manifest(name, files)


def source_of(path: str, sources: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The (source, licence) of a path: of itself, else of the nearest folder above it, else of ""."""
    for candidate in (path, *(str(p) for p in PurePosixPath(path).parents)):
        if candidate in sources:
            return sources[candidate]
    return sources.get("", ("", ""))
