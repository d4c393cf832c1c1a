"""A sample's result files: what a user opens. docs/output.md defines every column."""

import csv
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from virnucpro.calling.fasta_files import packed_fasta, records_of
from virnucpro.calling.ids import one_line, shown
from virnucpro.calling.sample import Sample
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


def write_tsv(table: pl.DataFrame, path: Path) -> None:
    """A table for people and programs: a field with a quote in it is quoted, as pandas does and reads it."""
    empty = cs.string().replace("", None)  # else the writer would tell an empty text from an absent one, by quotes
    table.with_columns(empty).write_csv(path, separator="\t", float_precision=6)


def write_bed(table: pl.DataFrame, path: Path) -> None:
    """BED knows neither a header nor quotes."""
    table.write_csv(path, separator="\t", quote_style="never", include_header=False)


def write_sequences(sequences: pl.DataFrame, sample: Sample, classifiers: list[str], path: Path) -> None:
    """sequences.tsv: one row per input sequence, in input order. classifiers: names of those of each cut."""
    files = pl.Series("file", sample.manifest["files"], dtype=pl.String)
    table = sequences.select(
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
        files.gather(sequences["file"]),
        (pl.int_range(pl.len()).over("file") + 1).alias("record"),
        shown("id").alias("original_id"),
        shown("description"),
    )
    write_tsv(table, path)


def name_of_cut(classifiers: list[str]) -> pl.Expr:
    return pl.col("cut").replace_strict(range(len(classifiers)), classifiers, return_dtype=pl.String)


def write_chunks(chunks: pl.DataFrame, sequences: pl.DataFrame, classifiers: list[str], path: Path) -> None:
    """chunks.tsv: one row per chunk, in input order; start and end are 1-based and inclusive."""
    best = pl.Series("best_frame", [*FRAMES, None])
    table = chunks.join(_FRAMES_OF_BITS, on="open_frames", how="left", maintain_order="left").select(
        (pl.col("sequence") + 1).alias("sequence_number"),
        sequences["sequence_id"].gather(chunks["sequence"]),
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
    write_tsv(table, path)


def write_compatible(chunks: pl.DataFrame, sequences: pl.DataFrame, scores: Scores, folder: Path) -> None:
    """VirNucPro's own two files, in its format: frames in input order, then chunks sorted by id. Open frames of the
    first classifier's chunks under the standard genetic code alone, as VirNucPro knows no stretches, no second
    classifier and no other code.

    The second is tab-separated whatever its name says. Ids are the sequences' own (own_ids): VirNucPro takes chunks of
    one name for one chunk, also where they are of different sequences.
    """
    first = (chunks["cut"] == 0).to_numpy()[chunk_of(scores.keys)]
    standard = chunks["standard_frames"].to_numpy()[chunk_of(scores.keys)] >> frame_of(scores.keys) & 1 == 1
    done = scores.scored & first & standard
    chunk, frame = chunk_of(scores.keys[done]), frame_of(scores.keys[done])
    chunk_ids = pl.select(
        pl.format("{}_chunk_{}", sequences["sequence_id"].gather(chunks["sequence"]), chunks["number"])
    ).to_series()
    ids = chunk_ids.gather(chunk)
    frames = pl.Series(FRAMES).gather(frame)
    p = scores.probabilities[done]
    with (folder / "prediction_results.txt").open("w", encoding="utf-8") as out:
        out.write("Sequence_ID\tPrediction\tscore1\tscore2\n")
        # str() of a numpy float32 is its shortest exact form, which is what VirNucPro prints.
        rows = zip(ids, frames, p[:, 0], p[:, 1], strict=True)
        write = csv.writer(out, delimiter="\t", lineterminator="\n").writerow
        for i, f, o, v in rows:
            write((f"{i}{f}", "virus" if v > o else "others", str(o), str(v)))
    best = (
        pl.DataFrame({"Modified_ID": ids, "other": p[:, 0], "virus": p[:, 1]})
        .group_by("Modified_ID")
        .agg(pl.col("other").max(), pl.col("virus").max())
        .sort("Modified_ID")
        .select(
            "Modified_ID",
            pl.when(pl.col("virus") >= pl.col("other"))
            .then(pl.lit("True"))
            .otherwise(pl.lit("False"))
            .alias("Is_Virus"),
        )
    )
    write_tsv(best, folder / "prediction_results_highestscore.csv")


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


def write_viral_chunks(regions: pl.DataFrame, sequences: pl.DataFrame, path: Path) -> None:
    """viral_regions.bed: BED6, of all sequences; the name tells the sequence's number and the chunks."""
    table = regions.select(
        sequences["sequence_id"].gather(regions["sequence"]),
        "start",
        "end",
        pl.format("sequence_{}:{}_chunks", pl.col("sequence") + 1, "chunks"),
        (pl.col("score") * 1000).floor().cast(pl.Int64),
        pl.lit("."),
    )
    write_bed(table, path)


def write_viruses(sequences: pl.DataFrame, regions: pl.DataFrame, files: list[Path], path: Path) -> None:
    """viruses.fasta.gz: the sequences called virus, whole, with score and coordinates of their viral chunks."""
    viral = sequences.filter(pl.col("state") == "virus")
    spans: dict[int, list[str]] = {}
    of_viral = regions.filter(pl.col("sequence").is_in(viral["sequence"].implode()))
    for number, start, end in of_viral.select("sequence", pl.col("start") + 1, "end").iter_rows():
        spans.setdefault(number, []).append(f"{start}-{end}")
    found = {n: (name, score) for n, name, score in viral.select("sequence", "sequence_id", "virus_score").iter_rows()}
    with packed_fasta(path) as write:
        for number, record in records_of(files, sequences, found):
            name, score = found[number]
            head = f"{name} virus_score={score:.6f} length={len(record.sequence)}"
            head += f" viral_regions={','.join(spans.get(number, []))} sequence_number={number + 1}"
            write(f"{head} {one_line(record.description)}".rstrip(), record.sequence)
