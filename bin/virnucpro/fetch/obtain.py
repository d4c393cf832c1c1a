"""Getting a source's files into one folder: downloaded, or found in a folder that the user brought along."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from virnucpro.errors import ModelError
from virnucpro.fetch.convert import INDEX, shard_names
from virnucpro.fetch.download import Content, DownloadError, NotThere, content_of, download, mismatch
from virnucpro.fetch.progress import Progress, human
from virnucpro.fetch.records import check_record, record
from virnucpro.fetch.sources import Item, RemoteFile, Source

Say = Callable[[str], None]


@dataclass(frozen=True)
class Obtained:
    """A source's files in one folder, with what they consist of; not recorded yet."""

    folder: Path
    files: list[tuple[RemoteFile, Content]]

    def record(self, bundle: Path, way: str) -> None:
        for file, content in self.files:
            record(bundle, file, content, way)


def download_source(bundle: Path, item: Item, source: Source, folder: Path, say: Say, **options) -> Obtained:
    """Download all files of `source` into `folder`; those that are whole already are not fetched again.

    NotThere where the server lacks one; DownloadError where one cannot be had or is not what it should be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    session = requests.Session()

    def get(file: RemoteFile) -> tuple[RemoteFile, Content]:
        target = folder / file.name
        if target.is_file():  # it got its name after it was checked; looked at again, as it may lie here since long
            content = content_of(target)
            if mismatch(file, content) is None:
                say(f"{item.name}: {file.name} is there already")
                return compare(bundle, file, content, say)
        say(f"{item.name}: fetching {file.url}")
        content = download(file, target, Progress(f"{item.name}: {file.name}", **options), session)
        return compare(bundle, file, content, say)

    got = [get(file) for file in source.files]
    for index, weights in enumerate(source.weights):
        try:
            got.append(get(weights))
        except NotThere:
            if index + 1 == len(source.weights):
                raise
            continue
        if weights.name.endswith(INDEX):
            base = weights.url.rpartition("/")[0]
            got += [get(RemoteFile(name, f"{base}/{name}")) for name in shard_names(folder / weights.name)]
        break
    return Obtained(folder, got)


def find_source(bundle: Path, item: Item, source: Source, brought: Path, say: Say) -> Obtained | None:
    """The files of `source` in the folder `brought`, checked; None where they are not there."""
    for folder in candidate_folders(item, source, brought):
        files = list(source.files)
        if not all((folder / f.name).is_file() for f in files):
            continue
        weights = next((w for w in source.weights if (folder / w.name).is_file()), None)
        if source.weights and weights is None:
            continue
        if weights:
            base, names = weights.url.rpartition("/")[0], [weights.name]
            names += shard_names(folder / weights.name) if weights.name.endswith(INDEX) else []
            files += [RemoteFile(name, f"{base}/{name}") for name in names]
        found = []
        for file in files:
            if not (folder / file.name).is_file():
                raise ModelError(f"{folder / file.name}: is missing, the index beside it names it.")
            say(f"{item.name}: {folder / file.name}, {human((folder / file.name).stat().st_size)}")
            content = content_of(folder / file.name)
            if wrong := mismatch(file, content):
                raise DownloadError(f"{folder / file.name}: {wrong}. It is not the file of {file.url}; get it again.")
            found.append(compare(bundle, file, content, say))
        return Obtained(folder, found)
    return None


def candidate_folders(item: Item, source: Source, brought: Path) -> list[Path]:
    """Where a source's files may lie under `brought`: in it, in a folder of the model's, the repository's or the hub
    cache's name, or where torch.hub and a clone of VirNucPro have them."""
    names = [item.name, *source.folder_names()]
    folders = [brought / name for name in names]
    for name in names:
        folders += sorted((brought / name / "snapshots").glob("*"))
    if source.layout != "hub":  # config.json and model.safetensors say nothing of whose they are
        folders += [brought / "hub" / "checkpoints", brought / "checkpoints", brought / "VirNucPro"]
        folders.insert(0, brought)
    return folders


def compare(bundle: Path, file: RemoteFile, content: Content, say: Say) -> tuple[RemoteFile, Content]:
    """Hold a file against the bundle's record (an error) and against what others reported (a warning)."""
    check_record(bundle, file, content)
    for name, actual in (("size", content.size), ("sha256", content.sha256)):
        expected = file.reported.get(name)
        if expected is not None and expected != actual:
            say(
                f"WARNING {file.name}: its {name} is {actual}; others reported {expected} for {file.url}. "
                "Make sure that it is what you want (docs/models.md, How to trust it)."
            )
    return file, content
