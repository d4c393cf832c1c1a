"""What a training is asked for."""

from dataclasses import dataclass
from pathlib import Path

HISTORY = "training.json"  # beside the classifier: how its training went


@dataclass(frozen=True)
class Order:
    """What is to be trained. kinds: of encoder, in feature order. memory: bytes for rows. by_frame: frames of one
    genome may stand on two sides, as VirNucPro splits, to see how far that flatters."""

    name: str
    split: Path
    counted: Path | None  # frames that count where an annotation was given (annotation.COUNTED); all where it is None
    tables: Path
    embeddings: Path
    models: Path  # what check_models.py found
    kinds: tuple[str, ...]
    recipe: str
    epochs: int  # at most; 0: the recipe's
    seed: int
    frames: str
    min_stretch: int
    memory: int
    threads: int
    by_frame: bool
    out: Path
