"""All figures of one evaluation: several callers on the same sequences, by length, by what they rest on, by kind."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import polars as pl

from virnucpro.evaluation.figures import Judged, all_of, auroc, curves, difference, with_intervals

ITEMS = pl.Schema(
    {
        "caller": pl.String,
        "level": pl.String,  # frame, chunk or sequence
        "size": pl.Int64,  # bases that the sequences were cut to; 0: as they are
        "sample": pl.String,
        "genome": pl.String,
        "group": pl.String,  # a kind of host or virus; null where none is given
        "length": pl.Int64,  # of sequences as they are; null where it is not known
        "label": pl.Int8,  # 1 virus
        "score": pl.Float64,  # null where the caller has no answer
        "called": pl.Boolean,  # as virus
        "threshold": pl.Float64,  # the caller's: what has no answer is ranked there
        "evidence": pl.String,  # what the answer rests on, null where the caller does not say
    }
)
LEAST = 20  # sequences of a label, below which a part is not told by itself
ALL = "all"
LENGTHS = (150, 300, 500, 1000, 3000, 10_000)  # bases from which a class of lengths begins
CLASSES = [f"below {LENGTHS[0]}", *(f"{a:,} to {b - 1:,}" for a, b in pairwise(LENGTHS)), f"{LENGTHS[-1]:,} and more"]


def account(items: pl.DataFrame, baselines: Mapping[str, str], seed: int) -> dict:
    """items: as ITEMS; of one level and size every caller has the same sequences in the same order. baselines: callers
    that the others are compared with, and how a sentence names them.

    Returns "figures" (a row for each caller, level, size and part), "curves" (of sequences), "comparisons" (each caller
    against the better of the `baselines`) and "verdicts", these in words.
    """
    found: dict[str, list] = {"figures": [], "curves": [], "comparisons": []}
    for (level, size), part in items.sort("level", "size", maintain_order=True).group_by(
        "level", "size", maintain_order=True
    ):
        by_caller = {str(caller): table for (caller,), table in part.group_by("caller", maintain_order=True)}
        judged = {caller: judged_of(table) for caller, table in by_caller.items()}
        for caller, table in by_caller.items():
            place = {"caller": caller, "level": level, "size": size}
            for kind, name, rows in _parts(table):
                figures = with_intervals(judged[caller][rows], seed)
                found["figures"].append(place | {"part": kind, "name": name} | figures)
            if level == "sequence":
                found["curves"].append(place | curves(judged[caller]))
        if level == "sequence":
            found["comparisons"] += _comparisons(judged, size, baselines, seed)
    return found | {
        "callers": items["caller"].unique(maintain_order=True).to_list(),
        "verdicts": _verdicts(found, baselines),
    }


def judged_of(table: pl.DataFrame) -> Judged:
    """One caller's rows of one level and size."""
    genome = table["genome"].rank("dense").cast(pl.Int64).to_numpy()
    answered = table["score"].is_not_null().to_numpy()
    score = table.select(pl.col("score").fill_null(pl.col("threshold")))["score"].to_numpy()
    return Judged(score, table["called"].to_numpy() & answered, answered, table["label"].to_numpy(), genome)


def _parts(table: pl.DataFrame):
    """(kind, name, rows) of what figures are told of: all, each evidence, each sample."""
    yield ALL, "", np.arange(table.height)
    if table["level"][0] != "sequence":
        return
    for kind in ("evidence", "sample", "group", "length"):
        named = table[kind] if kind != "length" else length_class(table["length"])
        names = named.drop_nulls().unique()
        for name in sorted(names, key=CLASSES.index if kind == "length" else None):
            rows = np.flatnonzero((named == name).fill_null(False).to_numpy())
            counts = np.bincount(table["label"].to_numpy()[rows], minlength=2)
            if counts.max() >= LEAST:
                yield kind, name, rows


def length_class(length: pl.Series) -> pl.Series:
    """The name in CLASSES that each length falls into."""
    at = np.searchsorted(LENGTHS, length.fill_null(0).to_numpy(), side="right")
    return pl.DataFrame([pl.Series("name", CLASSES).gather(at), length.alias("length")]).select(
        pl.when(pl.col("length").is_not_null()).then("name")
    )["name"]


def _comparisons(judged: dict[str, Judged], size: int, baselines: Mapping[str, str], seed: int) -> list[dict]:
    """Each caller against the baseline with the higher AUROC, both on the same draws of genomes."""
    present = [b for b in baselines if b in judged]
    one = next(iter(judged.values()))
    if not present or not 0 < one.label.sum() < len(one):
        return []
    best = max(present, key=lambda b: auroc(*judged[b].counted()))
    return [
        {
            "caller": caller,
            "size": size,
            "auroc": all_of(own)["auroc"],
            "baseline": best,
            "baseline_auroc": all_of(judged[best])["auroc"],
            "difference": difference(own, judged[best], seed),
        }
        for caller, own in judged.items()
        if caller not in baselines
    ]


def _verdicts(found: dict, baselines: Mapping[str, str]) -> list[dict]:
    """What the comparisons say in words; `good` where the caller is better than its baseline."""
    verdicts = []
    for row in found["comparisons"]:
        value, low, high = row["difference"]
        where = f"on pieces of {row['size']:,} bases" if row["size"] else "on sequences as they are"
        base = baselines[row["baseline"]]
        what = "beats" if low > 0 else "does not beat" if high >= 0 else "is worse than"
        verdicts.append(
            {
                "caller": row["caller"],
                "size": row["size"],
                "good": low > 0,
                "text": f"{row['caller']} {what} {base} {where}: AUROC {row['auroc']:.3f} against "
                f"{row['baseline_auroc']:.3f}, difference {value:+.3f} ({low:+.3f} to {high:+.3f})",
            }
        )
    return verdicts
