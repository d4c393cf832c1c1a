"""Large files are hashed once; a touched, changed or copied file is hashed again."""

import os
import shutil
from pathlib import Path

import pytest
from models_bundles import ESM2_WEIGHTS, LICENCE, write_classifier

from virnucpro.bundle import bundle as module
from virnucpro.bundle import stamps
from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.bundle.manifest import write_manifest
from virnucpro.errors import ModelError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def damage_changed(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


class Hashed:
    """Which files were hashed by a check, with stamps for every size."""

    def __init__(self, bundle: Path, monkeypatch):
        self.bundle, self.files = bundle, []
        real = module.sha256_file
        monkeypatch.setattr(module, "sha256_file", lambda path: self.files.append(path.name) or real(path))

    def __call__(self, **how) -> int:
        self.files.clear()
        check(open_bundle(self.bundle, small=0, **how), "tiny")
        return len(self.files)


def test_large_files_are_hashed_once(bundle, monkeypatch):
    hashed = Hashed(bundle, monkeypatch)
    assert hashed() == 7
    assert hashed() == 0
    assert hashed(full=True) == 7
    assert (bundle / stamps.STAMPS).is_file()


def test_small_files_are_hashed_each_time_and_leave_no_stamp(bundle, monkeypatch):
    check(open_bundle(bundle), "tiny")
    assert not (bundle / stamps.STAMPS).exists()


def test_a_touched_file_is_hashed_again(bundle, monkeypatch):
    hashed = Hashed(bundle, monkeypatch)
    hashed()
    path = bundle / ESM2_WEIGHTS
    os.utime(path)
    assert hashed() == 1 and hashed.files == ["model.safetensors"]
    assert hashed() == 0


def test_a_change_with_its_time_stamp_put_back_is_found(bundle, monkeypatch):
    hashed = Hashed(bundle, monkeypatch)
    hashed()
    path = bundle / ESM2_WEIGHTS
    times = path.stat()
    damage_changed(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ModelError, match="has changed"):
        hashed()
    with pytest.raises(ModelError, match="has changed"):
        hashed()  # and no stamp was left


def test_a_copied_bundle_is_hashed_anew_though_its_times_were_kept(bundle, monkeypatch, tmp_path):
    """cp -a, rsync -a and tar take the stamp file and the time stamps along, and may have damaged a file."""
    hashed = Hashed(bundle, monkeypatch)
    hashed()
    copy = tmp_path / "elsewhere"
    shutil.copytree(bundle, copy)  # keeps modification times
    assert (copy / stamps.STAMPS).is_file()
    hashed.bundle = copy
    assert hashed() == 7 and hashed() == 0


def test_another_bundle_in_the_same_place_is_hashed(bundle, monkeypatch):
    hashed = Hashed(bundle, monkeypatch)
    hashed()
    write_classifier(bundle / "classifiers/tiny", seed=9)
    write_manifest(bundle, "test", LICENCE)
    assert hashed() == 2  # the classifier's two files are new


def test_the_stamp_does_not_touch_the_folders_time(bundle, monkeypatch):
    """-resume looks at it."""
    hashed = Hashed(bundle, monkeypatch)
    hashed()
    before = bundle.stat().st_mtime_ns
    os.utime(bundle / ESM2_WEIGHTS)
    assert hashed() == 1 and bundle.stat().st_mtime_ns == before


@pytest.mark.parametrize("writable", ["cache", "nothing"])
def test_a_read_only_bundle(bundle, monkeypatch, tmp_path, writable):
    """Stamps go to the user's cache; where that cannot be written either, every check is a full one."""
    monkeypatch.setattr(stamps, "STAMPS", "manifest.yml/cannot/be.json")  # root may write anywhere: a path that fails
    if writable == "nothing":
        (tmp_path / "cache").write_text("a file, not a folder", encoding="utf-8")
    hashed = Hashed(bundle, monkeypatch)
    assert hashed() == 7
    assert hashed() == (0 if writable == "cache" else 7)
    found = list((tmp_path / "cache").rglob("*.json"))
    assert len(found) == (1 if writable == "cache" else 0)


def test_a_damaged_stamp_file_is_ignored(bundle, monkeypatch):
    hashed = Hashed(bundle, monkeypatch)
    for text in ("", "{", "[]", '{"format": 1, "files": 3}', '{"format": 9, "files": {}}'):
        (bundle / stamps.STAMPS).write_text(text, encoding="utf-8")
        assert hashed() == 7 and hashed() == 0
