"""Where a run stands, by events that its tasks have written."""

import json

import pytest
from simulated_events import FakeTask, write_plan

from virnucpro.watch.state import FollowedRun
from virnucpro.watch.words import ending
from virnucpro.watch.work_folder import WorkFolder

T0 = 1_800_000_000.0


@pytest.fixture
def work(tmp_path):
    write_plan(tmp_path / "work")  # 2 tasks per encoder, of 1,003 and 1,006 frames
    return tmp_path / "work"


def look(work, now, run=None, **more):
    run = run or FollowedRun(WorkFolder(work), silent_after=60, **more)
    run.update(now)
    return run, run.snapshot(now)


def begin(work, name, total=1003, at=T0, **more):
    task = FakeTask(work, name, total, at=at, **more)
    task.start(at)
    return task


def states(snapshot):
    return {task.name: state for task, state in snapshot.open}


def test_a_run_from_its_begin_to_its_end(work):
    run, snapshot = look(work, T0)
    assert [e.queue for e in snapshot.encoders] == [["dnabert_s_001", "dnabert_s_002"], ["esm2_001", "esm2_002"]]
    tasks = {(e, n): begin(work, f"{e}_00{n}", 1000 + 3 * n, gpu=n) for e in ("dnabert_s", "esm2") for n in (1, 2)}
    tasks["esm2", 1].progress(400, at=T0 + 10)
    _, snapshot = look(work, T0 + 10, run)
    esm2 = snapshot.encoders[1]
    assert (esm2.tasks, esm2.tasks_done, esm2.frames, esm2.frames_done) == (2, 0, 2009, 400)
    assert esm2.tokens_per_second == 150 * 400 / 10
    assert states(snapshot)["esm2_001"] == "running"
    assert set(states(snapshot).values()) == {"running", "loading"}
    for task in tasks.values():
        task.end(at=T0 + 20)
    _, snapshot = look(work, T0 + 20, run)
    assert snapshot.complete and snapshot.open == []
    # A watcher that joins when all is over sees the same.
    assert look(work, T0 + 500)[1].complete


def test_time_left_by_hand(work):
    # DNABERT-S is done at 100 frames/s. ESM-2: 1,003 + 1,006 frames, one task at 50 frames/s has done 503.
    for n in (1, 2):
        begin(work, f"dnabert_s_00{n}", 1000 + 3 * n).end(at=T0 + 10)
    begin(work, "esm2_001").progress(503, at=T0 + 10.06)
    _, snapshot = look(work, T0 + 10.06)
    assert snapshot.seconds_left == pytest.approx((2009 - 503) / 50, rel=0.01)


def test_a_retry_replaces_the_attempt_before(work):
    first = begin(work, "esm2_001")
    first.fail("x", "bad", at=T0 + 5)
    first.progress(900, at=T0 + 6)
    first.exit(137)
    run, snapshot = look(work, T0 + 7)
    assert states(snapshot)["esm2_001"] == "dead"
    assert snapshot.current["esm2_001"].exit_code == 137
    assert snapshot.encoders[1].frames_done == 0  # its frames are to be done again
    begin(work, "esm2_001", at=T0 + 30, attempt=2).progress(0, at=T0 + 30)
    _, snapshot = look(work, T0 + 31, run)
    task = snapshot.current["esm2_001"]
    assert (task.attempt, task.done, task.failed, states(snapshot)["esm2_001"]) == (2, 0, 0, "loading")


def test_a_task_without_a_sign_is_silent_and_may_come_back(work):
    task = begin(work, "esm2_001")
    task.progress(1, at=T0 + 1)
    run, snapshot = look(work, T0 + 60)
    assert states(snapshot)["esm2_001"] == "running"
    assert states(look(work, T0 + 62, run)[1])["esm2_001"] == "silent"
    task.progress(3, at=T0 + 63)
    assert states(look(work, T0 + 64, run)[1])["esm2_001"] == "running"


def test_a_node_whose_clock_is_behind_is_not_silent_while_its_file_grows(work):
    task = begin(work, "esm2_001", at=T0 - 3600)
    run, snapshot = look(work, T0)
    assert states(snapshot)["esm2_001"] == "silent"
    task.progress(5, at=T0 - 3590)
    assert states(look(work, T0 + 10, run)[1])["esm2_001"] == "running"


def test_a_loading_model_has_more_patience(work, monkeypatch):
    task = FakeTask(work, "esm2_001", 1003)
    at = task.path.stat().st_mtime
    assert states(look(work, at + 250)[1]) == {"esm2_001": "loading"}
    assert states(look(work, at + 301)[1]) == {"esm2_001": "silent"}


