"""Pack shards into bins of even load: longest processing time first (Graham 1969, SIAM J. Appl. Math. 17:416).

The largest load is at most 4/3 - 1/(3m) of the best possible for m bins, and at most the mean load plus the largest
shard, whatever the shards.
"""

import heapq
from collections.abc import Mapping
from operator import attrgetter
from typing import NamedTuple

SMALLEST_TASK = 500_000  # tokens; below it a task is not worth its model load
LARGEST_TASK = 50_000_000  # tokens; beyond it a task runs too long to lose


class ShardLoad(NamedTuple):
    """What packing needs to know of a shard."""

    name: str
    frames: int
    tokens: int  # predicted, for the encoder that the plan is for


WEIGHTS = {"tokens": attrgetter("tokens"), "frames": attrgetter("frames")}


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


def plan_encoder(
    encoder: str, shards: list[ShardLoad], bins: int, weight: str, kept: Mapping[str, list[str]] | None = None
) -> dict:
    """The plan for one encoder: a task for each bin, loads in units of `weight`, their balance (max / mean).

    kept: {task: names of shards} of an earlier plan. These tasks stay as they are, but for shards that are no more; the
    other shards get `bins` tasks of their own, numbered from the last one kept on.
    """
    load = WEIGHTS[weight]
    by_name = {s.name: s for s in shards}
    if len(by_name) != len(shards):
        raise ValueError("two shards have one name")
    tasks = {task: here for task, names in (kept or {}).items() if (here := [n for n in names if n in by_name])}
    new = unplanned(shards, kept)
    first = 1 + max((int(task.rpartition("_")[2]) for task in tasks), default=0)
    packed = longest_first({s.name: load(s) for s in new}, bins) if bins else []
    tasks |= {f"{encoder}_{number:03d}": names for number, names in enumerate(packed, start=first)}
    rows = []
    for task, names in tasks.items():
        members = list(map(by_name.__getitem__, names))
        rows.append(
            {
                "task": task,
                "load": sum(map(load, members)),
                "frames": sum(map(attrgetter("frames"), members)),
                "tokens": sum(map(attrgetter("tokens"), members)),
                "shards": sorted(names),
            }
        )
    loads = [r["load"] for r in rows]
    mean = sum(loads) / len(loads) if loads else 0
    return {
        "tasks": rows,
        "total_load": sum(loads),
        "max_load": max(loads, default=0),
        "mean_load": mean,
        "balance": max(loads) / mean if mean else 1.0,
    }


def unplanned(shards: list[ShardLoad], kept: Mapping[str, list[str]] | None) -> list[ShardLoad]:
    """The shards that no kept task has."""
    known = {name for names in (kept or {}).values() for name in names}
    return [s for s in shards if s.name not in known]
