"""What a running task tells: counts, speed, time left, the bar."""

import json

import pytest

from virnucpro.embedding import events as module
from virnucpro.embedding.events import Events


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def told(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_speed_and_time_left_by_hand(tmp_path, clock):
    path = tmp_path / "out" / "e.jsonl"
    events = Events(path, "esm2_001", "esm2", 2)
    events.start(100, {"type": "cpu", "name": "x", "uuid": ""})
    clock[0] += 60  # the model is loaded: no part of the speed
    events.begin_work()
    events.advance(20, 0, computed=False)  # from the store
    clock[0] += 5
    events.advance(10, 2000)
    assert len(told(path)) == 1  # the interval is not over
    clock[0] += 5
    events.advance(10, 2000)
    last = told(path)[-1]
    assert last["event"] == "progress"
    assert (last["done"], last["total"], last["failed"]) == (40, 100, 0)
    assert last["tokens_per_second"] == 400.0  # 4,000 tokens in 10 s
    assert last["seconds_left"] == 30.0  # 60 frames at 2 frames/s; those of the store do not count
    assert (last["task"], last["encoder"], last["attempt"]) == ("esm2_001", "esm2", 2)
    assert last["device"]["type"] == "cpu"


def test_frames_that_an_earlier_shard_computes_are_no_work_left(tmp_path, clock):
    """Six copies of a file of 100 frames: after the first half of the first half the work is left, not 11 in 12."""
    events = Events(tmp_path / "e.jsonl", "esm2_001", "esm2", 1)
    events.start(600, {})
    events.begin_work(repeats=500)
    clock[0] += 5
    events.advance(50, 5000)
    assert events.seconds_left() == 5.0
    clock[0] += 5
    events.advance(50, 5000)
    assert events.seconds_left() == 0.0
    events.advance(100, 0, computed=False, repeats=100)
    assert events.seconds_left() == 0.0


def test_every_event_is_on_disk_at_once(tmp_path):
    events = Events(tmp_path / "e.jsonl", "b", "esm2", 1)
    events.start(2, {})
    events.fail(shard="s", frame_key=1, frame_id="x", reason="why")
    events.warn("the disk is full")
    assert [e["event"] for e in told(tmp_path / "e.jsonl")] == ["start", "failed", "progress"]
    assert told(tmp_path / "e.jsonl")[1]["reason"] == "why"
    assert told(tmp_path / "e.jsonl")[2]["message"] == "the disk is full"
    events.close("end")
    events.emit("shard")  # a thread that comes late does no harm
    assert told(tmp_path / "e.jsonl")[-1]["event"] == "end"


def test_lines_for_people(tmp_path, clock, capsys):
    events = Events(tmp_path / "e.jsonl", "b1", "esm2", 1)
    events.start(1000, {})
    events.begin_work()
    clock[0] += 20
    events.advance(500, 1_000_000)
    assert capsys.readouterr().err == "esm2 b1: 500/1,000 frames, 50,000 tokens/s, 20 s left\n"
    events.close("end")
    assert capsys.readouterr().err.startswith("esm2 b1: 500/1,000 frames")