def test_events_of_another_runs_plan_do_not_count(work):
    begin(work, "esm2_001", total=77).end(at=T0 - 100)
    _, snapshot = look(work, T0)
    assert snapshot.current == {}
    assert snapshot.encoders[1].queue == ["esm2_001", "esm2_002"]


def test_the_plan_at_work_is_the_one_with_the_latest_events(work):
    old = json.loads((work / "00" / ("f" * 30) / "plan.json").read_text(encoding="utf-8"))
    other = work / "01" / ("e" * 30)
    other.mkdir(parents=True)
    for part in old["encoders"].values():
        part["tasks"] = [part["tasks"][0] | {"frames": 5}]
    (other / "plan.json").write_text(json.dumps(old), encoding="utf-8")
    begin(work, "esm2_001", total=5, at=T0)
    begin(work, "esm2_001", total=1003, at=T0 + 100)
    _, snapshot = look(work, T0 + 100)
    assert snapshot.encoders[1].tasks == 2
    begin(work, "dnabert_s_001", total=5, at=T0 + 200)
    _, snapshot = look(work, T0 + 200)
    assert snapshot.encoders[1].tasks == 1
    # Or as it is given.
    _, snapshot = look(work, T0 + 200, plan=work / "00" / ("f" * 30) / "plan.json")
    assert snapshot.encoders[1].tasks == 2


def test_tasks_of_before_can_be_left_out(work):
    begin(work, "esm2_001").end()
    _, snapshot = look(work, T0, since=T0 * 2)
    assert snapshot.current == {}


def test_without_a_plan_the_tasks_are_shown_but_the_end_is_not_known(tmp_path):
    begin(tmp_path / "work", "esm2_001").end(at=T0 + 5)
    _, snapshot = look(tmp_path / "work", T0 + 5)
    assert not snapshot.planned and not snapshot.complete
    assert snapshot.encoders[0].tasks_done == 1


def test_a_half_written_plan_is_read_when_it_is_whole(tmp_path):
    folder = tmp_path / "work" / "00" / ("f" * 30)
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text('{"format": 1, "enc', encoding="utf-8")
    run, snapshot = look(tmp_path / "work", T0)
    assert not snapshot.planned
    write_plan(tmp_path / "work")
    assert look(tmp_path / "work", T0, run)[1].planned


def test_exit_0_without_an_end_is_done(work):
    task = FakeTask(work, "esm2_001", 1003)
    task.exit(0)
    _, snapshot = look(work, T0)
    assert snapshot.encoders[1].tasks_done == 1


def test_the_written_event_files_are_understood(work, monkeypatch):
    """What the embedding tasks write, not what this test's helper writes."""
    events = pytest.importorskip("virnucpro.embedding.events")
    task = FakeTask(work, "esm2_001", 1003)
    monkeypatch.setattr(events, "INTERVAL", 0.0)
    writer = events.Events(task.path, "esm2_001", "esm2", 2)
    run = FollowedRun(WorkFolder(work), silent_after=60)
    now = task.path.stat().st_mtime

    def state():
        run.update(now)
        return states(run.snapshot(now)).get("esm2_001", "done")

    assert state() == "loading"
    writer.start(1003, {"type": "cuda", "name": "NVIDIA H100", "uuid": "GPU-1"})
    assert state() == "loading"
    writer.begin_work()
    writer.advance(10, 1500)
    writer.fail(shard="a.shard_00001", frame_key=3, frame_id="x_chunk_1F1", reason="out of memory")
    writer.emit("retry", reason="out of memory")
    assert state() == "running"
    seen = run.snapshot(now).current["esm2_001"]
    assert (seen.attempt, seen.done, seen.total, seen.failed, seen.retries) == (2, 10, 1003, 1, 1)
    assert seen.where.endswith("H100 GPU-1")
    assert list(seen.failures) == [("x_chunk_1F1", "out of memory")]
    writer.advance(993, 5)
    writer.close("end")
    assert state() == "done"
    assert seen.done == 1003


def test_an_end_with_a_message_is_no_end_of_the_task(work):
    task = begin(work, "esm2_001")
    task.progress(7, at=T0 + 5)
    task.stop("terminated by SIGTERM", at=T0 + 6)
    run, snapshot = look(work, T0 + 7)
    assert states(snapshot) == {"esm2_001": "dead"}
    assert not snapshot.complete
    assert ending(snapshot.current["esm2_001"]) == "ended early: terminated by SIGTERM"
    task.exit(143)
    _, snapshot = look(work, T0 + 8, run)
    assert ending(snapshot.current["esm2_001"]) == "ended early, exit 143: terminated by SIGTERM"
