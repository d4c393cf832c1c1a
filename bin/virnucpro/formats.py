"""The Parquet tables that tasks hand to one another: schemas, and the key that joins them.

A record is known by its position, never by its name: `sequence` counts a sample's records from 0 over all its files,
`chunk_index` counts its chunks likewise, and `frame_key` names one open frame of a chunk, or the stretch that is read
of it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.files import whole

FRAMES = ("F1", "F2", "F3", "R1", "R2", "R3")
MOST_BYTES = 2**31 - 1  # of text in one Arrow array

# What the encoders read: one open frame per row, or a frame's stretch.
SHARD = pa.schema(
    [
        ("frame_key", pa.int64()),
        # VirNucPro's name for it, <sequence>_chunk_<k>F1, with _stretch behind it where it is none of VirNucPro's; not
        # unique where input ids are not
        ("frame_id", pa.string()),
        ("nucleotides", pa.string()),
        ("peptide", pa.string()),
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
        ("digest", pa.uint64()),  # of its bases (frames.fasta.digest): a second reading has to find them again
        ("chunks", pa.int32()),
        ("genetic_code", pa.uint8()),  # NCBI's number, of the code that was used; 0 where the sequence is not scored
        ("better_genetic_code", pa.uint8()),  # under which far more chunks would be open; 0: none
        ("state", pa.string()),  # "" where the chunks decide, else screened, too_short or failed
        ("reason", pa.string()),
    ]
)

# One chunk per row, in the order of chunk_index.
CHUNKS = pa.schema(
    [
        ("sequence", pa.int64()),
        # 0: at the classifier's chunk length; 1: once more, at the second classifier's, as the first could read nothing
        ("cut", pa.uint8()),
        ("number", pa.int32()),  # from 1 within the sequence and the cut, as in VirNucPro's ids
        ("start", pa.int64()),  # 0-based, half-open
        ("end", pa.int64()),
        ("open_frames", pa.uint8()),  # bit f is set where FRAMES[f] is open
        ("standard_frames", pa.uint8()),  # of these, those that are open under the standard genetic code, too
        ("stretch_frames", pa.uint8()),  # likewise: the frames that are not, of which a stretch is read
        *((f"residues_{frame}", pa.int16()) for frame in FRAMES),  # of what is read of each frame, 0 where nothing is
    ]
)


def frame_key(chunk: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """int64 keys of frames (positions in FRAMES) of chunks, by chunk_index; ascending as chunks and frames are."""
    return chunk.astype(np.int64) * len(FRAMES) + frame


def chunk_of(keys):
    """The chunk_index of keys, an array or one number."""
    return keys // len(FRAMES)


def frame_of(keys):
    """The position in FRAMES of the frame of keys, an array or one number."""
    return keys % len(FRAMES)


def embedding_schema(dim: int, metadata: dict[str, str] | None = None, half: bool = False) -> pa.Schema:
    """Schema of an embedding file: rows of `dim` float32, or float16 where `half`, keyed by frame."""
    fields = [
        ("frame_key", pa.int64()),
        ("frame_id", pa.string()),
        ("embedding", pa.list_(pa.float16() if half else pa.float32(), dim)),
    ]
    return pa.schema(fields, metadata=metadata)


def build(schema: pa.Schema, columns: Sequence[np.ndarray | list[bytes]]) -> pa.Table:
    """A table from whole columns: numbers, or UTF-8 texts that need no check. Its buffers are taken as they are, where
    pa.table would look at one value after another, and import pandas to see whether a list is one of its own."""
    arrays = []
    for field, values in zip(schema, columns, strict=True):
        if pa.types.is_string(field.type):
            arrays.append(pa.chunked_array(_pieces(values)))
        else:
            numbers = np.ascontiguousarray(values, dtype=field.type.to_pandas_dtype())
            arrays.append(pa.Array.from_buffers(field.type, len(numbers), [None, pa.py_buffer(numbers)]))
    return pa.Table.from_arrays(arrays, schema=schema)


def _pieces(values: list[bytes]) -> list[pa.StringArray]:
    """One array, or several where one cannot hold all."""
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, values), dtype=np.int64, count=len(values)), out=offsets[1:])
    if offsets[-1] > MOST_BYTES:
        if len(values) == 1:
            raise OverflowError("a single text of more than 2 GB")
        middle = len(values) // 2
        return _pieces(values[:middle]) + _pieces(values[middle:])
    buffers = pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(values))
    return [pa.StringArray.from_buffers(len(values), *buffers)]


def write(table: pa.Table, path: Path, **options) -> None:
    """Write `table` so that `path` is whole or absent."""
    # Made in memory first: for the many small files a file of Arrow's own costs more than their content.
    content = pa.BufferOutputStream()
    pq.write_table(table, content, **{"compression": "zstd"} | options)
    with whole(path) as part:
        part.write_bytes(content.getvalue())
