"""The embedding store: what goes in comes out, or is made again."""

import os
import time

import numpy as np
import pytest

from virnucpro.embedding.shards import digests
from virnucpro.embedding.store import Store

VECTORS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, "esm2", {"weights_sha256": "aa", "layer": "3"})


@pytest.fixture
def entry(store, tmp_path):
    """A stored shard: its key and file."""
    key = store.key(digests(["MKV", "MA"]))
    store.save(key, VECTORS)
    (path,) = tmp_path.glob("esm2/*/*")
    assert path.name == f"{key}.f32"
    return key, path


def test_comes_out_as_it_went_in(store, entry):
    assert (store.load(entry[0], 5, 3) == VECTORS).all()
    assert store.load(store.key(digests(["other"])), 5, 3) is None
    assert store.problems == []


def test_the_key_covers_settings_and_sequences(store, tmp_path):
    mine = digests(["MKV", "MA"])
    others = [
        Store(tmp_path, "esm2", {"weights_sha256": "ab", "layer": "3"}).key(mine),
        Store(tmp_path, "esm2", {"weights_sha256": "aa", "layer": "2"}).key(mine),
        Store(tmp_path, "dnabert_s", {"weights_sha256": "aa", "layer": "3"}).key(mine),
        store.key(digests(["MA", "MKV"])),
        store.key(digests(["MKV", "MA", "MA"])),
    ]
    assert len({store.key(mine), *others}) == 6
    assert Store(tmp_path, "esm2", {"layer": "3", "weights_sha256": "aa"}).key(mine) == store.key(mine)


@pytest.mark.parametrize("where", range(0, 200, 13))
def test_a_changed_byte_is_noticed(store, entry, where):
    key, path = entry
    content = bytearray(path.read_bytes())
    content[where % len(content)] ^= 1
    path.write_bytes(content)
    assert store.load(key, 5, 3) is None
    assert str(path) in store.problems[0]
    assert not path.exists()


@pytest.mark.parametrize("keep", [0, 1, 50, -1, -4])
def test_a_cut_file_is_noticed(store, entry, keep):
    key, path = entry
    path.write_bytes(path.read_bytes()[:keep])
    assert store.load(key, 5, 3) is None
    assert not path.exists()


def test_an_entry_of_another_size_is_not_taken(store, entry):
    assert store.load(entry[0], 3, 5) is None


def test_a_store_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = Store(tmp_path / "file", "esm2", {})
    store.save(store.key(digests(["M"])), VECTORS)
    assert store.load(store.key(digests(["M"])), 5, 3) is None
    assert "cannot be written" in store.problems[0]


def test_a_full_disk_ends_nothing(store, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    store.save(store.key(digests(["M"])), VECTORS)
    assert "No space left" in store.problems[0]
    assert list(tmp_path.glob("esm2/*/*")) == list(tmp_path.glob("esm2/*/.*")) == []


def test_what_a_killed_process_left_is_removed_after_a_day(store, entry, tmp_path):
    old, new = entry[1].with_name(".x.host.1.part"), entry[1].with_name(".y.host.2.part")
    for path in (old, new):
        path.write_text("half", encoding="utf-8")
    os.utime(old, (time.time() - 90000,) * 2)
    Store(tmp_path, "esm2", {})
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_entered_is_told_once(store, tmp_path):
    """As another user's with umask 077 (root, who runs tests in containers, may enter that): the rest is still used."""
    locked = [store.key(digests(["M" * n])) for n in (1, 2, 3)]
    for key in locked:
        (tmp_path / "esm2" / key[:2]).write_text("no folder", encoding="utf-8")
    assert [store.load(key, 5, 3) for key in locked] == [None] * 3
    (told,) = store.problems
    assert "cannot be read" in told
    mine = next(k for n in range(9) if (k := store.key(digests(["K" * n])))[:2] not in {key[:2] for key in locked})
    store.save(mine, VECTORS)
    assert (store.load(mine, 5, 3) == VECTORS).all()
    store.save(locked[0], VECTORS)
    assert len(store.problems) == 2 and "cannot be written" in store.problems[1]
