"""Which sequences train, which decide when to stop and calibrate, and which only measure.

A family of genomes (relatives.py) stands on one side as a whole, or what is measured is memory.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.errors import InputError
from virnucpro.frames.read_again import read_again
from virnucpro.training.relatives import MOST_WORDS, families, words
from virnucpro.training.sheet import LABELS, SIDES, LabelledFile, group_of


def read_records(files: list[LabelledFile], tables: Path) -> pl.DataFrame:
    """Every record of the labelled files: sample, sequence (from 0 in the sample), id, length, digest, label, group,
    side ("" where none is given), usable (it was cut into chunks); in the order of the files.

    InputError where a sample could not be read.
    """
    parts = []
    for sample in dict.fromkeys(f.sample for f in files):
        manifest = json.loads((tables / f"{sample}.manifest.json").read_text(encoding="utf-8"))
        if manifest["state"] != "ok":
            raise InputError(f"sample {sample} cannot be read ({manifest['reason']}); correct it, or leave it out")
        of_file = {f.number: f for f in files if f.sample == sample}
        table = pl.read_parquet(
            tables / f"{sample}.sequences.parquet", columns=["sequence", "id", "file", "length", "digest", "state"]
        )
        number = table["file"].to_list()
        group = [of_file[n].group or group_of(i) for n, i in zip(number, table["id"].to_list(), strict=True)]
        parts.append(
            table.select(
                pl.lit(sample).alias("sample"),
                "sequence",
                "id",
                "length",
                "digest",
                pl.Series("label", [of_file[n].label for n in number], dtype=pl.String),
                pl.Series("group", group, dtype=pl.String),
                pl.Series("side", [of_file[n].side for n in number], dtype=pl.String),
                (pl.col("state") == "").alias("usable"),
            )
        )
    return pl.concat(parts)


def with_families(records: pl.DataFrame, fasta: list[Path], least: int) -> pl.DataFrame:
    """`records` with the column `family`. fasta: their files, in order. least: as for `families`."""
    found: list[np.ndarray] = []
    fraction = min(1.0, MOST_WORDS / max(int(records["length"].sum()), 1))
    if least:
        again = read_again(fasta, records.select("id", "digest").iter_rows())
        found = [words(record.sequence, fraction) for record in again]
    return records.with_columns(
        pl.Series("family", families(records["group"].to_list(), found, least, fraction), dtype=pl.String)
    )


def split(records: pl.DataFrame, validation: float, test: float, seed: int) -> pl.DataFrame:
    """`records` with every `side` filled in, the same for all of a family.

    Families in name order are shuffled with `seed` and dealt to test, then validation, then training, those that are
    viral for the most part and the others apart, so that each side gets about its fraction of the bases of either. The
    outcome depends on names, sizes and seed alone. A side that was given stays, for the whole family; where the
    samplesheet names sequences of one label for testing or validation, no others of that label are dealt to it.

    InputError where two sides were given to one family, or a side lacks a label.
    """
    _one_side_per_family(records)
    usable = pl.col("usable")
    per_family = (
        records.group_by("family")
        .agg(
            pl.col("length").filter(usable).sum().alias("bases"),
            pl.col("length").filter(usable & (pl.col("label") == LABELS[1])).sum().alias("viral"),
            pl.col("side").filter(pl.col("side") != "").first(),
        )
        .sort("family")
    )
    bases, viral = (per_family[name].to_numpy().astype(np.float64) for name in ("bases", "viral"))
    side = np.array([SIDES.index(s) if s else -1 for s in per_family["side"].to_list()])
    random = np.random.default_rng(seed)
    for mostly_viral in (False, True):
        alike = (2 * viral > bases) == mostly_viral
        given = {name: (side[alike] == SIDES.index(name)).any() for name in SIDES}
        for_test, for_both = (0 if given["test"] else test), (0 if given["validation"] else validation)
        for_both = round(for_both + for_test, 9)
        rows = np.flatnonzero(alike & (side < 0))
        rows = rows[random.permutation(len(rows))]
        before = (np.cumsum(bases[rows]) - bases[rows]) / max(bases[rows].sum(), 1)  # share dealt before each
        side[rows] = np.select([before < for_test, before < for_both], [2, 1], 0)
    names = per_family.select("family", pl.Series("side", [SIDES[s] for s in side.tolist()], dtype=pl.String))
    found = records.drop("side").join(names, on="family", how="left", maintain_order="left")
    for name in SIDES:
        here = found.filter((pl.col("side") == name) & usable)
        for label in LABELS:
            if not (here["label"] == label).any():
                raise InputError(
                    f"the {name} set has no sequence labelled {label}: there are too few genomes of it, or its "
                    "fraction is 0; add genomes, change the fractions, or give the split in the samplesheet"
                )
    return found


def _one_side_per_family(records: pl.DataFrame) -> None:
    """A genome, or two near relatives, that the samplesheet puts on two sides are an error."""
    given = records.filter(pl.col("side") != "")
    for family, part in given.group_by("family", maintain_order=True):
        sides = part.unique("side", keep="first", maintain_order=True)
        if sides.height > 1:
            (a, b) = sides.head(2).select("sample", "id", "group", "side").rows()
            what = f"the genome {a[2]}" if a[2] == b[2] else f"{family[0]}: near relatives"
            raise InputError(
                f"{what}: '{a[1]}' (sample {a[0]}) is given to {a[3]}, '{b[1]}' (sample {b[0]}) to {b[3]}; a genome "
                "must not stand on two sides. Give both one side, or leave one out"
            )


def counts(records: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Of each side: genomes, families, and sequences and bases by label."""
    found = {}
    for name in SIDES:
        here = records.filter((pl.col("side") == name) & pl.col("usable"))
        found[name] = {"genomes": here["group"].n_unique(), "families": here["family"].n_unique()}
        for label in LABELS:
            mine = here.filter(pl.col("label") == label)
            found[name] |= {f"sequences_{label}": mine.height, f"bases_{label}": int(mine["length"].sum())}
    return found
