"""An embedding task of an encoder that needs no PyTorch: fast enough that shard after shard, on one core, will do."""

import hashlib
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from virnucpro import encoders
from virnucpro.embedding.events import Events
from virnucpro.embedding.report import Report, write_report
from virnucpro.embedding.saving import Saver
from virnucpro.embedding.settings import Task
from virnucpro.embedding.shards import count_frames, digests, list_shards, read_shard
from virnucpro.embedding.store import Store
from virnucpro.embedding.work import EMPTY
from virnucpro.encoders.kind import CONFIG, WEIGHTS
from virnucpro.encoders.kinds import KINDS
from virnucpro.files import sha256_file
from virnucpro.runtime import cpu_name


def run_light_task(task: Task, events: Events) -> None:
    """Embed every shard of the task; writes the embedding files and, last, the report. Always on a CPU, in float64."""
    report = Report(task.kind, task.encoder.resolve().name, task.name, task.attempt)
    paths = list_shards(task.shards)
    device = SimpleNamespace(is_gpu=False, report=lambda: {"type": "cpu", "name": cpu_name(), "uuid": ""})
    events.start(sum(map(count_frames, paths)), device.report())
    # By name: an edit to this encoder must not rerun the others' tasks (workflows/support/code.nf).
    encoder = import_module(f"virnucpro.encoders.{task.kind}.model").load(task.encoder)
    identity = {"weights_sha256": task.weights_sha256 or sha256_file(task.encoder / WEIGHTS), "layer": "1"}
    settings = identity | {CONFIG: sha256_file(task.encoder / CONFIG), "code": _code(task.kind)}
    store = Store(task.store, task.kind, settings) if task.store else None
    report.loaded = time.time()
    events.begin_work()
    tokens = 0
    metadata = {"encoder": task.kind, **identity, "dim": str(encoder.dim)}
    with Saver(task.out, task.kind, metadata, store, events, half=False) as saver:
        for path in paths:
            started = time.time()
            shard = read_shard(path, task.kind)
            key = store.key(digests(shard.sequences)) if store else None
            stored = store.load(key, shard, encoder.dim) if store else None
            reused = stored is not None
            vectors = stored.vectors if reused else encoder([s or "" for s in shard.sequences])
            failed = {row: EMPTY for row, s in enumerate(shard.sequences) if not s}
            for row, reason in failed.items():
                events.fail(**report.add_failure(shard, row, reason))
            lengths = np.array([len(s or "") for s in shard.sequences], dtype=np.int64)
            cost = 0 if reused else int(KINDS[task.kind].tokens(3 * lengths, lengths).sum(dtype=np.int64))
            tokens += cost
            events.advance(len(vectors), cost, computed=not reused)
            seconds = time.time() - started
            report.add_shard(shard.name, len(vectors), len(vectors) - len(failed), cost, seconds, reused)
            saver.save(SimpleNamespace(shard=shard, key=key, stored=stored), vectors, failed)
    figures = SimpleNamespace(tokens=tokens, padding_tokens=0, recomputed=0, budget=0, oom_halvings=0, packed=False)
    frames = sum(shard["frames"] for shard in report.shards)
    write_report(report.content(device, "fp64", figures, frames), task.out / f"{task.name}.report.json")
    events.close("end")


def _code(kind: str) -> str:
    """SHA-256 of the code that computes."""
    code = hashlib.sha256()
    for path in sorted((Path(encoders.__file__).parent / kind).glob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()
