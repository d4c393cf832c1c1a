"""Finding and reading event files: each byte once, no folder listed without need, whatever state the files are in."""

import json
import os

import pytest
from simulated_events import FakeTask, write_plan

from virnucpro.errors import UsageError
from virnucpro.watch import tail, work_folder
from virnucpro.watch.tail import EventFile
from virnucpro.watch.work_folder import WorkFolder, exit_code, find_work


def line(n: int, **more) -> bytes:
    return json.dumps({"time": n, "event": "progress", "done": n, **more}).encode() + b"\n"


def test_a_line_counts_once_and_only_when_it_is_whole(tmp_path):
    path = tmp_path / "x.events.jsonl"
    file = EventFile(path)
    assert file.read() == []  # not there yet
    path.write_bytes(line(1) + line(2)[:20])
    assert [e["done"] for e in file.read()] == [1]
    assert file.read() == []
    with path.open("ab") as out:
        out.write(line(2)[20:] + line(3)[:-1])
    assert [e["done"] for e in file.read()] == [2]
    with path.open("ab") as out:
        out.write(b"\n")
    assert [e["done"] for e in file.read()] == [3]


def test_damaged_lines_are_passed_over_and_counted(tmp_path):
    path = tmp_path / "x.events.jsonl"
    path.write_bytes(
        b"\x00\x00\n" + line(1) + b'"text"\n[1]\n{"event": "x"}\n{"time": "late", "event": "x"}\n\n' + line(2)
    )
    file = EventFile(path)
    assert [e["done"] for e in file.read()] == [1, 2]
    assert file.bad_lines == 5


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "x.events.jsonl"
    path.write_bytes(line(1) + line(2) + b"{")
    file = EventFile(path)
    file.read()
    path.write_bytes(line(7))
    assert [e["done"] for e in file.read()] == [7]


def test_of_a_large_file_only_the_ends_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "HEAD_BYTES", 1000)
    monkeypatch.setattr(tail, "TAIL_BYTES", 1000)
    path = tmp_path / "x.events.jsonl"
    path.write_bytes(b"".join(line(n, pad="ü" * 20) for n in range(1000)))
    file = EventFile(path)
    read = [e["done"] for e in file.read()]
    assert read[0] == 0 and read[-1] == 999 and 5 < len(read) < 30
    assert file.bad_lines == 0
    with path.open("ab") as out:
        out.write(line(1000))
    assert [e["done"] for e in file.read()] == [1000]


def settle(work):
    """Make the folders of hashes look as if they had not changed for a while."""
    for folder in work.iterdir():
        os.utime(folder, (1, 1))


def test_finished_tasks_are_looked_at_once(tmp_path, monkeypatch):
    work = tmp_path / "work"
    for i in range(300):
        folder = work / f"{i % 16:02x}" / f"{i:030d}"
        folder.mkdir(parents=True)
        (folder / ".exitcode").write_text("0", encoding="utf-8")
    write_plan(work)
    task = FakeTask(work, "esm2_001", 10)
    settle(work)
    listed = []
    names = work_folder._names
    monkeypatch.setattr(work_folder, "_names", lambda folder: listed.append(str(folder)) or names(folder))
    folder = WorkFolder(work)
    folder.scan()
    assert folder.event_files == {task.path} and len(folder.plans) == 1
    assert len(listed) < 350
    listed.clear()
    folder.scan()
    assert listed == [str(work)]
    # A new task in one folder of hashes: this folder and the task are listed, nothing else.
    new = FakeTask(work, "esm2_002", 10)
    listed.clear()
    folder.scan()
    assert folder.event_files == {task.path, new.path}
    assert sorted(listed) == sorted(map(str, [work, new.folder.parent, new.folder, new.folder / "embeddings"]))


def test_waiting_tasks_are_looked_at_ever_less_often(tmp_path):
    now = [1000.0]
    waiting = tmp_path / "work" / "aa" / ("b" * 30)
    waiting.mkdir(parents=True)
    folder = WorkFolder(tmp_path / "work", clock=lambda: now[0])
    looks = []
    look = folder._look
    folder._look = lambda task: looks.append(now[0]) or look(task)
    for _ in range(1200):
        folder.scan()
        now[0] += 5
    assert len(looks) < 300  # of 1,200 scans; every 30 s at last
    (waiting / "embeddings").mkdir()
    (waiting / "embeddings" / "esm2_001.events.jsonl").touch()
    for _ in range(7):
        now[0] += 5
        folder.scan()
    assert len(folder.event_files) == 1


def test_the_folders_that_are_accepted(tmp_path):
    assert find_work(tmp_path) == tmp_path / "work"  # not begun yet
    (tmp_path / "scratch" / "ab").mkdir(parents=True)
    assert find_work(tmp_path / "scratch") == tmp_path / "scratch"
    (tmp_path / "work").mkdir()
    assert find_work(tmp_path / "work") == tmp_path / "work"
    with pytest.raises(UsageError, match="no such folder"):
        find_work(tmp_path / "absent")


def test_exit_code(tmp_path):
    task = FakeTask(tmp_path, "esm2_001", 10)
    assert exit_code(task.path) is None
    task.exit(137)
    assert exit_code(task.path) == 137
