"""Downloads against a server that breaks off, lies about lengths, ignores ranges, serves other bytes."""

import hashlib
import io
import json
import random
import subprocess

import pytest
from models_server import Fault, FileServer

from virnucpro.fetch import download as module
from virnucpro.fetch.download import ATTEMPTS, DownloadError, NotThere, content_of, download
from virnucpro.fetch.progress import Progress, human
from virnucpro.fetch.sources import RemoteFile

CONTENT = random.Random(1).randbytes(700_000)
OTHER = random.Random(2).randbytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CUT = Fault(cut=200_000)


@pytest.fixture
def server():
    with FileServer() as s:
        s.files["/f.bin"] = CONTENT
        yield s


class Fetch:
    """Downloads /f.bin without real waiting; keeps the pauses and what was displayed."""

    def __init__(self, server: FileServer, folder, **known):
        self.server, self.target = server, folder / "f.bin"
        self.file = RemoteFile("f.bin", f"{server.url}/f.bin", **known)
        self.pauses: list[float] = []
        self.shown = io.StringIO()

    def __call__(self):
        progress = Progress("f.bin", self.shown, interval=0)
        return download(self.file, self.target, progress, wait=self.pauses.append)

    def whole(self) -> bool:
        """Whether the file is there, right, and nothing is left over."""
        names = {p.name for p in self.target.parent.iterdir()}
        return names == {"f.bin"} and self.target.read_bytes() == CONTENT

    def nothing(self) -> bool:
        return not self.target.exists()


def test_a_plain_download(server, tmp_path):
    fetch = Fetch(server, tmp_path, sha256=SHA256, size=len(CONTENT))
    content = fetch()
    assert fetch.whole() and (content.size, content.sha256) == (len(CONTENT), SHA256)
    assert server.requests == [("/f.bin", None)] and fetch.pauses == []


