"""The files of a sample's viral regions: a table, GFF3, BED and FASTA (docs/output.md)."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl

from virnucpro.calling.growing import Bed, Lines, Tsv

GFF_SAFE = ".:^*$@!+_?|-"  # beside letters and digits, what may stand in a seqid as it is (GFF3 1.26)


def with_names(regions: pl.DataFrame, sequences: pl.DataFrame, first: int = 0) -> pl.DataFrame:
    """The regions with id and length of their sequences, and a name: region_<sequence number>_<first>_<last>; of a
    block whose first sequence is `first` in the sample."""
    number = pl.col("sequence") + first + 1
    return regions.with_columns(
        sequences["sequence_id"].gather(regions["sequence"]),
        sequences["length"].gather(regions["sequence"]).alias("sequence_length"),
        pl.format("region_{}_{}_{}", number, pl.col("start") + 1, "end").alias("region"),
    )


class RegionFiles(AbstractContextManager):
    """regions.tsv, .bed and .gff3. Regions are given in input order, with names and the sample's numbers."""

    def __init__(self, folder: Path, spill: Path):
        self._files = ExitStack()
        self._tsv = self._files.enter_context(Tsv(folder / "regions.tsv"))
        self._bed = self._files.enter_context(Bed(folder / "regions.bed"))
        self._gff = self._files.enter_context(Lines(folder / "regions.gff3", spill))
        self._gff.add("##gff-version 3\n", "")

    def __exit__(self, *failure) -> None:
        self._files.__exit__(*failure)

    def add(self, regions: pl.DataFrame) -> None:
        self._tsv.add(_table(regions))
        self._bed.add(_bed(regions))
        self._gff.add(*_gff(regions))


def _table(regions: pl.DataFrame) -> pl.DataFrame:
    """regions.tsv: one row per region, in input order; start and end are 1-based and inclusive."""
    columns = ["virus_score", "chunks", "chunks_scored", "chunks_virus", "evidence"]
    return regions.select(
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


def _bed(regions: pl.DataFrame) -> pl.DataFrame:
    """regions.bed: BED6, the score 1,000 times the mean virus_score."""
    thousandths = (pl.col("virus_score") * 1000).floor().cast(pl.Int64)
    return regions.select("sequence_id", "start", "end", "region", thousandths, pl.lit("."))


def _gff(regions: pl.DataFrame) -> tuple[str, str]:
    """regions.gff3 (GFF3 1.26), its lines about sequences, which come first, and about regions: whole sequences are
    viral_sequence (SO:0001041), parts proviral_region (SO:0000751)."""
    sequences = regions.select("sequence_id", "sequence_length").unique(maintain_order=True).rows()
    heads = [f"##sequence-region {quote(name, safe=GFF_SAFE)} 1 {length}\n" for name, length in sequences]
    lines = []
    for name, length, start, end, score, region, scored, evidence, whole in regions.select(
        "sequence_id", "sequence_length", "start", "end", "virus_score", "region", "chunks_scored", "evidence", "whole"
    ).iter_rows():
        seqid = quote(name, safe=GFF_SAFE)
        kind = "viral_sequence" if whole else "proviral_region"
        more = f"ID={region};Name={seqid}:{start + 1}-{end};sequence_length={length};chunks_scored={scored}"
        place = f"{kind}\t{start + 1}\t{end}\t{score:.6f}"
        lines.append(f"{seqid}\tnf-virnucpro\t{place}\t.\t.\t{more};evidence={evidence}\n")
    return "".join(heads), "".join(lines)


def region_headers(regions: pl.DataFrame) -> pl.DataFrame:
    """regions.fasta.gz: `sequence`, start and end of each region, and its FASTA header: its name, its sequence's id and
    coordinates."""
    score = pl.col("virus_score").map_elements("{:.6f}".format, return_dtype=pl.String)
    head = pl.format("{} {}:{}-{} virus_score={}", "region", "sequence_id", pl.col("start") + 1, "end", score)
    return regions.select("sequence", "start", "end", head.alias("header"))


class Tracks:
    """What the report draws: the `most` sequences of 10 kb and more with the longest regions."""

    def __init__(self, most: int = 12, points: int = 600):
        self._most, self._points = most, points
        self._drawn: list[tuple[int, int, dict]] = []  # bases of the longest region, negative; sequence; what is drawn

    def add(self, regions: pl.DataFrame, chunks: pl.DataFrame) -> None:
        """A block's regions, with names, and its deciding chunks; both with the sample's numbers."""
        drawn = _longest(regions, chunks, self._most, self._points)
        self._drawn = sorted(self._drawn + drawn, key=lambda track: track[:2])[: self._most]

    def content(self) -> list[dict]:
        return [track for *_, track in self._drawn]


def _longest(regions: pl.DataFrame, chunks: pl.DataFrame, most: int, points: int) -> list[tuple[int, int, dict]]:
    """The `most` sequences of 10 kb and more with the longest regions, each with its regions and the mean score of its
    scored chunks in at most `points` windows, [[middle in bases, score], ...]; before it what they are sorted by."""
    long = (
        regions.filter(pl.col("sequence_length") >= 10_000)
        .with_columns(length=pl.col("end") - pl.col("start"))
        .group_by("sequence", maintain_order=True)
        .agg(pl.col("length").max(), pl.col("sequence_id").first(), pl.col("sequence_length").first())
        .sort("length", "sequence", descending=[True, False])
        .head(most)
    )
    drawn = []
    for number, longest, name, length in long.iter_rows():
        mine = chunks.filter((pl.col("sequence") == number) & pl.col("virus_score").is_not_null())
        middle = ((mine["start"] + mine["end"]) / 2).to_numpy()
        window = np.minimum((middle * points / max(length, 1)).astype(int), points - 1)
        where = np.unique(window, return_inverse=True)[1]
        count = np.bincount(where)
        x = np.bincount(where, middle) / count
        y = np.bincount(where, mine["virus_score"].to_numpy()) / count
        track = {
            "id": name,
            "length": length,
            "regions": regions.filter(pl.col("sequence") == number).select(pl.col("start") + 1, "end").rows(),
            "scores": [[round(a), round(b, 4)] for a, b in zip(x.tolist(), y.tolist(), strict=True)],
        }
        drawn.append((-longest, number, track))
    return drawn
