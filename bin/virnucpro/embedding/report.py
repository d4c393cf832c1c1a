"""`<bin>.report.json`: what a task did, for the run's report and for whoever wonders."""

import json
import platform
import resource
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow
import safetensors
import tokenizers
import torch

from virnucpro.embedding.device import Device
from virnucpro.embedding.shards import Shard

FORMAT = 1


@dataclass
class Report:
    """Collects a task's figures. Tokens are those computed: of distinct sequences, not taken from the store."""

    encoder: str
    model: str
    bin: str
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

    def content(self, device: Device, precision: str, embedder, sequences: int) -> dict:
        """The whole report, at the end of the work."""
        finished = time.time()
        work = finished - self.loaded
        return {
            "format": FORMAT,
            "encoder": self.encoder,
            "model": self.model,
            "bin": self.bin,
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
            "compiled_lengths": sorted(embedder.frequent.lengths) if embedder.frequent else [],
            "compile_failure": embedder.frequent.failure if embedder.frequent else "",
            "hostname": socket.gethostname(),
            "versions": versions(),
        }


def write_report(content: dict, path: Path) -> None:
    """Write so that `path` is whole or absent."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)


def peak_memory(device: Device) -> int:
    """Bytes: of the GPU's memory, or of this process on a CPU."""
    if device.is_gpu:
        return torch.cuda.max_memory_allocated(device.torch)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def versions() -> dict[str, str]:
    """Of everything that computes."""
    modules = (torch, np, pyarrow, safetensors, tokenizers)
    return {"python": platform.python_version()} | {m.__name__: m.__version__ for m in modules}
