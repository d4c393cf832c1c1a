"""An evaluation's account: parts, comparisons, and that it says plainly what does not beat a baseline."""

import numpy as np
import polars as pl
import pytest

from virnucpro.evaluation.account import ITEMS, account


def items(caller: str, quality: float, level: str = "sequence", size: int = 500, silent: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(5)
    n = 300
    label = np.arange(n) % 2
    score = np.clip(0.5 + quality * (label - 0.5) + random.normal(0, 0.2, n), 0, 1)
    answered = np.arange(n) >= silent
    return pl.DataFrame(
        {
            "caller": [caller] * n,
            "level": [level] * n,
            "size": [size] * n,
            "sample": ["phages" if y else "hosts" for y in label],
            "genome": [f"g{i // 2 if i % 2 else -i}" for i in range(n)],
            "group": ["phage" if y else "host" for y in label],
            "length": [400 if i % 4 else 4000 for i in range(n)],
            "label": label,
            "score": [s if a else None for s, a in zip(score.tolist(), answered, strict=True)],
            "called": score >= 0.5,
            "threshold": [0.5] * n,
            "evidence": ["open_frames" if i % 3 else "stretches" for i in range(n)],
        },
        schema=ITEMS,
    )


@pytest.fixture(scope="module")
def found():
    parts = [items("good", 0.5), items("bad", 0.1), items("middle", 0.25), items("good", 0.4, "frame", 0)]
    return account(pl.concat(parts), {"middle": "the middle"}, seed=1)


def test_a_caller_that_does_not_beat_the_baseline_is_named(found):
    by_caller = {v["caller"]: v for v in found["verdicts"]}
    assert by_caller["good"]["good"] and "good beats the middle on pieces of 500 bases" in by_caller["good"]["text"]
    assert not by_caller["bad"]["good"] and "bad is worse than the middle" in by_caller["bad"]["text"]
    assert "middle" not in by_caller


def test_equals_do_not_beat_one_another():
    same = account(pl.concat([items("one", 0.3), items("base", 0.3)]), {"base": "the base"}, seed=1)
    (verdict,) = same["verdicts"]
    assert not verdict["good"] and "one does not beat the base" in verdict["text"]


def test_parts(found):
    rows = [r for r in found["figures"] if r["caller"] == "good" and r["level"] == "sequence"]
    assert [(r["part"], r["name"]) for r in rows if r["part"] not in ("group", "length")] == [
        ("all", ""),
        ("evidence", "open_frames"),
        ("evidence", "stretches"),
        ("sample", "hosts"),
        ("sample", "phages"),
    ]
    assert rows[0]["viruses"] == rows[0]["others"] == 150
    assert rows[3]["sensitivity"] == [None, None, None] and rows[3]["specificity"][0] > 0.8
    assert [r["part"] for r in found["figures"] if r["level"] == "frame"] == ["all"]


def test_no_answer_is_ranked_at_the_threshold_and_never_called():
    silent = account(items("mute", 0.5, silent=300), [], seed=1)
    (row,) = [r for r in silent["figures"] if r["part"] == "all"]
    assert row["no_answer"][0] == 1 and row["auroc"][0] == 0.5 and row["sensitivity"][0] == 0
    half = account(items("half", 0.5, silent=150), [], seed=1)["figures"][0]
    assert half["no_answer"][0] == 0.5 and half["sensitivity"][0] < 0.55
