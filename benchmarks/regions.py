#!/usr/bin/env python3
"""How many regions a host's chromosome has, and how near the ends of viral ones come to the truth.

Known proviruses are held against the regions that overlap them. A virus is put into the chromosome at places drawn at
random: its chunks between those of the host, whose scores are not changed by it.

    benchmarks/regions.py --host results/k12/chunks.tsv --proviruses k12.prophages.tsv --virus results/lambda/chunks.tsv
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

from virnucpro.calling.regions import Model, viral_regions

AROUND = 200  # chunks of the host on either side of a virus


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--host", required=True, type=Path, help="chunks.tsv of one sequence, a chromosome")
    p.add_argument("--proviruses", type=Path, help="start and end of each, from 1, no header, tabs")
    p.add_argument("--virus", type=Path, help="chunks.tsv of one sequence, a virus that is not in the host")
    p.add_argument("--places", type=int, default=200, help="[%(default)s]")
    p.add_argument("--seed", type=int, default=1)
    for name in ("shift", "ends"):
        p.add_argument(f"--{name}", type=float, default=getattr(Model(), name), help="[%(default)s]")
    a = p.parse_args()
    model = Model(shift=a.shift, ends=a.ends)
    host = read_chunks(a.host)
    found = viral_regions(host, model).select("start", "end").rows()
    print(f"{host['end'].max():,} bases: {len(found)} regions, {sum(e - s for s, e in found):,} bases")
    if a.proviruses:
        for line in a.proviruses.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                start, end = map(int, line.split()[:2])
                print(f"provirus {start:,} to {end:,}: {told(found, start - 1, end)}")
    if a.virus:
        inserted(host, read_chunks(a.virus), model, np.random.default_rng(a.seed), a.places)


def read_chunks(path: Path) -> pl.DataFrame:
    """chunks.tsv as CLASSIFY has it in memory."""
    table = pl.read_csv(path, separator="\t", infer_schema_length=None)
    return table.select(
        pl.col("sequence_number").alias("sequence"),
        pl.col("start") - 1,
        "end",
        "state",
        "virus_score",
        "evidence",
        (pl.col("end") - pl.col("start") + 1).cast(pl.Float64).alias("weight"),
    )


def ends(found: list[tuple[int, int]], start: int, end: int) -> tuple[int, int, int] | None:
    """Bases by which the first region over start..end begins after it, and the last ends after it; how many there are.
    None where there is none."""
    over = [(s, e) for s, e in found if e > start and s < end]
    return (over[0][0] - start, over[-1][1] - end, len(over)) if over else None


def told(found: list[tuple[int, int]], start: int, end: int) -> str:
    of = ends(found, start, end)
    return f"{of[2]} region(s), ends off by {of[0]:+,} and {of[1]:+,} bases" if of else "not found"


def inserted(host: pl.DataFrame, virus: pl.DataFrame, model: Model, random: np.random.Generator, places: int) -> None:
    """Print how far the ends are off, over all places."""
    off, pieces = [], 0
    for place in random.integers(AROUND, host.height - AROUND, places):
        before, after = host[place - AROUND : place], host[place : place + AROUND]
        start = int(before["end"].max())
        moved = virus.with_columns(pl.col("start", "end") + start)
        shift = int(moved["end"].max()) - int(after["start"].min())
        whole = pl.concat([before, moved, after.with_columns(pl.col("start", "end") + shift)])
        found = viral_regions(whole.with_columns(pl.lit(0).alias("sequence")), model).select("start", "end").rows()
        of = ends(found, start, int(moved["end"].max()))
        if of:
            off.append((abs(of[0]), abs(of[1])))
            pieces += of[2] > 1
    print(f"put in at {places} places: found {len(off)}, in several pieces {pieces}")
    if off:
        for name, side in zip(("left", "right"), np.array(off).T, strict=True):
            print(
                f"{name} end off by {np.median(side):,.0f} (median), {np.quantile(side, 0.9):,.0f} (of ten nine) bases"
            )
        print(f"both ends within 2,000 bases: {(np.array(off).max(1) <= 2000).mean():.0%}")


if __name__ == "__main__":
    main()
