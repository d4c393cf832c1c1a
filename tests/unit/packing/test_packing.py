"""Packing: proven bounds, determinism, odd cases, and the choice of the number of bins."""

import itertools
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro.packing.plan import ShardLoad, longest_first, number_of_bins, plan_encoder

loads = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 1000), max_size=60)
heavy = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.integers(0, 12).map(lambda e: int(1.9**e * 7)),
    min_size=1,
    max_size=60,
)


def largest(packed, given):
    return max(sum(given[n] for n in names) for names in packed)


def optimum(values, bins):
    """Best possible largest load, by trying everything."""
    return min(
        max(sum(v for v, b in zip(values, where, strict=True) if b == k) for k in range(bins))
        for where in itertools.product(range(bins), repeat=len(values))
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=7), st.integers(1, 3))
def test_never_above_four_thirds_of_the_optimum(values, bins):
    """Graham's bound 4/3 - 1/(3m), against the true optimum."""
    given = {f"s{i}": v for i, v in enumerate(values)}
    assert largest(longest_first(given, bins), given) <= (4 / 3 - 1 / (3 * bins)) * optimum(values, bins) + 1e-9


@pytest.mark.parametrize("case", ["random", "heavy"])
def test_bounds_on_large_inputs(case):
    """Where the optimum is out of reach: at most mean + largest * (1 - 1/m)."""

    @settings(deadline=None)
    @given(loads.filter(len) if case == "random" else heavy, st.integers(1, 20))
    def check(given, bins):
        packed = longest_first(given, bins)
        assert sorted(itertools.chain(*packed)) == sorted(given), "each shard in exactly one bin"
        mean = sum(given.values()) / bins
        top = max(given.values())
        assert largest(packed, given) <= mean + top * (1 - 1 / bins) + 1e-9

    check()


@pytest.mark.parametrize("bins", [1, 2, 7, 16])
@pytest.mark.parametrize("seed", range(5))
def test_within_one_percent_when_shards_are_small(bins, seed):
    """Every shard at most 1 % of the mean load: max / mean is at most 1.01."""
    values = random.Random(seed).choices(range(1, 101), k=400 * bins)
    given = {f"s{i}": v for i, v in enumerate(values)}
    mean = sum(values) / bins
    assert max(values) <= 0.01 * mean
    assert largest(longest_first(given, bins), given) <= 1.01 * mean


@given(loads, st.integers(1, 9), st.randoms(use_true_random=False))
def test_equal_input_in_any_order_gives_an_equal_plan(given, bins, shuffler):
    items = list(given.items())
    shuffler.shuffle(items)
    assert longest_first(dict(items), bins) == longest_first(given, bins)


def test_fewer_shards_than_bins():
    assert longest_first({"a": 5, "b": 7}, 4) == [["b"], ["a"], [], []]


def test_one_shard_larger_than_all_others_together():
    packed = longest_first({"huge": 1000, **{f"s{i}": 10 for i in range(30)}}, 4)
    assert packed[0] == ["huge"]
    assert [len(p) for p in packed[1:]] == [10, 10, 10]


def test_ties_go_by_name_then_by_task():
    assert longest_first({"b": 1, "a": 1, "d": 1, "c": 1}, 2) == [["a", "c"], ["b", "d"]]


def test_no_bins_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        longest_first({"a": 1}, 0)


@pytest.mark.parametrize(
    ("shards", "tokens", "gpus", "expected"),
    [
        (0, 0, 4, 0),  # nothing to do
        (1, 10, 4, 1),  # never more bins than shards
        (100, 900, 4, 1),  # too little for a second model load (smallest is 1,000)
        (100, 2500, 4, 2),
        (100, 40_000, 4, 4),  # one round of the GPUs
        (100, 40_001, 4, 8),  # a bin would exceed 10,000: two rounds
        (5, 10**9, 4, 5),
    ],
)
def test_number_of_bins(shards, tokens, gpus, expected):
    assert number_of_bins(shards, tokens, gpus, smallest=1000, largest=10_000) == expected


def test_plan_by_tokens_or_by_frames():
    """Three short frames weigh as much as one long one by tokens, three times as much by number."""
    shards = [ShardLoad("long", 1, 300), ShardLoad("a", 1, 100), ShardLoad("b", 1, 100), ShardLoad("c", 1, 100)]
    by_tokens = plan_encoder("esm2", shards, 2, "tokens")
    assert [b["shards"] for b in by_tokens["tasks"]] == [["long"], ["a", "b", "c"]]
    assert by_tokens["balance"] == 1.0
    by_number = plan_encoder("esm2", shards, 2, "frames")
    assert [b["frames"] for b in by_number["tasks"]] == [2, 2]
    assert [b["task"] for b in by_number["tasks"]] == ["esm2_001", "esm2_002"]


def test_script(root, tmp_path):
    manifests = tmp_path / "m"
    manifests.mkdir()
    for sample, shards in (("b", 3), ("a", 2), ("none", 0)):
        rows = [
            {"name": f"{sample}.shard_{i:05d}", "frames": 10, "dnabert_s_tokens": 1000, "esm2_tokens": 2000}
            for i in range(1, shards + 1)
        ]
        (manifests / f"{sample}.manifest.json").write_text(
            json.dumps({"sample": sample, "shards": rows}), encoding="utf-8"
        )
    command = [sys.executable, root / "bin/pack_bins.py", "--manifests", manifests, "--out", tmp_path / "plan.json"]
    subprocess.run([*command, "--tasks_per_encoder", "2"], check=True, capture_output=True)
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    for encoder, tokens in (("dnabert_s", 5000), ("esm2", 10_000)):
        packed = plan["encoders"][encoder]
        names = sorted(n for b in packed["tasks"] for n in b["shards"])
        assert names == ["a.shard_00001", "a.shard_00002", "b.shard_00001", "b.shard_00002", "b.shard_00003"]
        assert packed["total_load"] == tokens
        assert packed["balance"] == pytest.approx(3 / 2.5)
    done = subprocess.run([*command, "--gpus", "0"], capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    assert "--gpus" in done.stderr


def test_kept_tasks_stay_and_new_shards_get_their_own():
    old = [ShardLoad(f"a.{i}", 1, 100 + i) for i in range(7)]
    before = plan_encoder("esm2", old, 3, "tokens")["tasks"]
    kept = {task["task"]: task["shards"] for task in before}
    new = [ShardLoad(f"b.{i}", 1, 10) for i in range(4)]
    after = plan_encoder("esm2", [*new, *old], 2, "tokens", kept)["tasks"]
    assert after[:3] == before
    assert [task["task"] for task in after[3:]] == ["esm2_004", "esm2_005"]
    assert [task["load"] for task in after[3:]] == [20, 20]


def test_a_kept_task_without_its_shards():
    """A sample that is gone: its shards leave their tasks, and a task that has none left is no more."""
    kept = {"esm2_001": ["a.1", "gone.1"], "esm2_002": ["gone.2"], "esm2_003": ["a.2"]}
    shards = [ShardLoad("a.1", 1, 10), ShardLoad("a.2", 1, 20)]
    plan = plan_encoder("esm2", shards, 0, "tokens", kept)
    assert {t["task"]: t["shards"] for t in plan["tasks"]} == {"esm2_001": ["a.1"], "esm2_003": ["a.2"]}
    assert plan["total_load"] == 30
