"""Pack shards into bins of even load: longest processing time first (Graham 1969, SIAM J. Appl. Math. 17:416).

The largest load is at most 4/3 - 1/(3m) of the best possible for m bins, and at most the mean load plus the largest
shard, whatever the shards.
"""

import heapq
from operator import attrgetter
from typing import NamedTuple


class Shard(NamedTuple):
    """What packing needs to know of a shard."""

    name: str
    frames: int
    tokens: int  # predicted, for the encoder that the plan is for


WEIGHTS = {"tokens": attrgetter("tokens"), "sequences": attrgetter("frames")}


def longest_first(loads: dict[str, int], bins: int) -> list[list[str]]:
    """Give each item, by descending load, to the least loaded of `bins` bins; ties go by name, then by bin.

    So equal input in any order gives an equal plan. O(n log n). Returns the names in each bin, in the order given out.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    packed: list[list[str]] = [[] for _ in range(bins)]
    least = [(0, b) for b in range(bins)]
    names = sorted(loads)
    names.sort(key=loads.__getitem__, reverse=True)  # stable: equal loads stay in the order of their names
    for name in names:
        total, b = least[0]
        packed[b].append(name)
        heapq.heapreplace(least, (total + loads[name], b))
    return packed


def number_of_bins(shards: int, tokens: int, gpus: int, *, smallest: int, largest: int) -> int:
    """How many bins to make of `shards` shards that hold `tokens` tokens, for `gpus` GPUs.

    A bin of fewer than `smallest` tokens is not worth its model load, one of more than `largest` runs too long to lose:
    in between, the smallest multiple of the GPUs that keeps each bin under `largest`. Never more than the shards.
    """
    if shards == 0:
        return 0
    rounds = max(1, -(-tokens // (gpus * largest)))
    worth = max(1, tokens // smallest)
    return min(shards, gpus * rounds, worth)


def plan_encoder(encoder: str, shards: list[Shard], bins: int, weight: str) -> dict:
    """The plan for one encoder: its bins, with predicted loads in units of `weight`, and their balance (max / mean)."""
    load = WEIGHTS[weight]
    by_name = {s.name: s for s in shards}
    if len(by_name) != len(shards):
        raise ValueError("two shards have one name")
    packed = longest_first({s.name: load(s) for s in shards}, bins) if bins else []
    rows = []
    for number, names in enumerate(packed, start=1):
        members = list(map(by_name.__getitem__, names))
        rows.append(
            {
                "bin": f"{encoder}_{number:03d}",
                "load": sum(map(load, members)),
                "sequences": sum(map(attrgetter("frames"), members)),
                "tokens": sum(map(attrgetter("tokens"), members)),
                "shards": sorted(names),
            }
        )
    loads = [r["load"] for r in rows]
    mean = sum(loads) / len(loads) if loads else 0
    return {
        "bins": rows,
        "total_load": sum(loads),
        "max_load": max(loads, default=0),
        "mean_load": mean,
        "balance": max(loads) / mean if mean else 1.0,
    }
