"""One embedding task: a bin's shards through one encoder."""

import json
import platform
import resource
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import safetensors
import tokenizers
import torch

from virnucpro.embedding.device import PRECISIONS, Device, choose_device, choose_precision
from virnucpro.embedding.embedder import Embedder
from virnucpro.embedding.events import Events
from virnucpro.embedding.shards import count_frames, digests, list_shards, read_shard
from virnucpro.embedding.writing import embedding_table, write_embeddings
from virnucpro.encoders import dnabert_s, esm2
from virnucpro.encoders.weights import sha256

LOAD = {"dnabert_s": dnabert_s.load, "esm2": esm2.load}


@dataclass(frozen=True)
class Task:
    """What the command line asks for."""

    kind: str
    shards: Path
    encoder: Path
    bin: str
    out: Path
    layer: int | str
    precision: str
    batch_tokens: int | None
    device: str
    attempt: int


def run_task(task: Task) -> None:
    """Embed every shard of the bin; writes the embedding files, the events and, last, the report."""
    started = time.time()
    paths = list_shards(task.shards)
    total = sum(count_frames(path) for path in paths)
    task.out.mkdir(parents=True, exist_ok=True)
    events = Events(task.out / f"{task.bin}.events.jsonl", task.bin, task.kind, task.attempt, total)
    device = choose_device(task.device)
    precision = choose_precision(task.precision, device)
    encoder = LOAD[task.kind](task.encoder, task.layer, device.torch, PRECISIONS[precision])
    metadata = {
        "encoder": task.kind,
        "weights_sha256": sha256(task.encoder / "model.safetensors"),
        "layer": str(encoder.layer),
        "precision": precision,
        "dim": str(encoder.dim),
    }
    loaded = time.time()
    embedder = Embedder(encoder, device.torch, task.batch_tokens or 4096, smallest=512)
    embedder.on_retry = lambda reason: events.emit("retry", reason=reason)
    events.start(device.report())
    shards, failures, unique = [], [], 0
    for path in paths:
        before, tokens_before = time.time(), embedder.tokens
        shard = read_shard(path, task.kind)
        frames = len(shard.sequences)
        _, first, member = np.unique(digests(shard.sequences), return_index=True, return_inverse=True)
        unique += len(first)
        copies = np.bincount(member, minlength=len(first))
        tokens = encoder.tokenize([shard.sequences[i] or "" for i in first])
        embedder.on_batch = lambda rows, c=copies, t=tokens: events.advance(
            int(c[rows].sum()), int(t.length[rows].sum())
        )
        vectors, failed = embedder.embed(tokens)
        done = np.ones(len(first), dtype=bool)
        done[list(failed)] = False
        for row in np.flatnonzero(~done[member]):
            failures.append(
                {
                    "shard": shard.name,
                    "frame_key": shard.frame_key[int(row)].as_py(),
                    "frame_id": shard.frame_id[int(row)].as_py(),
                    "reason": failed[int(member[row])],
                }
            )
            events.failed += 1
            events.emit("failed", **failures[-1])
        table = embedding_table(shard, vectors[member], done[member], metadata)
        write_embeddings(table, task.out / f"{shard.name}.{task.kind}.parquet")
        shards.append(
            {
                "shard": shard.name,
                "frames": frames,
                "processed": table.num_rows,
                "failed": frames - table.num_rows,
                "tokens": embedder.tokens - tokens_before,
                "seconds": round(time.time() - before, 3),
                "reused": False,
            }
        )
        events.emit("shard", shard=shard.name)
    finished = time.time()
    work = finished - loaded
    report = {
        "format": 1,
        "encoder": task.kind,
        "model": task.encoder.resolve().name,
        "bin": task.bin,
        "attempt": task.attempt,
        "device": device.report(),
        "precision": precision,
        "processed": sum(s["processed"] for s in shards),
        "failed": failures,
        "shards": shards,
        "tokens": embedder.tokens,
        "padding_tokens": embedder.padding_tokens,
        "unique_sequences": unique,
        "started": started,
        "finished": finished,
        "seconds": {
            "load": round(loaded - started, 3),
            "work": round(work, 3),
            "total": round(finished - started, 3),
        },
        "tokens_per_second": round(embedder.tokens / work, 1),
        "peak_memory_bytes": peak_memory(device),
        "batch_tokens": embedder.budget,
        "oom_halvings": embedder.oom_halvings,
        "hostname": socket.gethostname(),
        "versions": versions(),
    }
    path = task.out / f"{task.bin}.report.json"
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(report, indent=1) + "\n")
    part.replace(path)
    events.close("end")


def peak_memory(device: Device) -> int:
    """Bytes: of the GPU's memory, or of this process on a CPU."""
    if device.torch.type == "cuda":
        return torch.cuda.max_memory_allocated(device.torch)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def versions() -> dict[str, str]:
    """Of everything that computes."""
    modules = (torch, np, pyarrow, safetensors, tokenizers)
    return {"python": platform.python_version()} | {m.__name__: m.__version__ for m in modules}
