"""The embedding store: what goes in comes out, or is made again."""

import os
import time

import numpy as np
import pyarrow as pa
import pytest

from virnucpro.embedding.shards import Shard, digests
from virnucpro.embedding.store import Store, link
from virnucpro.embedding.writing import embedding_table, halved

VECTORS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def shard_of(sample="gut", frames=5):
    names = [f"{sample}_{n}_chunk_1F1" for n in range(frames)]
    return Shard(f"{sample}.shard_00001", pa.chunked_array([pa.array(range(frames))]), pa.chunked_array([names]), [])


SHARD = shard_of()


def save(store, key, vectors=VECTORS):
    return store.save(key, SHARD, embedding_table(SHARD, vectors, {}, {"encoder": "esm2"}))


def load(store, key, shard=SHARD, dim=3):
    found = store.load(key, shard, dim)
    return None if found is None else found.vectors


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, "esm2", {"weights_sha256": "aa", "layer": "3"})


@pytest.fixture
def entry(store, tmp_path):
    """A stored shard: its key and file."""
    key = store.key(digests(["MKV", "MA"]))
    assert save(store, key) in tmp_path.glob("esm2/*/*")
    (path,) = tmp_path.glob("esm2/*/*")
    assert path.name.startswith(key)
    return key, path


def test_comes_out_as_it_went_in(store, entry):
    assert (load(store, entry[0]) == VECTORS).all()
    assert load(store, store.key(digests(["other"]))) is None
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


@pytest.mark.parametrize("vectors", [VECTORS, halved(VECTORS)], ids=["float32", "float16"])
def test_no_changed_byte_comes_through(store, tmp_path, vectors):
    """Of every byte of the file one bit: the entry is given up, or the embeddings are what they were."""
    key = store.key(digests(["MKV", "MA"]))
    path = save(store, key, vectors)
    whole, given_up = path.read_bytes(), 0
    for where in range(len(whole)):
        content = bytearray(whole)
        content[where] ^= 1 << where % 8
        path.write_bytes(content)
        found = load(store, key)
        assert found is None or (found == vectors).all()
        given_up += found is None
        assert path.exists() == (found is not None)
    assert given_up == len(store.problems) > 5 * 3 * vectors.itemsize
    assert str(path) in store.problems[0]


def test_an_entry_is_the_own_file_of_a_shard_with_its_names_alone(store, entry, tmp_path):
    """Of one with other names its embeddings are known, and the file has to be written anew."""
    mine, other = (store.load(entry[0], shard, 3) for shard in (SHARD, shard_of("lake")))
    assert (mine.is_own, other.is_own) == (True, False)
    assert (other.vectors == VECTORS).all()
    assert link(mine.path, tmp_path / "linked.parquet")
    assert (tmp_path / "linked.parquet").samefile(entry[1])


def test_a_store_on_another_file_system_is_linked_by_its_path(entry, tmp_path, monkeypatch):
    def other_device(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_device)
    monkeypatch.chdir(tmp_path)
    assert link(entry[1].relative_to(tmp_path), tmp_path / "linked.parquet")
    assert (tmp_path / "linked.parquet").readlink() == entry[1]


@pytest.mark.parametrize("keep", [0, 1, 50, -1, -4])
def test_a_cut_file_is_noticed(store, entry, keep):
    key, path = entry
    path.write_bytes(path.read_bytes()[:keep])
    assert load(store, key) is None
    assert not path.exists()


def test_an_entry_of_another_size_is_not_taken(store, entry):
    assert load(store, entry[0], dim=5) is None
    assert load(store, entry[0], shard_of(frames=4)) is None


def test_a_store_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = Store(tmp_path / "file", "esm2", {})
    assert save(store, store.key(digests(["M"]))) is None
    assert load(store, store.key(digests(["M"]))) is None
    assert "cannot be written" in store.problems[0]


def test_a_full_disk_ends_nothing(store, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    save(store, store.key(digests(["M"])))
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
    assert [load(store, key) for key in locked] == [None] * 3
    (told,) = store.problems
    assert "cannot be read" in told
    mine = next(k for n in range(9) if (k := store.key(digests(["K" * n])))[:2] not in {key[:2] for key in locked})
    save(store, mine)
    assert (load(store, mine) == VECTORS).all()
    save(store, locked[0])
    assert len(store.problems) == 2 and "cannot be written" in store.problems[1]
