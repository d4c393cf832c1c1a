"""One embedding task: its shards through one encoder."""

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
from virnucpro.embedding.embedder import OUT_OF_MEMORY, Embedder, Launched
from virnucpro.embedding.events import Events
from virnucpro.embedding.repeats import Repeats
from virnucpro.embedding.report import Report, write_report
from virnucpro.embedding.saving import Saver
from virnucpro.embedding.settings import Task
from virnucpro.embedding.shards import count_frames, list_shards
from virnucpro.embedding.store import Store
from virnucpro.embedding.work import EMPTY, TaskShards, Work
from virnucpro.errors import VirnucproError
from virnucpro.files import sha256_file


def load(kind: str, *arguments):
    """Load the encoder `kind`. Imported by name: an edit to one encoder must not rerun the other's tasks, and -resume
    takes whatever this file imports for a part of both (workflows/support/code.nf)."""
    return import_module(f"virnucpro.encoders.{kind}.model").load(*arguments)


@dataclass
class Running:
    """A shard whose batches were sent to the device."""

    work: Work
    launched: Launched | None
    tokens: int
    started: float


def run_task(task: Task, events: Events) -> None:
    """Embed every shard of the task; writes the embedding files and, last, the report.

    Reading and tokenising the next shard, computing this one and writing the one before overlap. A shard is saved as
    soon as it is done.
    """
    report = Report(task.kind, task.encoder.resolve().name, task.name, task.attempt)
    paths = list_shards(task.shards)
    device = devices.choose_device(task.device)
    precision = devices.choose_precision(task.precision, device)
    events.start(sum(map(count_frames, paths)), device.report())
    with ThreadPoolExecutor(2) as pool:  # reading overlaps with loading the weights
        weights = pool.submit(_weights_digest, task)
        scanned = pool.submit(TaskShards, paths, task.kind)
        encoder = load(task.kind, task.encoder, task.layer, device.torch, devices.PRECISIONS[precision])
        identity = weights.result() | {"layer": str(encoder.layer), "precision": precision}
        shards = scanned.result()
    store = Store(task.store, task.kind, identity | _other_digests(task)) if task.store else None
    repeats = Repeats(shards.digests, encoder.dim, task.out)
    packed, kernels_failure = devices.wants_packed(device, precision), ""
    if packed:
        kernels_failure = devices.kernels_failure(encoder, device)
        packed = not kernels_failure
    if kernels_failure:
        events.warn(f"padded rows and plain PyTorch, slower and as good: {kernels_failure}")
    embedder = _embedder(task, encoder, device, precision, packed)
    embedder.on_retry = lambda reason: events.emit("retry", reason=reason)
    report.loaded = time.time()
    events.begin_work(repeats.frames)

    metadata = {"encoder": task.kind, **identity, "dim": str(encoder.dim)}
    saver = Saver(task.out, task.kind, metadata, store, events, half=precision != "fp32")
    running: deque[Running] = deque()
    with saver:
        for work in shards.work(encoder, repeats, store):
            running.append(_launch(work, embedder, events))
            # A GPU starts on this shard while the one before is being collected; on a CPU it is done already.
            if len(running) > device.is_gpu:
                _finish(running.popleft(), embedder, repeats, report, events, saver)
        while running:
            _finish(running.popleft(), embedder, repeats, report, events, saver)
    _check_that_something_worked(report)
    content = report.content(device, precision, embedder, repeats.sequences, kernels_failure)
    write_report(content, task.out / f"{task.name}.report.json")
    events.close("end")


def _weights_digest(task: Task) -> dict[str, str]:
    return {"weights_sha256": task.weights_sha256 or sha256_file(task.encoder / "model.safetensors")}


def _other_digests(task: Task) -> dict[str, str]:
    """SHA-256 of what embeddings depend on beside the weights: the encoder's small files, the code that computes."""
    files = [path for name in ("config.json", "tokenizer.json") if (path := task.encoder / name).is_file()]
    code = hashlib.sha256()
    room = Path(encoders.__file__).parent
    for path in (*sorted(room.glob("*.py")), *sorted((room / task.kind).glob("*.py"))):
        code.update(path.read_bytes())
    return {path.name: sha256_file(path) for path in files} | {"code": code.hexdigest()}


def _embedder(task: Task, encoder, device: devices.Device, precision: str, packed: bool) -> Embedder:
    budget = devices.choose_budget(task.batch_tokens, device, encoder.dim, "packed" if packed else precision)
    exact = None
    if precision != "fp32":
        exact = partial(load, task.kind, task.encoder, task.layer, device.torch, torch.float32)
    return Embedder(
        encoder,
        device.torch,
        budget,
        overhead=devices.OVERHEAD[device.torch.type],
        packed=packed,
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
    work, reused = running.work, running.work.stored is not None
    vectors, reasons = _of_sequences(running, embedder, repeats)
    shared = np.flatnonzero(work.slots >= 0)
    shared_reasons = {i: reasons[number] for i, number in enumerate(shared.tolist()) if number in reasons}
    repeats.put(work.slots[shared], vectors[shared], shared_reasons)
    frames = len(work.member)
    known = int(work.copies[work.known].sum())
    not_computed = frames if reused else known + int(work.copies[work.empty].sum())
    events.advance(not_computed, 0, computed=False, repeats=known)
    failed = {frame: reasons[number] for frame, number in enumerate(work.member.tolist()) if number in reasons}
    for frame, reason in failed.items():
        events.fail(**report.add_failure(work.shard, frame, reason))
    seconds = time.time() - running.started
    report.add_shard(work.shard.name, frames, frames - len(failed), running.tokens, seconds, reused)
    saver.save(work, work.stored.vectors if reused else vectors[work.member], failed)


def _of_sequences(running: Running, embedder: Embedder, repeats: Repeats) -> tuple[np.ndarray, dict[int, str]]:
    """Embeddings of a shard's distinct sequences, float32 [distinct, dim]; the reason for each that has none."""
    work = running.work
    if work.stored is not None:
        return work.stored.vectors[np.unique(work.member, return_index=True)[1]], {}
    vectors = np.zeros((len(work.copies), embedder.encoder.dim), dtype=np.float32)
    reasons = dict.fromkeys(work.empty.tolist(), EMPTY)

    def fill(numbers: np.ndarray, embedded: tuple[np.ndarray, dict[int, str]]) -> None:
        vectors[numbers], failed = embedded
        reasons.update({int(numbers[row]): reason for row, reason in failed.items()})

    if running.launched is not None:
        fill(work.compute, embedder.finish(running.launched))
    if len(work.known):
        fill(work.known, repeats.get(work.slots[work.known]))
    return vectors, reasons


def _check_that_something_worked(report: Report) -> None:
    """A task that could compute nothing at all did not succeed: another try, elsewhere, may do better."""
    tried = [entry for entry in report.failed if entry["reason"] != EMPTY]
    if tried and not any(shard["processed"] for shard in report.shards):
        advice = "give the task a device with more memory" if tried[0]["reason"].startswith(OUT_OF_MEMORY) else ""
        advice = advice or "the encoder's files or this installation may be damaged"
        raise VirnucproError(
            f"{report.task}: none of {len(tried)} frames could be embedded; the first, {tried[0]['frame_id']} of "
            f"{tried[0]['shard']}: {tried[0]['reason']}; {advice}"
        )
