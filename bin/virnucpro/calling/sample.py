"""A sample as EXTRACT_FRAMES left it: the manifest, and the tables of its sequences and chunks."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.calling.ids import own_ids
from virnucpro.errors import InputError
from virnucpro.formats import frame_key


@dataclass(frozen=True)
class Sample:
    """One sample before it is scored. `sequences` has a `sequence_id` (own_ids) beside the `id` of its FASTA. `chunks`
    lies in the order of chunk_index; `keys` are those of all frames that were read: open ones, and stretches."""

    name: str
    manifest: dict
    sequences: pl.DataFrame
    chunks: pl.DataFrame
    keys: np.ndarray  # int64 [frames], ascending

    @property
    def shards(self) -> list[dict]:
        return self.manifest["shards"]


def read_sample(name: str, folder: Path) -> Sample:
    """Read a sample's manifest and tables from `folder` and check that they tell one story (InputError if not)."""
    manifest = json.loads((folder / f"{name}.manifest.json").read_text(encoding="utf-8"))
    sequences = pl.read_parquet(folder / f"{name}.sequences.parquet")
    chunks = pl.read_parquet(folder / f"{name}.chunks.parquet")
    keys = _frame_keys(chunks["open_frames"].to_numpy() | chunks["stretch_frames"].to_numpy())
    found = {"sequences": sequences.height, "chunks": chunks.height, "frames": len(keys)}
    for what, count in found.items():
        if count != manifest[what]:
            raise InputError(f"sample {name}: its table has {count:,} {what}, its manifest says {manifest[what]:,}")
    if sequences["chunks"].sum() != chunks.height:
        raise InputError(
            f"sample {name}: its sequences have {sequences['chunks'].sum():,} chunks, not {chunks.height:,}"
        )
    return Sample(name, manifest, sequences.with_columns(own_ids(sequences["id"])), chunks, keys)


def _frame_keys(bits: np.ndarray) -> np.ndarray:
    """frame_key of all that was read of each chunk, ascending, from the bit sets of its frames (uint8)."""
    rows = np.unpackbits(bits[:, None], axis=1, bitorder="little")[:, :6]
    chunk, frame = np.nonzero(rows)
    return frame_key(chunk, frame)
