#!/usr/bin/env python3
"""Put all samples' viruses into one table and one FASTA file, and all sequences into one table (process COLLECT)."""

import argparse
import csv
import json
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.collecting.fasta import copy_viruses, packed
    from virnucpro.collecting.names import joint_of
    from virnucpro.collecting.tables import ParquetTable, SampleResults, columns_of, viral_rows


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    what = 'the samples in order: [{"sample": name, "sequences": sequences.tsv, "viruses": viruses.fasta.gz}, ...]'
    p.add_argument("--samples", required=True, type=Path, help=f"JSON file: {what}")
    p.add_argument("--out", required=True, type=Path, help="folder for the results")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    given = json.loads(a.samples.read_text(encoding="utf-8"))
    sources = [SampleResults(s["sample"], Path(s["sequences"]), Path(s["viruses"])) for s in given]
    columns, joint = columns_of(sources), joint_of(s.sample for s in sources)
    table = a.out / "viruses.tsv"
    viruses = 0
    with (
        table.open("w", encoding="utf-8", newline="\n") as lines,
        packed(a.out / "viruses.fasta.gz") as fasta,
        ParquetTable(a.out / "sequences.parquet", ["sample"], columns) as sequences,
    ):
        write = csv.writer(lines, delimiter="\t", lineterminator="\n").writerow
        write(["virus_id", "sample", *columns])
        name = columns.index("sequence_id")
        for source in sources:
            ids = []
            for row in viral_rows(source, columns):
                ids.append((row[name], f"{source.sample}{joint}{row[name]}"))
                write([ids[-1][1], source.sample, *row])
            copy_viruses(source, ids, fasta)
            sequences.add(source.sequences, sample=source.sample)
            viruses += len(ids)
    with ParquetTable(a.out / "viruses.parquet", ["virus_id", "sample"], columns) as twin:
        twin.add(table)
    found = {"format": 1, "samples": len(sources), "sequences": sequences.rows, "viruses": viruses}
    (a.out / "run.collected.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{len(sources):,} samples: {sequences.rows:,} sequences, {viruses:,} viruses")


if __name__ == "__main__":
    run_main(main)
