"""One embedding task: a bin's shards through one encoder."""

import hashlib
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from virnucpro import encoders
from virnucpro.embedding import device as devices
from virnucpro.embedding.compiled import FrequentLengths
from virnucpro.embedding.embedder import OUT_OF_MEMORY, Embedder, Launched
from virnucpro.embedding.events import Events
from virnucpro.embedding.repeats import Repeats
from virnucpro.embedding.report import Report, write_report
from virnucpro.embedding.saving import Saver
from virnucpro.embedding.shards import count_frames, list_shards
from virnucpro.embedding.store import Store
from virnucpro.embedding.work import EMPTY, Bin, Work
from virnucpro.encoders.weights import sha256
from virnucpro.errors import VirnucproError
from virnucpro.tables import ENCODERS


def load(kind: str, *arguments):
    """Load the encoder `kind`. Imported by name: an edit to one encoder must not rerun the other's tasks, and -resume
    takes whatever this file imports for a part of both (workflows/support/code.nf)."""
    return import_module(f"virnucpro.encoders.{kind}").load(*arguments)


@dataclass(frozen=True)
class Task:
    """What the command line asks for."""

    kind: str
    shards: Path
    encoder: Path
    bin: str
    out: Path
    layer: int | str = "last"
    precision: str = "auto"
    batch_tokens: int | None = None
    device: str = "auto"
    store: Path | None = None
    weights_sha256: str | None = None
    attempt: int = 1


@dataclass
class Running:
    """A shard whose batches were sent to the device."""

    work: Work
    launched: Launched | None
    tokens: int
    started: float


def run_task(task: Task, events: Events) -> None:
    """Embed every shard of the bin; writes the embedding files and, last, the report.

    Reading and tokenising the next shard, computing this one and writing the one before overlap. A shard is saved as
    soon as it is done.
    """
    report = Report(task.kind, task.encoder.resolve().name, task.bin, task.attempt)
    paths = list_shards(task.shards)
    device = devices.choose_device(task.device)
    precision = devices.choose_precision(task.precision, device)
    events.start(sum(map(count_frames, paths)), device.report())
    with ThreadPoolExecutor(2) as pool:  # reading overlaps with loading the weights
        weights = pool.submit(_weights_digest, task)
        scanned = pool.submit(Bin, paths, task.kind)
        encoder = load(task.kind, task.encoder, task.layer, device.torch, devices.PRECISIONS[precision])
        identity = weights.result() | {"layer": str(encoder.layer), "precision": precision}
        bin_ = scanned.result()
    store = Store(task.store, task.kind, identity | _other_digests(task)) if task.store else None
    repeats = Repeats(bin_.digests, encoder.dim, task.out)
    embedder = _embedder(task, encoder, device, precision)
    embedder.on_retry = lambda reason: events.emit("retry", reason=reason)
    report.loaded = time.time()
    events.begin_work()

    metadata = {"encoder": task.kind, **identity, "dim": str(encoder.dim)}
    saver = Saver(task.out, task.kind, metadata, store, events)
    running: deque[Running] = deque()
    with saver:
        for work in bin_.work(encoder, repeats, store):
            running.append(_launch(work, embedder, events))
            # A GPU starts on this shard while the one before is being collected; on a CPU it is done already.
            if len(running) > device.is_gpu:
                _finish(running.popleft(), embedder, repeats, report, events, saver)
        while running:
            _finish(running.popleft(), embedder, repeats, report, events, saver)
    _check_that_something_worked(report)
    write_report(report.content(device, precision, embedder, repeats.sequences), task.out / f"{task.bin}.report.json")
    events.close("end")


def _weights_digest(task: Task) -> dict[str, str]:
    return {"weights_sha256": task.weights_sha256 or sha256(task.encoder / "model.safetensors")}


def _other_digests(task: Task) -> dict[str, str]:
    """SHA-256 of what embeddings depend on beside the weights: the encoder's small files, the code that computes."""
    files = [path for name in ("config.json", "tokenizer.json") if (path := task.encoder / name).is_file()]
    code = hashlib.sha256()
    for path in sorted(Path(encoders.__file__).parent.glob("*.py")):
        if path.stem == task.kind or path.stem not in ENCODERS:
            code.update(path.read_bytes())
    return {path.name: sha256(path) for path in files} | {"code": code.hexdigest()}


