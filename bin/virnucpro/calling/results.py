"""A sample's result files: what a user opens. docs/output.md defines every column."""

import csv
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.calling.growing import SortedRows, Tsv
from virnucpro.calling.ids import shown
from virnucpro.calling.scoring import Scores
from virnucpro.formats import FRAMES, chunk_of, frame_of

_FRAMES_OF_BITS = pl.DataFrame(
    {
        "open_frames": np.arange(64, dtype=np.uint8),
        "frames": [",".join(f for i, f in enumerate(FRAMES) if bits >> i & 1) for bits in range(64)],
    }
)


def _residues_of_stretches() -> pl.Expr:
    read = ((f, pl.col("stretch_frames") // (1 << i) % 2) for i, f in enumerate(FRAMES))
    return pl.sum_horizontal(bit.cast(pl.Int64) * pl.col(f"residues_{f}") for f, bit in read)


def of_sequences(sequences: pl.DataFrame, files: list[str], classifiers: list[str]) -> pl.DataFrame:
    """sequences.tsv: one row per input sequence, in input order. files: the sample's. classifiers: names of those of
    each cut."""
    return sequences.select(
        (pl.col("sequence") + 1).alias("sequence_number"),
        "sequence_id",
        "length",
        "state",
        "virus_score",
        "max_p_virus",
        "virus_probability",
        "q_value",
        "class",
        pl.when(pl.col("state").is_in(["virus", "other"])).then(name_of_cut(classifiers)).alias("classifier"),
        "chunks",
        *(f"chunks_{x}" for x in ("scored", "virus", "stretch", "no_open_frame", "failed")),
        "bases_scored",
        "evidence",
        *(pl.col(name).replace(0, None) for name in ("genetic_code", "better_genetic_code")),
        "reason",
        pl.Series("file", files, dtype=pl.String).gather(sequences["file"]),
        "record",
        shown("id").alias("original_id"),
        shown("description"),
    )


def name_of_cut(classifiers: list[str]) -> pl.Expr:
    return pl.col("cut").replace_strict(range(len(classifiers)), classifiers, return_dtype=pl.String)


def of_chunks(chunks: pl.DataFrame, classifiers: list[str]) -> pl.DataFrame:
    """chunks.tsv: one row per chunk, in input order; start and end are 1-based and inclusive."""
    best = pl.Series("best_frame", [*FRAMES, None])
    return chunks.join(_FRAMES_OF_BITS, on="open_frames", how="left", maintain_order="left").select(
        (pl.col("sequence") + 1).alias("sequence_number"),
        "sequence_id",
        name_of_cut(classifiers).alias("classifier"),
        pl.col("number").alias("chunk"),
        (pl.col("start") + 1).alias("start"),
        "end",
        pl.col("frames").alias("open_frames"),
        "evidence",
        pl.when(pl.col("stretch_frames") > 0).then(_residues_of_stretches()).alias("stretch_residues"),
        pl.col("scored_count").alias("frames_scored"),
        "state",
        "virus_score",
        "max_p_virus",
        "max_p_other",
        best.gather(chunks["best_frame"].cast(pl.Int64) % len(best)).alias("best_frame"),
        "reason",
    )


class Compatible(AbstractContextManager):
    """VirNucPro's own two files, in its format: frames in input order, then chunks sorted by id. Open frames of the
    first classifier's chunks under the standard genetic code alone, as VirNucPro knows no stretches, no second
    classifier and no other code.

    The second is tab-separated whatever its name says. Ids are the sequences' own (OwnIds): VirNucPro takes chunks of
    one name for one chunk, also where they are of different sequences.
    """

    def __init__(self, folder: Path, spill: Path):
        self._frames = (folder / "prediction_results.txt").open("w", encoding="utf-8", newline="")
        self._frames.write("Sequence_ID\tPrediction\tscore1\tscore2\n")
        self._chunks = SortedRows("Modified_ID", spill)
        self._path = folder / "prediction_results_highestscore.csv"

    def __exit__(self, *failure) -> None:
        self._frames.close()
        if not failure[0]:
            with Tsv(self._path) as out:
                out.add(pl.DataFrame(schema={"Modified_ID": pl.String, "Is_Virus": pl.String}))
                self._chunks.merge(out.add)

    def add(self, chunks: pl.DataFrame, scores: Scores) -> None:
        """A block's chunks, with `sequence_id`."""
        of = chunk_of(scores.keys)
        standard = chunks["standard_frames"].to_numpy()[of] >> frame_of(scores.keys) & 1 == 1
        done = scores.scored & (chunks["cut"] == 0).to_numpy()[of] & standard
        ids = chunks.select(pl.format("{}_chunk_{}", "sequence_id", "number").gather(of[done])).to_series()
        frames = pl.Series(FRAMES).gather(frame_of(scores.keys[done]))
        p = scores.probabilities[done]
        # str() of a numpy float32 is its shortest exact form, which is what VirNucPro prints.
        rows = zip(ids, frames, p[:, 0], p[:, 1], strict=True)
        write = csv.writer(self._frames, delimiter="\t", lineterminator="\n").writerow
        for i, f, o, v in rows:
            write((f"{i}{f}", "virus" if v > o else "others", str(o), str(v)))
        best = pl.DataFrame({"Modified_ID": ids, "other": p[:, 0], "virus": p[:, 1]}).group_by("Modified_ID").max()
        is_virus = pl.when(pl.col("virus") >= pl.col("other")).then(pl.lit("True")).otherwise(pl.lit("False"))
        self._chunks.add(best.select("Modified_ID", is_virus.alias("Is_Virus")))


def joined_viral_chunks(chunks: pl.DataFrame) -> pl.DataFrame:
    """Chunks called virus that overlap or touch, joined: sequence, start, end (from 0, end exclusive), `score` (mean
    virus_score), chunks; in input order."""
    viral = chunks.filter(pl.col("state") == "virus").sort("sequence", "start")
    apart = (pl.col("sequence") != pl.col("sequence").shift()) | (pl.col("start") > pl.col("end").shift())
    return (
        viral.with_columns(apart.fill_null(True).cum_sum().alias("region"))
        .group_by("sequence", "region", maintain_order=True)
        .agg(
            pl.col("start").first(),
            pl.col("end").last(),
            pl.col("virus_score").mean().alias("score"),
            pl.len().alias("chunks"),
        )
        .drop("region")
    )


def of_viral_chunks(regions: pl.DataFrame) -> pl.DataFrame:
    """viral_regions.bed: BED6, of all sequences; the name tells the sequence's number and the chunks."""
    return regions.select(
        "sequence_id",
        "start",
        "end",
        pl.format("sequence_{}:{}_chunks", pl.col("sequence") + 1, "chunks"),
        (pl.col("score") * 1000).floor().cast(pl.Int64),
        pl.lit("."),
    )


def spans(regions: pl.DataFrame) -> pl.DataFrame:
    """Of each sequence its joined viral chunks as a text, 1-based and inclusive: `1-500,801-900`."""
    span = pl.format("{}-{}", pl.col("start") + 1, "end")
    return regions.group_by("sequence", maintain_order=True).agg(span.str.join(",").alias("viral_regions"))


def virus_headers(viruses: pl.DataFrame) -> pl.DataFrame:
    """viruses.fasta.gz: of sequences called virus `sequence` and the FASTA header; they have `viral_regions`."""
    score = pl.col("virus_score").map_elements("{:.6f}".format, return_dtype=pl.String)
    texts = pl.col("viral_regions").fill_null(""), pl.col("sequence") + 1, shown("description")
    head = pl.format(
        "{} virus_score={} length={} viral_regions={} sequence_number={} {}", "sequence_id", score, "length", *texts
    )
    return viruses.select("sequence", head.str.strip_chars_end().alias("header"))
