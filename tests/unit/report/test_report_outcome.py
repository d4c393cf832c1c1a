"""The report's figures against arithmetic by hand: outcome, tasks, use of devices, tables."""

import csv
import json
from dataclasses import replace

import pytest
import simulated_run as sim

from virnucpro.errors import InputError
from virnucpro.report.embedding_tasks import EmbeddingTask, by_encoder, device_use, list_tasks
from virnucpro.report.inputs import read_run
from virnucpro.report.outcome import judge, machine_summary
from virnucpro.report.tables import write_failures, write_tasks


def load(folder):
    names = ("plan", "models", "params")
    return read_run(
        folder / "summaries",
        folder / "task_reports",
        *(folder / f"{n}.json" for n in names),
        folder / "versions.yml",
        folder / "expected.json",
    )


def write(tmp_path, summaries, plan, reports, expected=None):
    sim.write_run(tmp_path, summaries, plan, reports, expected)
    run = load(tmp_path)
    tasks = list_tasks(run)
    return run, tasks, judge(run, tasks)


def test_complete_run(tmp_path):
    plan = sim.plan(["a", "b"], tasks=3)
    run, tasks, outcome = write(
        tmp_path, [sim.summary("a", 3, 4, 5, 1), sim.summary("b", 0, 7)], plan, sim.reports_of(plan)
    )
    assert outcome.complete and not outcome.problems and not outcome.failures
    summary = machine_summary(run, outcome, by_encoder(tasks), device_use(tasks))
    assert summary["sequences"] == {
        "total": 20,
        "virus": 3,
        "other": 11,
        "no_open_frame": 5,
        "too_short": 1,
        "failed": 0,
    }
    assert summary["per_sample"][0]["viral_share"] == 3 / 7
    assert summary["per_sample"][1]["viral_share"] == 0
    assert summary["encoders"]["esm2"]["processed"] == 1003 + 1006 + 1009
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize(
    ("collected", "failed", "told"),
    [
        ({"samples": 2, "sequences": 20, "viruses": 3}, [], ""),
        ({"samples": 2, "sequences": 19, "viruses": 3}, [], "of all samples hold 19 of 20 sequences"),
        (None, [], "of all samples: no result: the task failed; the samples' own files are whole"),
        (
            None,
            [{"process": "COLLECT", "tag": "run", "exit": "74", "attempt": 3, "reason": "error: no space"}],
            "COLLECT failed at try 3 with exit status 74: no space; the samples' own files are whole",
        ),
    ],
)
def test_tables_of_all_samples_are_held_against_the_samples(tmp_path, collected, failed, told):
    sim.write_run(tmp_path, [sim.summary("a", 3, 4, 5, 1), sim.summary("b", 0, 7)], None, [])
    expected = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8")) | {"collected": True}
    (tmp_path / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    (tmp_path / "failed.json").write_text(json.dumps(failed), encoding="utf-8")
    if collected:
        (tmp_path / "run.collected.json").write_text(json.dumps(collected), encoding="utf-8")
    names = {n: tmp_path / f"{n}.json" for n in ("expected", "failed")}
    run = read_run(
        tmp_path / "summaries",
        None,
        expected=names["expected"],
        failed_tasks=names["failed"],
        collected=tmp_path / "run.collected.json",
    )
    outcome = judge(run, [])
    assert outcome.complete == (not told)
    assert len(outcome.problems) == bool(told) and told in "".join(outcome.problems)


def test_missing_task_names_its_samples_and_frames(tmp_path):
    plan = sim.plan(["a", "b"], tasks=3)
    run, tasks, outcome = write(
        tmp_path, [sim.summary("a", 3), sim.summary("b", 3)], plan, sim.reports_of(plan, skip=("esm2_002",))
    )
    assert not outcome.complete
    assert outcome.problems == [
        "task esm2_002: no result: it failed; 1,006 frames of samples a, b have no esm2 embedding; "
        "pipeline_info/execution_trace.tsv lists the task's exit status and hash, .command.log in its work folder has "
        "the message"
    ]
    summary = machine_summary(run, outcome, by_encoder(tasks), device_use(tasks))
    assert summary["missing_tasks"] == ["esm2_002"]
    assert summary["encoders"]["esm2"]["done"] == 2
    assert [f.level for f in outcome.failures] == ["task"]


def test_missing_and_failed_samples(tmp_path):
    summaries = [sim.summary("a", 1), {**sim.summary("b"), "state": "failed", "reason": "b.fa.gz: cut off"}]
    _, _, outcome = write(tmp_path, summaries, None, [], expected={"a": [], "b": [], "c": []})
    assert not outcome.complete
    assert "sample b: failed: b.fa.gz: cut off" in outcome.problems
    assert any(line.startswith("sample c: no result") for line in outcome.problems)


def test_counts_that_do_not_add_up_are_said(tmp_path):
    summary = sim.summary("a", 3, 4)
    summary["sequences"]["total"] = 8
    _, _, outcome = write(tmp_path, [summary], None, [])
    assert not outcome.complete
    assert outcome.problems == ["sample a: its states add up to 7, but it has 8 sequences"]


def test_a_failed_frame_is_listed_once_with_the_tasks_reason(tmp_path):
    plan = sim.plan(["a"], tasks=1)
    reports = sim.reports_of(plan)
    name = "seq|1_chunk_1F1"
    frame = {"shard": "a.shard_00001", "frame_key": 0, "frame_id": name, "reason": "out of memory with one frame"}
    reports[1] |= {"failed": [frame], "processed": reports[1]["processed"] - 1}
    summary = sim.summary("a", 5, state="partial")
    summary |= {"failures": [{"level": "frame", "id": name, "reason": "failed"}], "failures_total": 4}
    _, tasks, outcome = write(tmp_path, [summary], plan, reports)
    assert [(f.level, f.id, f.encoder, f.reason) for f in outcome.failures] == [
        ("frame", name, "esm2", "out of memory with one frame")
    ]
    assert outcome.unlisted == 3
    assert "task esm2_001: 1 of 1,003 frames failed" in outcome.problems
    assert (tasks[1].processed, tasks[1].failed) == (1002, 1)


def test_frames_that_a_task_lists_are_not_counted_as_unlisted(tmp_path):
    plan = sim.plan(["a"], tasks=1)
    reports = sim.reports_of(plan)
    names = [f"seq_chunk_{i}F1" for i in range(5)]
    frame = {"shard": "a.shard_00001", "frame_key": 0, "reason": "out of memory with one frame"}
    reports[1] |= {"failed": [{**frame, "frame_id": name} for name in names]}
    # The sample counts 9 failures and lists 2 of them; the task lists those 2 and 3 others.
    listed = [{"level": "frame", "id": name, "reason": "failed"} for name in names[:2]]
    summary = sim.summary("a", 5, state="partial") | {"failures": listed, "failures_total": 9}
    _, _, outcome = write(tmp_path, [summary], plan, reports)
    assert [f.id for f in outcome.failures] == names
    assert outcome.unlisted == 4


def test_highest_attempt_counts_and_a_damaged_file_is_named(tmp_path):
    plan = sim.plan(["a"], tasks=1)
    sim.write_run(tmp_path, [sim.summary("a", 1)], plan, sim.reports_of(plan))
    second = {**sim.reports_of(plan)[1], "attempt": 2, "tokens": 5}
    (tmp_path / "task_reports" / "0.report.json").write_text(json.dumps(second), encoding="utf-8")
    (tmp_path / "task_reports" / "z.report.json").write_text('{"task": "esm2_00', encoding="utf-8")
    (tmp_path / "summaries" / "z.summary.json").write_text("{}", encoding="utf-8")
    run = load(tmp_path)
    assert run.task_reports["esm2_001"]["tokens"] == 5
    assert [line.split(":")[0] for line in run.unreadable] == ["z.summary.json", "z.report.json"]
    assert not judge(run, list_tasks(run)).complete


def test_no_reports_at_all(tmp_path):
    run = read_run(None, tmp_path / "absent")
    outcome = judge(run, list_tasks(run))
    assert machine_summary(run, outcome, [], None)["sequences"]["total"] == 0


def test_damaged_plan_is_an_input_error(tmp_path):
    (tmp_path / "plan.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"plan\.json"):
        read_run(None, None, tmp_path / "plan.json")


def a_task(name, start, end, lane="gpu0", load=0.0, **more):
    return EmbeddingTask(
        task=name,
        encoder="esm2",
        state="done",
        shards=[],
        frames=10,
        predicted_load=100,
        predicted_tokens=100,
        seconds=end - start - load,
        load_seconds=load,
        lane=lane,
        lane_short=lane,
        started=start,
        finished=end,
        **more,
    )


def test_idle_share_and_efficiency_by_hand():
    # Two devices for 100 s; one is done after 60: 40 of 200 s idle. Work is 90 + 50, and one model load of 10 s would
    # do for a single device: (140 + 10) / 200.
    use = device_use([a_task("1", 0, 100, "gpu0", 10), a_task("2", 0, 60, "gpu1", 10)])
    assert use.running_seconds == 100
    assert use.idle_share == pytest.approx(0.2)
    assert use.efficiency == pytest.approx(0.75)


def test_a_resumed_runs_pause_is_not_idle_time():
    use = device_use([a_task("1", 0, 100), a_task("2", 50_000, 50_100)])
    assert use.pauses == [(100, 50_000)]
    assert (use.running_seconds, use.idle_share) == (200, 0)


def test_a_short_gap_is_idle_time():
    use = device_use([a_task("1", 0, 100), a_task("2", 120, 220)])
    assert use.pauses == []
    assert use.idle_share == pytest.approx(20 / 220)


def test_tasks_that_share_a_device_get_a_lane_each():
    use = device_use([a_task("1", 0, 100, "cpu"), a_task("2", 50, 150, "cpu"), a_task("3", 100, 200, "cpu")])
    assert [[t.task for t in lane.tasks] for lane in use.lanes] == [["1", "3"], ["2"]]
    assert use.idle_share == pytest.approx(1 - 300 / 400)


def test_balance_and_padding_by_hand():
    rows = [
        a_task("1", 0, 30, tokens=90, padding_share=0.1, tokens_per_second=3.0),
        a_task("2", 0, 10, tokens=100, padding_share=0.0, tokens_per_second=10.0),
    ]
    (use,) = by_encoder(rows)
    assert use.predicted_balance == 1
    assert use.measured_balance == 30 / 20
    assert use.padding_share == pytest.approx(10 / 200)
    assert use.tokens_per_second == 6.5


def test_reused_tasks_do_not_count_as_measured_load():
    (use,) = by_encoder([a_task("1", 0, 10), a_task("2", 0, 10), a_task("3", 0, 0, reused=10)])
    assert use.measured_balance == 1


def test_tables_keep_their_columns_whatever_an_id_holds(tmp_path):
    plan = sim.plan(["a"], tasks=2)
    reports = sim.reports_of(plan, skip=("esm2_002",))
    frame = {"shard": "a.shard_00001", "frame_key": 7, "frame_id": sim.HOSTILE + "\n", "reason": "odd\treason"}
    reports[0]["failed"] = [frame]
    _, tasks, outcome = write(tmp_path, [sim.summary("a", 1)], plan, reports)
    write_tasks(tasks, tmp_path / "embedding_tasks.tsv")
    write_failures(outcome.failures, tmp_path / "failures.tsv")
    task_rows = list(
        csv.DictReader(
            (tmp_path / "embedding_tasks.tsv").open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE
        )
    )
    assert [(r["task"], r["state"], r["processed"]) for r in task_rows] == [
        ("dnabert_s_001", "done", "1003"),
        ("dnabert_s_002", "done", "1006"),
        ("esm2_001", "done", "1003"),
        ("esm2_002", "missing", ""),
    ]
    lines = (tmp_path / "failures.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert {line.count("\t") for line in lines} == {6}
    assert lines[2].endswith("odd\\treason")


def test_what_a_failed_task_said_last_is_the_reason(tmp_path):
    """Of the run's trace, by the name of the sample or the embedding task."""
    plan = sim.plan(["a", "b"], tasks=3)
    run, _, _ = write(
        tmp_path, [sim.summary("a", 3)], plan, sim.reports_of(plan, skip=("esm2_002",)), {"a": [], "b": []}
    )
    failed = [
        {"process": "EMBED_ESM2", "tag": "esm2_002", "exit": "70", "attempt": 3, "reason": "error: the GPU is lost"},
        {"process": "CLASSIFY", "tag": "b", "exit": "1", "attempt": 3, "reason": ""},
    ]
    run = replace(run, failed_tasks=failed)
    sample, task = judge(run, list_tasks(run)).problems
    assert sample.startswith("sample b: no result: CLASSIFY failed at try 3 with exit status 1; ")
    assert task.startswith(
        "task esm2_002: no result: EMBED_ESM2 failed at try 3 with exit status 70: the GPU is lost; "
    )
