"""Batches: each row once, within the budget, no padding where it can be avoided."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro.embedding.batching import halves, plan_packed, plan_padded
from virnucpro.encoders.ragged import ragged

lengths = st.lists(st.integers(1, 300), min_size=0, max_size=200).map(np.array)


@given(lengths, st.integers(1, 5000), st.integers(0, 600))
def test_every_row_once_within_the_budget(length, budget, overhead):
    length = length.astype(int)
    batches = plan_padded(length, budget, overhead)
    rows = np.concatenate([b.rows for b in batches]) if batches else []
    assert sorted(rows) == list(range(len(length)))
    for batch in batches:
        assert batch.width == length[batch.rows].max()
        assert batch.tokens == len(batch.rows) * batch.width
        assert batch.padding == batch.tokens - length[batch.rows].sum()
        assert batch.tokens <= budget or len(batch.rows) == 1
    assert [b.width for b in batches] == sorted((b.width for b in batches), reverse=True)


@given(lengths, st.integers(1, 5000))
def test_packed_batches_hold_every_row_once_within_the_budget(length, budget):
    length = length.astype(int)
    batches = plan_packed(length, budget)
    rows = np.concatenate([b.rows for b in batches]) if batches else []
    assert sorted(rows) == list(range(len(length)))
    for batch in batches:
        assert (batch.tokens, batch.padding) == (length[batch.rows].sum(), 0)
        assert batch.width == length[batch.rows].max()
        assert batch.tokens <= budget or len(batch.rows) == 1


def test_packed_batches_are_of_like_size():
    """Of 70,000 tokens not 65,536 and a rest, but two halves."""
    batches = plan_packed(np.full(700, 100), 65_536)
    assert [b.tokens for b in batches] == [35_000, 35_000]


def test_equal_lengths_are_never_padded():
    batches = plan_padded(np.full(1000, 168), 2048, 48)
    assert sum(b.padding for b in batches) == 0
    assert [len(b.rows) for b in batches] == [12] * 83 + [4]


def test_many_of_one_length_and_few_of_others():
    """By hand: 25 rows of 168 fill two batches of 2,048 tokens; 3 of 100 and 2 of 95 are cheaper together."""
    length = np.array([168] * 25 + [100] * 3 + [95] * 2)
    batches = plan_padded(length, 2048, 48)
    assert [(len(b.rows), b.width, b.padding) for b in batches] == [(12, 168, 0)] * 2 + [(1, 168, 0), (5, 100, 10)]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8).map(np.array), st.integers(0, 30))
def test_padding_and_batches_cost_least(length, overhead):
    """Against every way to cut the sorted rows, where the budget does not matter."""

    def cost(parts: list[list[int]]) -> int:
        return sum(len(p) * max(p) + overhead for p in parts)

    def ways(rows: list[int]) -> Iterator[list[list[int]]]:
        yield [rows]
        for i in range(1, len(rows)):
            yield from ([rows[:i], *others] for others in ways(rows[i:]))

    ours = [length[b.rows].tolist() for b in plan_padded(length, 1000, overhead)]
    assert cost(ours) == min(map(cost, ways(sorted(length.tolist(), reverse=True))))


@given(lengths.filter(lambda x: len(x) > 1))
def test_halves_hold_all_rows(length):
    for batch in (*plan_padded(length, 10**6, 10**6), *plan_packed(length, 10**6)):
        parts = halves(batch, length, packed=not batch.padding)
        assert np.concatenate([p.rows for p in parts]).tolist() == batch.rows.tolist()
        assert all(p.width == length[p.rows].max() for p in parts)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=20), st.integers(0, 5))
def test_rows_of_ragged_sequences(sequences, extra):
    tokens = ragged(np.concatenate(sequences), np.array([len(s) for s in sequences]))
    width = max(map(len, sequences)) + extra
    index = np.arange(len(sequences))[::-1]
    expected = [sequences[i] + [0] * (width - len(sequences[i])) for i in index]
    assert tokens.rows(index, width, 0).tolist() == expected
    flat, starts = tokens.pack(index)
    assert [row.tolist() for row in np.split(flat, starts[1:-1])] == [sequences[i] for i in index]
    assert starts[-1] == len(flat)
    assert tokens.select(index).rows(np.arange(len(index)), width, 0).tolist() == expected


@pytest.mark.parametrize("count", [0, 1])
def test_almost_nothing(count):
    assert len(plan_padded(np.full(count, 5), 2048, 256)) == count
    assert len(plan_packed(np.full(count, 5), 2048)) == count
