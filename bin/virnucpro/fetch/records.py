"""sources.lock.yml: what each source's file was when it was first fetched, so that a later fetch insists on the same.

Lying in the bundle, it can be compared between machines, or put into an empty folder before a fetch.
"""

import time
from pathlib import Path

import yaml

from virnucpro.bundle.manifest import read_yaml
from virnucpro.fetch.download import Content, DownloadError
from virnucpro.fetch.sources import RemoteFile
from virnucpro.files import whole

RECORDS = "sources.lock.yml"
FORMAT = 1  # of that file


def read_records(bundle: Path) -> dict[str, dict]:
    """The records by URL; empty where there are none yet."""
    path = bundle / RECORDS
    found = read_yaml(path, FORMAT).get("files") if path.is_file() else None
    return found if isinstance(found, dict) else {}


def check_record(bundle: Path, file: RemoteFile, content: Content) -> None:
    """DownloadError where the bundle's record of this URL is of another content."""
    known = read_records(bundle).get(file.url)
    if known and known.get("sha256") != content.sha256:
        raise DownloadError(
            f"{file.url}: its SHA-256 is {content.sha256}, {bundle / RECORDS} has {known.get('sha256')} of "
            f"{known.get('first_fetched')}. The source has changed. Find out why before you use it; to accept it, take "
            "that entry out of the file."
        )


def record(bundle: Path, file: RemoteFile, content: Content, way: str) -> None:
    """Write down what came from `file.url`, by which `way` (download or file); the first time counts."""
    records = read_records(bundle)
    if file.url in records:
        return
    entry = {"size": content.size, "sha256": content.sha256, "git_blob": content.git_blob, "way": way}
    if commit := content.headers.get("x-repo-commit"):
        entry["commit"] = commit
    entry["first_fetched"] = time.strftime("%Y-%m-%d", time.gmtime())
    text = yaml.safe_dump({"format": FORMAT, "files": records | {file.url: entry}}, sort_keys=False, width=120)
    with whole(bundle / RECORDS) as part:
        part.write_text(text, encoding="utf-8")