def _embedder(task: Task, encoder, device: devices.Device, precision: str) -> Embedder:
    budget = devices.choose_budget(task.batch_tokens, device, encoder.dim, precision)
    exact = None
    if precision != "fp32":
        exact = partial(load, task.kind, task.encoder, task.layer, device.torch, torch.float32)
    return Embedder(
        encoder,
        device.torch,
        budget,
        overhead=devices.OVERHEAD[device.torch.type],
        multiple=devices.width_multiple(device, task.kind),
        frequent=FrequentLengths(encoder) if device.is_gpu else None,
        exact=exact,
    )


def _launch(work: Work, embedder: Embedder, events: Events) -> Running:
    started, tokens_before = time.time(), embedder.tokens
    if work.tokens is None:
        return Running(work, None, 0, started)

    def advance(rows: np.ndarray) -> None:
        events.advance(int(work.copies[work.compute[rows]].sum()), int(work.tokens.length[rows].sum()))

    embedder.on_batch = advance
    launched = embedder.launch(work.tokens)
    return Running(work, launched, embedder.tokens - tokens_before, started)


def _finish(
    running: Running, embedder: Embedder, repeats: Repeats, report: Report, events: Events, saver: Saver
) -> None:
    """Collect a shard's embeddings, account for each frame, and hand the shard over to be written."""
    work = running.work
    reasons: dict[int, str] = {}  # by number of the sequence
    if work.stored is not None:
        vectors = work.stored
        own = np.flatnonzero(work.slots >= 0)
        first_frame = np.unique(work.member, return_index=True)[1]
        repeats.put(work.slots[own], vectors[first_frame[own]], {})
        events.advance(len(vectors), 0, computed=False)
    else:
        distinct = np.zeros((len(work.copies), embedder.encoder.dim), dtype=np.float32)
        if running.launched is not None:
            distinct[work.compute], failed = embedder.finish(running.launched)
            reasons |= {int(work.compute[row]): reason for row, reason in failed.items()}
            own = np.flatnonzero(work.slots[work.compute] >= 0)
            shared_reasons = {i: failed[int(row)] for i, row in enumerate(own) if int(row) in failed}
            repeats.put(work.slots[work.compute[own]], distinct[work.compute[own]], shared_reasons)
        if len(work.known):
            distinct[work.known], failed = repeats.get(work.slots[work.known])
            reasons |= {int(work.known[row]): reason for row, reason in failed.items()}
        reasons |= {int(number): EMPTY for number in work.empty}
        vectors = distinct[work.member]
        events.advance(int(work.copies[work.known].sum() + work.copies[work.empty].sum()), 0, computed=False)
    failed_rows: dict[int, str] = {}
    if reasons:
        failed_rows = {row: reasons[number] for row, number in enumerate(work.member.tolist()) if number in reasons}
        for row, reason in failed_rows.items():
            events.fail(**report.add_failure(work.shard, row, reason))
    reused = work.stored is not None
    seconds = time.time() - running.started
    processed = len(vectors) - len(failed_rows)
    report.add_shard(work.shard.name, len(vectors), processed, running.tokens, seconds, reused)
    saver.save(work, vectors, failed_rows, reused)


def _check_that_something_worked(report: Report) -> None:
    """A task that could compute nothing at all did not succeed: another try, elsewhere, may do better."""
    tried = [entry for entry in report.failed if entry["reason"] != EMPTY]
    if tried and not any(shard["processed"] for shard in report.shards):
        advice = "give the task a device with more memory" if tried[0]["reason"].startswith(OUT_OF_MEMORY) else ""
        advice = advice or "the encoder's files or this installation may be damaged"
        raise VirnucproError(
            f"{report.bin}: none of {len(tried)} frames could be embedded; the first, {tried[0]['frame_id']} of "
            f"{tried[0]['shard']}: {tried[0]['reason']}; {advice}"
        )
