"""The files of a sample's viral regions: a table, GFF3, BED and FASTA (docs/output.md)."""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl

from virnucpro.calling.fasta_files import packed_fasta, records_of
from virnucpro.calling.results import write_bed as write_bed_rows
from virnucpro.calling.results import write_tsv

GFF_SAFE = ".:^*$@!+_?|-"  # beside letters and digits, what may stand in a seqid as it is (GFF3 1.26)


def with_names(regions: pl.DataFrame, sequences: pl.DataFrame) -> pl.DataFrame:
    """The regions with id and length of their sequences, and a name: region_<sequence number>_<first>_<last>."""
    first, last = regions["start"] + 1, regions["end"]
    return regions.with_columns(
        sequences["sequence_id"].gather(regions["sequence"]),
        sequences["length"].gather(regions["sequence"]).alias("sequence_length"),
        pl.select(pl.format("region_{}_{}_{}", regions["sequence"] + 1, first, last).alias("region")).to_series(),
    )


def write_table(regions: pl.DataFrame, path: Path) -> None:
    """regions.tsv: one row per region, in input order; start and end are 1-based and inclusive."""
    columns = ["virus_score", "chunks", "chunks_scored", "chunks_virus", "evidence"]
    table = regions.select(
        "region",
        (pl.col("sequence") + 1).alias("sequence_number"),
        "sequence_id",
        (pl.col("start") + 1).alias("start"),
        "end",
        (pl.col("end") - pl.col("start")).alias("length"),
        "sequence_length",
        *columns,
        pl.col("whole").cast(pl.String).alias("whole_sequence"),
    )
    write_tsv(table, path)


def write_bed(regions: pl.DataFrame, path: Path) -> None:
    """regions.bed: BED6, the score 1,000 times the mean virus_score."""
    thousandths = (pl.col("virus_score") * 1000).floor().cast(pl.Int64)
    write_bed_rows(regions.select("sequence_id", "start", "end", "region", thousandths, pl.lit(".")), path)


def write_gff(regions: pl.DataFrame, path: Path) -> None:
    """regions.gff3 (GFF3 1.26): whole sequences are viral_sequence (SO:0001041), parts proviral_region (SO:0000751)."""
    rows = regions.select(
        "sequence_id", "sequence_length", "start", "end", "virus_score", "region", "chunks_scored", "evidence", "whole"
    ).iter_rows()
    with path.open("w", encoding="utf-8") as out:
        out.write("##gff-version 3\n")
        for name, length in regions.select("sequence_id", "sequence_length").unique(maintain_order=True).rows():
            out.write(f"##sequence-region {quote(name, safe=GFF_SAFE)} 1 {length}\n")
        for name, length, start, end, score, region, scored, evidence, whole in rows:
            seqid = quote(name, safe=GFF_SAFE)
            kind = "viral_sequence" if whole else "proviral_region"
            more = f"ID={region};Name={seqid}:{start + 1}-{end};sequence_length={length};chunks_scored={scored}"
            out.write(
                f"{seqid}\tnf-virnucpro\t{kind}\t{start + 1}\t{end}\t{score:.6f}\t.\t.\t{more};evidence={evidence}\n"
            )


def write_fasta(regions: pl.DataFrame, sequences: pl.DataFrame, files: list[Path], path: Path) -> None:
    """regions.fasta.gz: the bases of each region, named after it, with its sequence's id and coordinates."""
    columns = ["sequence", "region", "sequence_id", "start", "end", "virus_score"]
    wanted: dict[int, list[tuple[str, str, int, int, float]]] = {}
    for number, *region in regions.select(columns).iter_rows():
        wanted.setdefault(number, []).append(tuple(region))
    with packed_fasta(path) as write:
        for number, record in records_of(files, sequences, wanted):
            for name, sequence, start, end, score in wanted[number]:
                write(f"{name} {sequence}:{start + 1}-{end} virus_score={score:.6f}", record.sequence[start:end])


def tracks(regions: pl.DataFrame, chunks: pl.DataFrame, most: int = 12, points: int = 600) -> list[dict]:
    """What the report draws: the `most` sequences of 10 kb and more with the longest regions, each with its regions and
    the mean score of its scored chunks in at most `points` windows, [[middle in bases, score], ...]."""
    long = (
        regions.filter(pl.col("sequence_length") >= 10_000)
        .with_columns(length=pl.col("end") - pl.col("start"))
        .group_by("sequence", maintain_order=True)
        .agg(pl.col("length").max(), pl.col("sequence_id").first(), pl.col("sequence_length").first())
        .sort("length", "sequence", descending=[True, False])
        .head(most)
    )
    drawn = []
    for number, _, name, length in long.iter_rows():
        mine = chunks.filter((pl.col("sequence") == number) & pl.col("virus_score").is_not_null())
        middle = ((mine["start"] + mine["end"]) / 2).to_numpy()
        window = np.minimum((middle * points / max(length, 1)).astype(int), points - 1)
        where = np.unique(window, return_inverse=True)[1]
        count = np.bincount(where)
        x = np.bincount(where, middle) / count
        y = np.bincount(where, mine["virus_score"].to_numpy()) / count
        drawn.append(
            {
                "id": name,
                "length": length,
                "regions": regions.filter(pl.col("sequence") == number).select(pl.col("start") + 1, "end").rows(),
                "scores": [[round(a), round(b, 4)] for a, b in zip(x.tolist(), y.tolist(), strict=True)],
            }
        )
    return drawn
