"""The Parquet tables that tasks hand to one another: schemas, and the key that joins them.

A record is known by its position, never by its name: `sequence` counts a sample's records from 0 over all its files,
`chunk_index` counts its chunks likewise, and `frame_key = 6 * chunk_index + frame` names one open frame.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FRAMES = ("F1", "F2", "F3", "R1", "R2", "R3")
ENCODERS = ("dnabert_s", "esm2")

# One open frame per row: what the encoders read.
SHARD = pa.schema(
    [
        ("frame_key", pa.int64()),
        (
            "frame_id",
            pa.string(),
        ),  # VirNucPro's name for it, <sequence>_chunk_<k>F1; not unique where input ids are not
        ("nucleotides", pa.string()),
        ("peptide", pa.string()),
        ("dnabert_s_tokens", pa.int32()),  # predicted cost; the tokenizer runs in the embedding task only
        ("esm2_tokens", pa.int32()),
    ]
)

# One input record per row.
SEQUENCES = pa.schema(
    [
        ("sequence", pa.int64()),
        ("id", pa.string()),
        ("description", pa.string()),
        ("file", pa.int32()),  # position in the sample's list of files
        ("length", pa.int64()),
        ("chunks", pa.int32()),
        ("state", pa.string()),  # "" where the chunks decide, else too_short or failed
        ("reason", pa.string()),
    ]
)

# One chunk per row, in the order of chunk_index.
CHUNKS = pa.schema(
    [
        ("sequence", pa.int64()),
        ("number", pa.int32()),  # from 1 within the sequence, as in VirNucPro's ids
        ("start", pa.int64()),  # 0-based, half-open
        ("end", pa.int64()),
        ("open_frames", pa.uint8()),  # bit f is set where FRAMES[f] is open
    ]
)


def embedding_schema(dim: int, metadata: dict[str, str] | None = None) -> pa.Schema:
    """Schema of an embedding file: rows of `dim` float32, keyed by frame."""
    fields = [
        ("frame_key", pa.int64()),
        ("frame_id", pa.string()),
        ("embedding", pa.list_(pa.float32(), dim)),
    ]
    return pa.schema(fields, metadata=metadata)


def write(table: pa.Table, path: Path, **options) -> None:
    """Write `table` so that `path` is whole or absent: under another name first, then moved."""
    part = path.with_name(path.name + ".part")
    pq.write_table(table, part, **{"compression": "zstd"} | options)
    part.replace(path)
