"""`<task>.report.json`: what a task did, for the run's report and for whoever wonders."""

import json
import platform
import resource
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow
import safetensors

from virnucpro.embedding.shards import Shard
from virnucpro.files import whole

FORMAT = 1


@dataclass
class Report:
    """Collects a task's figures. Tokens are those computed: of distinct sequences, not taken from the store."""

    encoder: str
    model: str
    task: str
    attempt: int
    started: float = field(default_factory=time.time)
    loaded: float = 0.0
    shards: list[dict] = field(default_factory=list)
    failed: list[dict] = field(default_factory=list)

    def add_failure(self, shard: Shard, row: int, reason: str) -> dict:
        """One frame without an embedding; gives the entry back."""
        entry = {
            "shard": shard.name,
            "frame_key": shard.frame_key[row].as_py(),
            "frame_id": shard.frame_id[row].as_py(),
            "reason": reason,
        }
        self.failed.append(entry)
        return entry

    def add_shard(self, name: str, frames: int, processed: int, tokens: int, seconds: float, reused: bool) -> None:
        """One finished shard."""
        self.shards.append(
            {
                "shard": name,
                "frames": frames,
                "processed": processed,
                "failed": frames - processed,
                "tokens": tokens,
                "seconds": round(seconds, 3),
                "reused": reused,
            }
        )

    def content(self, device, precision: str, embedder, sequences: int, kernels_failure: str = "") -> dict:
        """The whole report, at the end of the work. kernels_failure: why a GPU does without packed rows."""
        finished = time.time()
        work = finished - self.loaded
        return {
            "format": FORMAT,
            "encoder": self.encoder,
            "model": self.model,
            "task": self.task,
            "attempt": self.attempt,
            "device": device.report(),
            "precision": precision,
            "processed": sum(shard["processed"] for shard in self.shards),
            "failed": self.failed,
            "shards": self.shards,
            "tokens": embedder.tokens,
            "padding_tokens": embedder.padding_tokens,
            "unique_sequences": sequences,
            "recomputed_in_fp32": embedder.recomputed,
            "started": self.started,
            "finished": finished,
            "seconds": {
                "load": round(self.loaded - self.started, 3),
                "work": round(work, 3),
                "total": round(finished - self.started, 3),
            },
            "tokens_per_second": round(embedder.tokens / work, 1),
            "peak_memory_bytes": peak_memory(device),
            "batch_tokens": embedder.budget,
            "oom_halvings": embedder.oom_halvings,
            "packed": embedder.packed,
            "kernels_failure": kernels_failure,
            "hostname": socket.gethostname(),
            "versions": versions(),
        }


def write_report(content: dict, path: Path) -> None:
    """Write so that `path` is whole or absent."""
    with whole(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def peak_memory(device) -> int:
    """Bytes: of the GPU's memory, or of this process on a CPU."""
    if device.is_gpu:
        import torch

        return torch.cuda.max_memory_allocated(device.torch)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def versions() -> dict[str, str]:
    """Of everything that computes: PyTorch and the tokenizers where they were needed."""
    more = [sys.modules[name] for name in ("torch", "tokenizers") if name in sys.modules]
    modules = (*more[:1], np, pyarrow, safetensors, *more[1:])
    return {"python": platform.python_version()} | {m.__name__: m.__version__ for m in modules}