def test_a_git_blob_id_is_gits(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(CONTENT)
    git = subprocess.run(["git", "hash-object", path], capture_output=True, encoding="utf-8", check=True)
    assert content_of(path).git_blob == git.stdout.strip()
    path.write_bytes(b"hello\n")
    assert content_of(path).git_blob == "ce013625030ba8dba906f756967f9e9ca394464a"  # from git's own book


def test_a_broken_transfer_goes_on_where_it_broke(server, tmp_path):
    server.faults["/f.bin"] = [CUT, Fault(cut=100_000), Fault(status=503)]
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    fetch()
    assert fetch.whole() and len(fetch.pauses) == 3
    starts = [int(r.removeprefix("bytes=").rstrip("-")) if r else 0 for _, r in server.requests]
    assert starts[0] == 0 and 0 < starts[1] <= 200_000 < starts[2] <= 300_000 and starts[3] == starts[2]


def test_a_killed_download_goes_on_in_the_next_call(server, tmp_path):
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    server.faults["/f.bin"] = [CUT]

    def killed(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(fetch.file, fetch.target, Progress("f", io.StringIO()), wait=killed)
    assert fetch.nothing() and (tmp_path / "f.bin.part").stat().st_size > 100_000
    fetch()
    assert fetch.whole() and server.requests[-1][1] is not None


def test_a_part_of_another_file_is_not_continued(server, tmp_path):
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    (tmp_path / "f.bin.part").write_bytes(OTHER[:300_000])
    (tmp_path / "f.bin.part.json").write_text(
        json.dumps({"url": "http://elsewhere/f.bin", "validator": '"x"'}), encoding="utf-8"
    )
    fetch()
    assert fetch.whole() and server.requests == [("/f.bin", None)]


def test_a_file_that_changed_meanwhile_is_taken_from_the_start(server, tmp_path):
    server.files["/f.bin"] = OTHER
    server.faults["/f.bin"] = [CUT]
    server.on_request = lambda path: len(server.requests) > 1 and server.files.update({"/f.bin": CONTENT})
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    fetch()
    assert fetch.whole()


def test_a_part_that_was_damaged_on_disk_costs_one_more_download(server, tmp_path):
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    server.faults["/f.bin"] = [CUT] + [Fault(status=500)] * ATTEMPTS
    with pytest.raises(DownloadError, match="What came is kept"):
        fetch()
    part = tmp_path / "f.bin.part"
    part.write_bytes(b"\0" * part.stat().st_size)
    fetch()
    assert fetch.whole()
    assert [r is None for _, r in server.requests[-2:]] == [False, True]


@pytest.mark.parametrize("fault", [Fault(ignore_range=True), Fault(shift=1000), Fault(shift=-5)])
def test_ranges_that_are_not_what_was_asked_for(server, tmp_path, fault):
    server.faults["/f.bin"] = [CUT, fault]
    fetch = Fetch(server, tmp_path)  # no hash known: the bytes themselves must be right
    fetch()
    assert fetch.whole()


def test_a_server_that_ignores_ranges_and_always_breaks_off_ends(server, tmp_path):
    server.faults["/f.bin"] = [Fault(cut=200_000, ignore_range=True) for _ in range(50)]
    fetch = Fetch(server, tmp_path)
    with pytest.raises(DownloadError, match=f"{ATTEMPTS} attempts in a row failed"):
        fetch()
    assert fetch.nothing() and len(server.requests) == ATTEMPTS
    assert fetch.pauses == sorted(fetch.pauses) and max(fetch.pauses) <= 60


def test_a_length_that_promises_too_much(server, tmp_path):
    server.faults["/f.bin"] = [Fault(claim=5000)]
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    fetch()
    assert fetch.whole()


def test_a_length_that_promises_too_little_is_noticed_by_the_hash(server, tmp_path):
    server.faults["/f.bin"] = [Fault(claim=-5000), Fault(claim=-5000)]
    fetch = Fetch(server, tmp_path, sha256=SHA256)
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch()
    assert fetch.nothing() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("known", [{"size": len(CONTENT) + 1}, {"size": 10}])
def test_another_size_than_known_is_refused_before_it_is_fetched(server, tmp_path, known):
    fetch = Fetch(server, tmp_path, **known)
    with pytest.raises(DownloadError, match="the server has 700,000 bytes"):
        fetch()
    assert fetch.nothing() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("known", [{"sha256": SHA256}, {"git_blob": "a0b5b85e7c1e44f00cde146d091beb82b2c8e855"}])
def test_wrong_bytes_are_thrown_away(server, tmp_path, known):
    server.files["/f.bin"] = OTHER
    fetch = Fetch(server, tmp_path, **known)
    with pytest.raises(DownloadError, match=r"it should be .*thrown away"):
        fetch()
    assert not list(tmp_path.iterdir()) and len(server.requests) == 1


def test_the_hash_that_a_hub_states_is_checked(server, tmp_path):
    """The Hugging Face hub sends on to a file store, and states the file's SHA-256 before it does."""
    server.redirects["/hub/f.bin"] = f"{server.url}/f.bin"
    file = RemoteFile("f.bin", f"{server.url}/hub/f.bin")
    stated = {"X-Linked-Etag": f'"{SHA256}"', "X-Repo-Commit": "c0ffee"}
    server.faults["/hub/f.bin"] = [Fault(headers=stated)]
    content = download(file, tmp_path / "f.bin", Progress("f", io.StringIO()))
    assert content.headers["x-repo-commit"] == "c0ffee"
    server.files["/f.bin"] = OTHER
    server.faults["/hub/f.bin"] = [Fault(headers=stated)]
    with pytest.raises(DownloadError, match="as the hub states it"):
        download(file, tmp_path / "g.bin", Progress("f", io.StringIO()))
    assert not (tmp_path / "g.bin").exists()


@pytest.mark.parametrize("status", [404, 403, 401, 410])
def test_files_that_are_not_there(server, tmp_path, status):
    server.faults["/f.bin"] = [Fault(status=status)]
    fetch = Fetch(server, tmp_path)
    with pytest.raises(NotThere, match=f"HTTP {status}"):
        fetch()
    assert len(server.requests) == 1 and fetch.nothing()


def test_a_busy_server_is_asked_again_when_it_says(server, tmp_path):
    server.faults["/f.bin"] = [Fault(status=429, headers={"Retry-After": "7"}), Fault(status=502), Fault(status=503)]
    fetch = Fetch(server, tmp_path)
    fetch()
    assert fetch.whole() and fetch.pauses[0] == 7 and fetch.pauses[1] < fetch.pauses[2]


def test_no_server(tmp_path):
    with FileServer() as gone:
        pass
    fetch = Fetch(gone, tmp_path)
    with pytest.raises(NotThere, match="--from"):
        fetch()
    assert len(fetch.pauses) == ATTEMPTS - 1


def test_compression_that_was_not_asked_for_is_refused(server, tmp_path):
    server.faults["/f.bin"] = [Fault(headers={"Content-Encoding": "gzip"})]
    fetch = Fetch(server, tmp_path)
    with pytest.raises(DownloadError, match="compressed"):
        fetch()
    assert fetch.nothing()


def test_https_does_not_become_http(server, tmp_path, monkeypatch):
    """A redirect from an encrypted to an open address is refused; played with a session that claims the first."""
    import requests

    class Session(requests.Session):
        def get(self, url, **how):
            return super().get(url.replace("https://files.example", server.url), **how)

    file = RemoteFile("f.bin", "https://files.example/f.bin")
    with pytest.raises(DownloadError, match="unencrypted"):
        download(file, tmp_path / "f.bin", Progress("f", io.StringIO()), Session())


def test_a_full_disk_is_not_retried(server, tmp_path, monkeypatch):
    fetch = Fetch(server, tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Transfer, "receive", full)
    with pytest.raises(DownloadError, match="No space left on device"):
        fetch()
    assert len(server.requests) == 1


def test_progress_lines_and_note(server, tmp_path):
    fetch = Fetch(server, tmp_path)
    note = tmp_path / "note"
    download(fetch.file, fetch.target, Progress("f.bin", fetch.shown, interval=0, note=note))
    lines = fetch.shown.getvalue().splitlines()
    assert lines[-1].startswith("f.bin: 700.0 kB of 700.0 kB (100 %)") and "\r" not in fetch.shown.getvalue()
    assert any(" left" in line for line in lines) and note.read_text(encoding="utf-8").rstrip() == lines[-1]


def test_on_a_terminal_the_line_is_redrawn():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    progress = Progress("x", screen)
    progress.start(0)
    progress.show(500, 1000)
    progress.end(1000, None)
    assert "x: 500 B of 1.0 kB (50 %)" in screen.getvalue()
    assert screen.getvalue().count("\r") == 2 and screen.getvalue().count("\n") == 1
    assert [human(n) for n in (0, 999, 1000, 5_678_116_398, 3e13)] == ["0 B", "999 B", "1.0 kB", "5.7 GB", "30.0 TB"]
