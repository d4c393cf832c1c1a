"""Rows for training: every one once, in random order, from memory or from disk, with memory that does not grow."""

import tracemalloc

import numpy as np
import pytest

from virnucpro.training import stream as module
from virnucpro.training.pack import FeatureRows
from virnucpro.training.stream import BLOCK, Stream


@pytest.fixture(autouse=True)
def _no_least(monkeypatch):
    """So that few rows are many."""
    monkeypatch.setattr(module, "LEAST_BLOCKS", 1)


def rows(folder, n: int, width: int = 8) -> FeatureRows:
    """The first value of a row is its number."""
    features = np.random.default_rng(1).random((n, width)).astype(np.float32)
    features[:, 0] = np.arange(n)
    (folder / "rows.f32").write_bytes(features.tobytes())
    return FeatureRows(folder / "rows.f32", width, np.zeros(n, np.int8), np.arange(n), np.ones(n, np.int16))


@pytest.mark.parametrize("memory", [1 << 20, 1])  # all at once, and the least: a block at a time
@pytest.mark.parametrize("n", [1000, BLOCK * 3, 65])
def test_every_row_once(tmp_path, n, memory):
    stream = Stream(rows(tmp_path, n), 32, memory)
    seen = [0] * n
    for features, numbers in stream.shuffled(np.random.default_rng(2)):
        assert (features[:, 0] == numbers).all() and 2 <= len(numbers) <= 32
        for number in numbers.tolist():
            seen[number] += 1
    assert max(seen) == 1
    assert sum(seen) >= n - 1, "a last row by itself may be left out"
    assert np.concatenate([x[:, 0] for x, _ in stream.in_order()]).tolist() == list(range(n))


@pytest.mark.parametrize("memory", [1 << 20, 100_000])
def test_order_is_random_and_follows_the_seed(tmp_path, memory):
    stream = Stream(rows(tmp_path, 4000), 50, memory)
    orders = [np.concatenate([r for _, r in stream.shuffled(np.random.default_rng(s))]) for s in (1, 1, 2)]
    assert (orders[0] == orders[1]).all() and (orders[0] != orders[2]).any()
    # A batch holds rows from everywhere: its mean is near the middle, not near where the file was read.
    means = orders[0][:3950].reshape(-1, 50).mean(axis=1)
    assert abs(means - 2000).max() < 1000


def test_memory_is_bounded(tmp_path):
    """32 MB of rows through 2 MB."""
    stream = Stream(rows(tmp_path, 8192, 1024), 256, 2 << 20)
    tracemalloc.start()
    try:
        for _ in stream.shuffled(np.random.default_rng(1)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20, "two buffers, and batches of a megabyte"


def test_a_file_that_was_cut_is_an_error(tmp_path):
    whole = rows(tmp_path, 1000)
    whole.path.write_bytes(whole.path.read_bytes()[:-100])
    with pytest.raises(OSError, match="ends before row"):
        Stream(whole, 32, 1 << 20)
