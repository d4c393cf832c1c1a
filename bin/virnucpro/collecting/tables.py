"""From the samples' sequences.tsv to tables of the run: TSV line by line, Parquet block by block, in flat memory."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from virnucpro.errors import InputError

ROWS = 1 << 17  # of a row group in Parquet
NUMBERS = {
    **dict.fromkeys(("virus_score", "max_p_virus", "virus_probability", "q_value"), pa.float64()),
    **dict.fromkeys(("genetic_code", "better_genetic_code"), pa.int32()),
    **dict.fromkeys(("sequence_number", "length", "chunks", "bases_scored", "record"), pa.int64()),
    **{f"chunks_{x}": pa.int64() for x in ("scored", "virus", "stretch", "no_open_frame", "failed")},
}


class SampleResults(NamedTuple):
    """A sample's files."""

    sample: str
    sequences: Path  # sequences.tsv
    viruses: Path  # viruses.fasta.gz


def columns_of(sources: list[SampleResults]) -> list[str]:
    """The columns of all samples' sequences.tsv; InputError where they differ."""
    headers = {}
    for source in sources:
        with source.sequences.open(encoding="utf-8") as lines:
            headers.setdefault(lines.readline().rstrip("\n"), source)
    if len(headers) > 1:
        first, second, *_ = (source.sample for source in headers.values())
        raise InputError(f"the tables of the samples {first} and {second} have different columns; run both anew")
    return next(iter(headers)).split("\t")


def viral_rows(source: SampleResults, columns: list[str]) -> Iterator[list[str]]:
    """The row of each virus of a sample, in order."""
    state = columns.index("state")
    with source.sequences.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t")
        next(rows)
        yield from (row for row in rows if row[state] == "virus")


class ParquetTable:
    """A Parquet file that grows by TSV files, each with some columns of its own in front."""

    def __init__(self, path: Path, more: list[str], columns: list[str]):
        self._types = {name: NUMBERS.get(name, pa.string()) for name in columns}
        fields = [(name, pa.string()) for name in more] + list(self._types.items())
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []
        self.rows = 0

    def __enter__(self) -> "ParquetTable":
        return self

    def __exit__(self, *failure) -> None:
        self._write()
        self._writer.close()

    def add(self, path: Path, **more: str) -> None:
        """The rows of a TSV file with its header; `more`: columns that have one value in all of them."""
        options = pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in self._schema.names} | self._types,
            null_values=[""],
            strings_can_be_null=True,
        )
        reader = pyarrow.csv.open_csv(
            path, parse_options=pyarrow.csv.ParseOptions(delimiter="\t"), convert_options=options
        )
        for batch in reader:
            constant = [pa.array([value] * batch.num_rows, pa.string()) for value in more.values()]
            names = [*more, *batch.schema.names]
            table = dict(zip(names, [*constant, *batch.columns], strict=True))
            columns = [table[name] for name in self._schema.names]
            self._held.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
            self.rows += batch.num_rows
            if sum(b.num_rows for b in self._held) >= ROWS:
                self._write()

    def _write(self) -> None:
        """What is held, as one row group: a thousand small samples are not a thousand of them."""
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
            self._held = []
