"""One file over HTTP: resumed where it broke off, retried, checked, and either whole under its name or not there.

The bytes grow in `<name>.part`; `<name>.part.json` says what they are a part of. A server that ignores the range, has
changed the file, breaks off, or sends more or less than it said is noticed; nothing gets its name before it is checked.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests
import urllib3

from virnucpro.errors import VirnucproError
from virnucpro.fetch.progress import Progress
from virnucpro.fetch.sources import RemoteFile

ATTEMPTS = 6  # in a row that bring no byte; a broken transfer that brings some starts the count anew
LONGEST_WAIT = 60.0  # seconds between attempts
BLOCK = 1 << 22  # bytes hashed at once
BYTES_AT_ONCE = 1 << 16  # what is lost when a transfer breaks
TIMEOUT = (30, 120)  # seconds to connect, and for the next bytes to arrive
NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)


class DownloadError(VirnucproError):
    """A file could not be fetched, or is not what it should be."""


class NotThere(DownloadError):
    """The server cannot be reached, or does not have the file or does not give it: another source may."""


@dataclass(frozen=True)
class Content:
    """What a file on disk consists of, and where the server said it came from (commit: of a hub's repository)."""

    size: int
    sha256: str
    git_blob: str  # SHA-1 of git's blob object, as `git hash-object` prints it
    headers: dict = field(default_factory=dict)


def content_of(path: Path, headers: dict | None = None) -> Content:
    """Size, SHA-256 and git blob id of a file, read once."""
    size = path.stat().st_size
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb", buffering=0) as f:
        while block := f.read(BLOCK):
            sha256.update(block)
            blob.update(block)
    return Content(size, sha256.hexdigest(), blob.hexdigest(), headers or {})


def mismatch(file: RemoteFile, content: Content) -> str | None:
    """In which way `content` is not the file that was to be had, or None."""
    linked = str(content.headers.get("x-linked-etag", "")).strip('"')  # the hub's SHA-256 of a large file
    stated = linked if re.fullmatch(r"[0-9a-f]{64}", linked) else None
    for what, expected, actual in (
        ("size", file.size, content.size),
        ("SHA-256", file.sha256, content.sha256),
        ("git blob id", file.git_blob, content.git_blob),
        ("SHA-256 as the hub states it", stated, content.sha256),
    ):
        if expected is not None and expected != actual:
            return f"its {what} is {actual}, it should be {expected}"
    return None


def download(
    file: RemoteFile,
    target: Path,
    progress: Progress | None = None,
    session: requests.Session | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Content:
    """Fetch `file` to `target` and say what came. Raises NotThere, or DownloadError after the last attempt.

    A part left by an earlier, interrupted call is continued where the server allows it. Bytes that are not what they
    should be are thrown away; where they were pieced together from two calls, the file is fetched once more as a whole.
    """
    transfer = Transfer(file, target, progress or Progress(file.name), session or requests.Session(), wait)
    pieced = transfer.part.exists()
    for whole in (False, True):
        try:
            headers = transfer.run()
        except OSError as e:
            raise DownloadError(f"{transfer.part}: cannot be written ({e.strerror}). Free some space there.") from e
        content = content_of(transfer.part, headers)
        wrong = mismatch(file, content)
        if wrong is None:
            transfer.part.replace(target)
            transfer.note.unlink(missing_ok=True)
            return content
        transfer.forget()
        if whole or not pieced:
            break
    raise DownloadError(
        f"{file.url}: {wrong}. The bytes were thrown away. Something on the way or the file itself has changed: try "
        "again later or from another network; do not use the file before you know why (docs/models.md)."
    )


class Transfer:
    """The attempts to bring one file's bytes into its part file."""

    def __init__(self, file: RemoteFile, target: Path, progress: Progress, session: requests.Session, wait: Callable):
        self.file, self.progress, self.session, self.wait = file, progress, session, wait
        self.part = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def have(self) -> tuple[int, dict]:
        """Bytes that an earlier attempt left, and what is known of the whole; (0, {}) where they cannot be built on."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            if note["url"] == self.file.url and note["validator"]:
                return self.part.stat().st_size, note
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return 0, {}

    def run(self) -> dict:
        """Attempt until all bytes are there; the headers that say where they came from."""
        failures, last, most = 0, "", self.have()[0]
        while failures < ATTEMPTS:
            try:
                headers, last = self.attempt()
                if headers is not None:
                    return headers
                pause = None
            except NETWORK as e:
                last, pause = f"{type(e).__name__}: {e}", None
            except Busy as e:
                last, pause = str(e), e.pause
            # A server that ignores the range starts anew each time: only bytes beyond the most so far are progress.
            have = self.have()[0]
            failures, most = (1, have) if have > most else (failures + 1, most)
            if failures < ATTEMPTS:
                self.wait(min(pause if pause is not None else 2.0**failures, LONGEST_WAIT))
        raise (DownloadError if most else NotThere)(
            f"{self.file.url}: {ATTEMPTS} attempts in a row failed, the last with: {last}. What came is kept: run the "
            "same command again to go on. Without internet here, fetch elsewhere and use --from (docs/models.md)."
        )

    def attempt(self) -> tuple[dict | None, str]:
        """One request. (headers, "") when all bytes are there, (None, why) when another attempt should go on."""
        have, note = self.have()
        ask = {"Accept-Encoding": "identity"}
        if have:
            ask |= {"Range": f"bytes={have}-", "If-Range": note["validator"]}
        with self.session.get(self.file.url, headers=ask, stream=True, timeout=TIMEOUT) as r:
            if self.file.url.startswith("https:") and not r.url.startswith("https:"):
                raise DownloadError(f"{self.file.url}: leads to an unencrypted address, {r.url}; refused.")
            if r.status_code == 416:  # the part is as long as the file, or longer: take it from the start
                self.forget()
                return None, "the server does not know the range that was asked for"
            if r.status_code in (408, 425, 429) or r.status_code >= 500:
                raise Busy(f"HTTP {r.status_code} {r.reason}", r.headers.get("Retry-After", ""))
            if r.status_code not in (200, 206):
                raise NotThere(
                    f"{self.file.url}: HTTP {r.status_code} {r.reason}. The file has moved or needs permission: "
                    "see assets/models.yml for other sources, or fetch it by hand and use --from (docs/models.md)."
                )
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", r.headers.get("Content-Range", ""))
            if r.status_code == 206 and (not found or int(found[1]) != have):
                self.forget()
                return None, f"the server sent another range than asked for ({r.headers.get('Content-Range')})"
            if r.headers.get("Content-Encoding", "identity") != "identity":
                raise DownloadError(f"{self.file.url}: the server sends it compressed, unasked; refused.")
            length = r.headers.get("Content-Length", "")
            total = int(found[2]) if r.status_code == 206 else int(length) if length.isdigit() else None
            if self.file.size is not None and total is not None and total != self.file.size:
                self.forget()
                raise DownloadError(f"{self.file.url}: the server has {total:,} bytes, not {self.file.size:,}.")
            return self.receive(r, have if r.status_code == 206 else 0, total)

    def receive(self, r: requests.Response, have: int, total: int | None) -> tuple[dict | None, str]:
        etag = r.headers.get("ETag", "")
        validator = etag if etag.startswith('"') else r.headers.get("Last-Modified", "")  # weak tags cannot resume
        self.note.write_text(
            json.dumps({"url": self.file.url, "validator": validator, "total": total}), encoding="utf-8"
        )
        self.progress.start(have)
        with self.part.open("r+b" if have else "wb") as f:
            f.seek(have)
            f.truncate()
            # Read below requests' decoding: the bytes as they are, and an error where fewer come than were announced.
            for block in r.raw.stream(BYTES_AT_ONCE, decode_content=False):
                f.write(block)
                have += len(block)
                if total is not None and have > total:
                    f.truncate(0)
                    return None, f"the server sent more than the {total:,} bytes it had announced"
                self.progress.update(have, total)
        if total is not None and have < total:
            return None, f"the server broke off after {have:,} of {total:,} bytes"
        self.progress.end(have, total)
        origin: dict = {}
        for response in [*r.history, r]:  # the hub states these where it sends on to its file store
            names = ("x-repo-commit", "x-linked-etag", "last-modified", "etag")
            origin |= {n: response.headers[n] for n in names if n in response.headers and n not in origin}
        return origin, ""


class Busy(Exception):
    """The server asks to come back later. pause: seconds, where it says so."""

    def __init__(self, text: str, retry_after: str):
        super().__init__(text)
        self.pause = float(retry_after) if retry_after.isdigit() else None
