#!/usr/bin/env python3
"""Write the run's report from what its tasks reported: an HTML page, and tables for machines (docs/report.md)."""

import argparse
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.report.embedding_tasks import by_encoder, device_use, list_tasks
    from virnucpro.report.inputs import read_run
    from virnucpro.report.outcome import judge, machine_summary
    from virnucpro.report.tables import write_failures, write_json, write_tasks


def parse_args() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--summaries", type=Path, help="folder of <sample>.summary.json; may be empty or absent")
    p.add_argument("--task_reports", type=Path, help="folder of <task>.report.json; may be empty or absent")
    p.add_argument("--plan", type=Path, help="plan.json of PACK_BINS")
    p.add_argument("--expected", type=Path, help='which samples there should be: {"samples": {name: [files]}}')
    p.add_argument("--models", type=Path, help="models.json: the classifier's card and its encoders")
    p.add_argument("--collected", type=Path, help="run.collected.json of COLLECT: what the run's tables hold")
    p.add_argument("--params", type=Path, help="params.json: the run's parameters")
    p.add_argument("--versions", type=Path, help="versions.json of all processes: {process: {tool: version}}")
    p.add_argument("--failed_tasks", type=Path, help="failed_tasks.json: process, tag, exit, attempt, reason of each")
    p.add_argument("--launch", type=Path, help="launch.json: how the run was started: command line, name, commit, ...")
    p.add_argument("--multiqc_config", type=Path, help="settings of the page (assets/multiqc_config.yml)")
    p.add_argument("--out", type=Path, required=True, help="folder to write into")
    return p.parse_args()


def main() -> None:
    a = parse_args()
    run = read_run(
        a.summaries,
        a.task_reports,
        a.plan,
        a.models,
        a.params,
        a.versions,
        a.expected,
        a.launch,
        a.failed_tasks,
        a.collected,
    )
    tasks = list_tasks(run)
    outcome = judge(run, tasks)
    a.out.mkdir(parents=True, exist_ok=True)
    write_json(machine_summary(run, outcome, by_encoder(tasks), device_use(tasks)), a.out / "summary.json")
    write_tasks(tasks, a.out / "embedding_tasks.tsv")
    write_failures(outcome.failures, a.out / "failures.tsv")
    write_json(run.versions, a.out / "versions.json")
    # Imported late: MultiQC takes seconds, and the tables above are written even where it cannot start.
    from virnucpro.report.page import write_page

    page = write_page(run, outcome, a.multiqc_config, a.out)
    print(f"report: {page}")
    for line in outcome.problems[:20]:
        print(f"problem: {line}")
    if len(outcome.problems) > 20:
        print(f"and {len(outcome.problems) - 20:,} problems more, all in summary.json")


if __name__ == "__main__":
    run_main(main)
