"""The table that screening hands to the extraction of frames."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.errors import InputError

# One input record per row, in order.
SCREENED = pa.schema(
    [
        ("digest", pa.uint64()),  # of its bases (frames.fasta.digest)
        ("probability", pa.float64()),  # of being a virus, where viruses are as many as others
        ("left_out", pa.bool_()),
    ]
)


class Screened:
    """Verdicts of a screening, handed out in the order of the records. None of a table without rows."""

    def __init__(self, path: Path):
        table = pq.read_table(path, schema=SCREENED)
        names = pq.read_schema(path).metadata or {}
        self._name, self._by = (names.get(key, b"").decode() for key in (b"classifier", b"by"))
        self._digest, self._probability, self._out = (column.to_numpy() for column in table.columns)
        self._next = 0
        self._path = path

    def verdicts(self, digests: np.ndarray) -> list[str]:
        """Why each of the next records, given by digests (uint64), is left out, '' where it is not; InputError where
        others were screened."""
        n = len(digests)
        if not len(self._digest):
            return [""] * n
        rows = slice(self._next, self._next + n)
        self._next += n
        if not np.array_equal(self._digest[rows], digests):
            raise InputError(f"{self._path.name}: the FASTA has changed since it was screened; run again")
        why = f"{self._name} gives it a probability of {{:.2g}}, too low for --screen_sensitivity {self._by}"
        found = zip(self._probability[rows].tolist(), self._out[rows].tolist(), strict=True)
        return [why.format(p) if out else "" for p, out in found]
