"""assets/models.yml: which encoders and classifiers can be fetched, from where, and what is known of their files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from virnucpro.bundle.manifest import NAME, read_yaml
from virnucpro.errors import ModelError, UsageError

FORMAT = 1
LAYOUTS = {"esm2": ("fair_esm", "hub"), "dnabert_s": ("hub",), "classifier": ("virnucpro",)}


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source. What is known of its content is checked; the rest is recorded at the first download.

    sha256, git_blob, size: must agree. reported: {size, sha256} as others published them; a difference is a warning.
    """

    name: str
    url: str
    size: int | None = None  # bytes
    sha256: str | None = None
    git_blob: str | None = None
    reported: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """One place a model can come from. layout: how its files are arranged, so which converter reads them.

    weights: for the hub's layout, the names under which the weights may lie, in order of preference.
    """

    layout: str
    files: tuple[RemoteFile, ...]
    weights: tuple[RemoteFile, ...] = ()

    def folder_names(self) -> list[str]:
        """Names of folders in which a local copy of the files may lie, as git or the hub's own tool would call them."""
        repository = re.match(r"https?://[^/]+/([^/]+)/([^/]+)/resolve/", self.files[0].url)
        return [repository[2], f"models--{repository[1]}--{repository[2]}"] if repository else []


@dataclass(frozen=True)
class Item:
    """A model that can be fetched into a bundle: an encoder (kind esm2, dnabert_s) or a classifier (kind classifier).

    card: a classifier's classifier.yml, all but format and name. shape: an encoder's {layers, dim}, to be checked.
    """

    name: str
    kind: str
    licence: str
    sources: tuple[Source, ...]
    card: Mapping
    shape: Mapping

    @property
    def folder(self) -> str:
        return f"{'classifiers' if self.kind == 'classifier' else 'encoders'}/{self.name}"

    @property
    def encoders(self) -> list[str]:
        return [e["name"] for e in self.card.get("encoders", [])]


def read_sources(path: Path) -> dict[str, Item]:
    """All items of a sources file by name, encoders first; ModelError names the entry that cannot be."""
    raw = read_yaml(path, FORMAT)
    items: dict[str, Item] = {}
    for group in ("encoders", "classifiers"):
        for name, entry in (raw.get(group) or {}).items():
            try:
                kind = "classifier" if group == "classifiers" else entry["kind"]
                if not NAME.fullmatch(str(name)) or name in items or kind not in LAYOUTS:
                    raise ValueError("its name or kind cannot be")
                sources = tuple(source(kind, s) for s in entry["sources"])
                card, shape = entry.get("card") or {}, entry.get("shape") or {}
                items[name] = Item(name, kind, str(entry["licence"]), sources, card, shape)
            except (KeyError, TypeError, ValueError, AttributeError) as e:
                raise ModelError(f"{path}: the entry {name} under {group} is wrong: {e!r}.") from e
    return items


def source(kind: str, raw: Mapping) -> Source:
    if raw["layout"] not in LAYOUTS[kind]:
        raise ValueError(f"layout {raw['layout']!r} is none of {LAYOUTS[kind]}")
    base = raw["base"].rstrip("/")
    files = tuple(remote_file(base, n, f) for n, f in raw["files"].items())
    return Source(raw["layout"], files, tuple(remote_file(base, n, f) for n, f in raw.get("weights", {}).items()))


def remote_file(base: str, name: str, raw: Mapping | None) -> RemoteFile:
    if Path(name).name != name or name.startswith("."):
        raise ValueError(f"{name!r} is no plain file name")
    return RemoteFile(name, f"{base}/{name}", **(raw or {}))


def wanted_items(items: Mapping[str, Item], classifiers: list[str], encoders: list[str]) -> list[Item]:
    """The items to fetch: these encoders, and these classifiers with all encoders that they need; encoders first."""
    names = list(encoders)
    for name in classifiers:
        item = items.get(name)
        names += [*item.encoders, name] if item else [name]
    for name, group in [*((n, "classifier") for n in classifiers), *((n, "encoder") for n in encoders)]:
        known = [i.name for i in items.values() if (i.kind == "classifier") == (group == "classifier")]
        if name not in known:
            raise UsageError(f"{name}: no {group} of this name can be fetched; known are {', '.join(known)}.")
    return sorted((items[n] for n in dict.fromkeys(names)), key=lambda item: item.kind == "classifier")
