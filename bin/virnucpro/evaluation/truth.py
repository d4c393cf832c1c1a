"""What sequences truly are: the table that callers are held against."""

from pathlib import Path

import polars as pl

from virnucpro.errors import InputError
from virnucpro.evaluation.callers import read_table

LABELS = {"virus": 1, "other": 0}
TRUTH = pl.Schema(
    {
        "sample": pl.String,  # "" where ids are of one kind in all samples
        "id": pl.String,
        "label": pl.Int8,  # 1 virus
        "genome": pl.String,
        "group": pl.String,  # a kind of host or virus; null where none is given
        "length": pl.Int64,
    }
)


def read_truth(path: Path) -> pl.DataFrame:
    """CSV or TSV with the columns sequence_id,label[,sample,genome,group,length]; in its order, as TRUTH.

    genome: whose piece a sequence is; each is one by itself where none is given. InputError names the row.
    """
    table = read_table(path)
    missing = [name for name in ("sequence_id", "label") if name not in table.columns]
    if missing:
        raise InputError(
            f"{path.name}: the column {' and '.join(missing)} is missing; its columns are {', '.join(table.columns)}"
        )
    wrong = table.with_row_index("row", 2).filter(
        ~pl.col("label").is_in(list(LABELS)) | pl.col("sequence_id").is_null()
    )
    if wrong.height:
        row, name, label = wrong.select("row", "sequence_id", "label").row(0)
        raise InputError(
            f"{path.name}, line {row}: '{name}' is labelled '{label}'; an id, and virus or other, are needed"
        )
    for name in ("sample", "genome", "group", "length"):
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    found = table.select(
        pl.col("sample").fill_null(""),
        pl.col("sequence_id").alias("id"),
        pl.col("label").replace_strict(LABELS, return_dtype=pl.Int8),
        pl.coalesce("genome", "sequence_id").alias("genome"),
        "group",
        pl.col("length").cast(pl.Int64, strict=False),
    )
    doubled = found.filter(pl.struct("sample", "id").is_duplicated())
    if doubled.height:
        raise InputError(
            f"{path.name}: '{doubled['id'][0]}' stands there twice; where samples share ids, a column sample is needed"
        )
    for label, value in LABELS.items():
        if value not in found["label"]:
            raise InputError(f"{path.name}: no sequence is labelled {label}; both are needed")
    return found
