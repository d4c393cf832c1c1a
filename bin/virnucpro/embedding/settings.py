"""What the command line asks an embedding task for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One task: its encoder, its shards, and how to compute."""

    kind: str
    shards: Path
    encoder: Path
    name: str
    out: Path
    layer: int | str = "last"
    precision: str = "auto"
    batch_tokens: int | None = None
    device: str = "auto"
    store: Path | None = None
    weights_sha256: str | None = None
    attempt: int = 1
