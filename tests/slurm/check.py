#!/usr/bin/env python3
"""What tests/slurm/run.sh left in FOLDER: did SLURM give each GPU task a GPU of its own, two at once, as arrays?

With --train FOLDER: was a classifier trained, and each task of it a job?
"""

import json
import re
import sys
from pathlib import Path


def check_example(folder: Path) -> None:
    # CUDA_VISIBLE_DEVICES, partition, from when, until when
    jobs = []
    for path in sorted((folder / "seen").iterdir()):
        first, last = path.read_text(encoding="utf-8").strip().split("\n")
        device, partition, start = first.split()
        jobs.append((device, partition, float(start), float(last)))
        print(f"  job {path.name}: partition {partition}, GPU {device}, {float(last) - float(start):.1f} s")
    expect(len(jobs) == 4, f"2 embedding tasks of each of 2 encoders: {len(jobs)}")
    expect({device for device, *_ in jobs} == {"0", "1"}, "both GPUs were used, each task saw one")
    expect({partition for _, partition, *_ in jobs} == {"gpu"}, "GPU tasks went to --gpu_queue")
    together = 1
    for device, _, start, _ in jobs:
        running = [other for other, _, begin, end in jobs if begin <= start < end]
        expect(
            len(running) == len(set(running)), f"one task per GPU: {running} were at work when one began on {device}"
        )
        together = max(together, len(running))
    expect(together == 2, f"at most two GPU tasks at once, and so it was: {together}")

    headers = {path: path.read_text(encoding="utf-8") for path in (folder / "work").glob("*/*/.command.run")}
    with_gres = [text for text in headers.values() if re.search(r"^#SBATCH .*--gres=gpu:fake:1", text, re.MULTILINE)]
    arrays = [text for text in headers.values() if re.search(r"^#SBATCH --array", text, re.MULTILINE)]
    expect(arrays and all(text in with_gres for text in arrays), f"{len(arrays)} job arrays, all with a GPU each")
    cpu = [
        path
        for path, text in headers.items()
        if "embed.py" not in path.with_name(".command.sh").read_text(encoding="utf-8")
    ]
    expect(
        not any(headers[path] in with_gres for path in cpu if headers[path] not in arrays), "CPU tasks asked for none"
    )

    summary = json.loads((folder / "results" / "pipeline_info" / "summary.json").read_text(encoding="utf-8"))
    expect(summary["complete"], "the run is complete")
    logs = [
        path.read_text(encoding="utf-8")
        for path in (folder / "work").glob("*/*/.command.err")
        if "leased GPU-" in path.read_text(encoding="utf-8")
    ]
    expect(len(logs) == 4 and not any("waiting" in text for text in logs), "leases followed SLURM: nobody waited")


def check_training(folder: Path) -> None:
    jobs = [path.read_text(encoding="utf-8").split()[:2] for path in (folder / "seen").iterdir()]
    expect(
        len(jobs) == 2 and {device for device, _ in jobs} <= {"0", "1"} and {queue for _, queue in jobs} == {"gpu"},
        "an embedding task of each of 2 encoders, on a GPU of --gpu_queue",
    )
    run = folder / "labelled"
    trace = (run / "results/pipeline_info/execution_trace.tsv").read_text(encoding="utf-8").splitlines()
    tasks = [dict(zip(trace[0].split("\t"), line.split("\t"), strict=True)) for line in trace[1:]]
    expect(
        tasks and all(task["native_id"].isdigit() and task["status"] == "COMPLETED" for task in tasks),
        f"{len(tasks)} tasks, each a job of SLURM's that ended well",
    )
    trained = [task["name"] for task in tasks if "TRAIN_CLASSIFIER" in task["name"]]
    expect(len(trained) == 3, f"the classifier and each encoder alone: {len(trained)} trainings")
    card = (run / "results/mine/classifier.yml").read_text(encoding="utf-8")
    expect("calibration:" in card and "evaluation:" in card, "the classifier is calibrated and judged")


def expect(holds: object, what: str) -> None:
    print(f"  {'ok' if holds else 'WRONG'}: {what}")
    if not holds:
        sys.exit(1)


if __name__ == "__main__":
    check = check_training if "--train" in sys.argv else check_example
    check(Path(sys.argv[-1]))
