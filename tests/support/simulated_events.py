"""Makes a Nextflow work folder with event files as running embedding tasks write them; as a script it plays a run:

python tests/simulated_events.py WORK_FOLDER [SECONDS]
"""

import json
import sys
import time
import uuid
from pathlib import Path

import simulated_run as sim


class FakeTask:
    """One task folder, in which events are appended."""

    def __init__(self, work: Path, name: str, total: int, attempt=1, gpu=0, at=None):
        digest = uuid.uuid4().hex
        self.folder = work / digest[:2] / digest[2:]
        (self.folder / "embeddings").mkdir(parents=True)
        self.path = self.folder / "embeddings" / f"{name}.events.jsonl"
        self.path.touch()
        self.total, self.done, self.failed, self.started = total, 0, 0, at if at is not None else time.time()
        device = {"type": "cuda", "name": "NVIDIA A100-SXM4-40GB", "uuid": f"GPU-{gpu:08x}-1234"}
        self.constant = {"task": name, "encoder": name.rpartition("_")[0], "attempt": attempt, "pid": 4321}
        self.constant |= {"hostname": "gpu-node-01.cluster", "device": device}

    def emit(self, event: str, at=None, done=None, **more) -> None:
        """Append an event; `done` frames so far."""
        at = time.time() if at is None else at
        self.done = self.done if done is None else done
        seconds = max(1e-3, at - self.started)
        left = (self.total - self.done) * seconds / self.done if self.done else None
        counts = {"done": self.done, "total": self.total, "failed": self.failed}
        speed = {"tokens_per_second": round(150 * self.done / seconds, 1), "seconds_left": left}
        line = json.dumps({"time": at, "event": event, **self.constant, **counts, **speed, **more})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def fail(self, frame: str, reason: str, at=None) -> None:
        """A failed frame."""
        self.failed += 1
        self.emit("failed", at=at, shard="a.shard_00001", frame_key=1, frame_id=frame, reason=reason)

    def exit(self, code: int) -> None:
        """What Nextflow's wrapper leaves."""
        (self.folder / ".exitcode").write_text(str(code), encoding="utf-8")

    def end(self, at=None) -> None:
        """The whole of the task is done."""
        self.emit("end", at=at, done=self.total)
        self.exit(0)


def write_plan(work: Path, tasks=2, frames=1000) -> dict:
    """A plan in a task folder of its own; returns it."""
    plan = sim.plan(["a"], tasks=tasks, frames=frames)
    folder = work / "00" / ("f" * 30)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / ".exitcode").write_text("0", encoding="utf-8")
    return plan


def play(work: Path, seconds: float) -> None:
    """Two devices, four tasks per encoder, a task that dies and is tried again, failed frames; in `seconds`."""
    plan = write_plan(work, tasks=4)
    frames = {b["task"]: b["frames"] for part in plan["encoders"].values() for b in part["tasks"]}
    rounds = [list(frames)[i : i + 2] for i in range(0, 8, 2)]
    step = seconds / (len(rounds) + 1) / 10
    for names in [*rounds[:2], ["esm2_001"], *rounds[2:]]:
        again = names == rounds[2]
        tasks = [FakeTask(work, n, frames[n], 2 if again and n == "esm2_001" else 1, i) for i, n in enumerate(names)]
        time.sleep(step)
        for task in tasks:
            task.emit("start")
        for i in range(1, 10):
            time.sleep(step)
            for task in tasks:
                if names == ["esm2_001"] and i == 5:
                    task.exit(137)
                    break
                task.emit("progress", done=task.total * i // 9)
                if i == 4:
                    task.fail(sim.HOSTILE, "out of memory with one frame")
            else:
                continue
            break
        else:
            for task in tasks:
                task.end()


if __name__ == "__main__":
    play(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 20)
