"""A bundle is checked before a run: what is missing, changed, truncated or does not fit is named, and large files are
hashed once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from models_bundles import DNABERT_S, ESM2, LICENCE, write_bundle, write_classifier, write_encoder

from virnucpro.errors import ModelError
from virnucpro.models import bundle as module
from virnucpro.models import stamps
from virnucpro.models.bundle import check, open_bundle
from virnucpro.models.manifest import read_manifest, sha256_file, write_manifest

ESM2_WEIGHTS = "encoders/esm2_tiny/model.safetensors"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bundle(tmp_path) -> Path:
    return write_bundle(tmp_path / "models")


def renew(bundle: Path) -> None:
    """Make the manifest agree with the files, so that only what they say is at fault."""
    write_manifest(bundle, "test", LICENCE)


def edit(path: Path, **changes) -> None:
    card = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(card | changes, sort_keys=False))


def test_a_whole_bundle(bundle):
    selection = check(open_bundle(bundle), "tiny")
    assert selection.bundle == "test" and selection.classifier.features == 44
    esm2 = selection.encoders[1]
    # 33 x 20 embeddings; per layer four 20 x 20 and two 20 x 80 matrices, their biases, two norms; a last norm
    expected = 33 * 20 + 2 * (4 * (400 + 20) + 2 * 1600 + 80 + 20 + 4 * 20) + 40
    assert (esm2.kind, esm2.name, esm2.layer, esm2.dim, esm2.parameters) == ("esm2", "esm2_tiny", 2, 20, expected)
    assert esm2.sha256 == sha256_file(bundle / ESM2_WEIGHTS)
    assert selection.encoders[0].layer == 1  # `last` of one layer


def damage_missing(path: Path) -> None:
    path.unlink()


def damage_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def damage_changed(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def damage_longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_missing, "is missing"),
        (damage_truncated, "is truncated"),
        (damage_changed, "has changed: SHA-256"),
        (damage_longer, "has changed: .* bytes"),
    ],
)
def test_damaged_files_are_named(bundle, name, damage, words):
    damage(bundle / "encoders/esm2_tiny" / name)
    with pytest.raises(ModelError, match=words) as e:
        check(open_bundle(bundle), "tiny")
    assert f"encoders/esm2_tiny/{name}" in str(e.value) and "Fetch the bundle again" in str(e.value)


@pytest.mark.parametrize("path", ["classifiers/tiny/model.safetensors", "encoders/dnabert_s/tokenizer.json"])
def test_other_damaged_files_are_named(bundle, path):
    damage_changed(bundle / path)
    with pytest.raises(ModelError, match=path):
        check(open_bundle(bundle), "tiny")


def test_files_that_the_manifest_does_not_list_are_not_trusted(bundle):
    write_manifest(bundle, "test", LICENCE, only=[p for p in read_manifest(bundle).files if "tokenizer" not in p])
    with pytest.raises(ModelError, match=r"tokenizer\.json: it is there but manifest\.yml does not list it"):
        check(open_bundle(bundle), "tiny")


CARD_FAULTS = {
    "encoder that is not there": ({"encoders": [{"kind": "esm2", "name": "big", "layer": 2, "dim": 20}]}, "lacks"),
    "encoder of another kind": (
        {"encoders": [{"kind": "esm2", "name": "dnabert_s", "layer": 1, "dim": 24}]},
        "an encoder of kind esm2 has 'esm'",
    ),
    "wrong dimension": ({"encoders": [{"kind": "esm2", "name": "esm2_tiny", "layer": 2, "dim": 44}]}, "have 20"),
    "layer beyond the last": (
        {"encoders": [{"kind": "esm2", "name": "esm2_tiny", "layer": 3, "dim": 20}]},
        "layers 0 to 2",
    ),
    "layer that is no number": (
        {"encoders": [{"kind": "esm2", "name": "esm2_tiny", "layer": "two", "dim": 20}]},
        "layer is 'two'",
    ),
    "other weights than trained on": (
        {"encoders": [{"kind": "esm2", "name": "esm2_tiny", "layer": 2, "dim": 20, "weights_sha256": "ab" * 32}]},
        "was trained on other weights of esm2_tiny",
    ),
    "an encoder too few": (
        {"encoders": [{"kind": "esm2", "name": "esm2_tiny", "layer": 2, "dim": 20}]},
        r"hidden_layer.weight has shape \[512, 44\], the model needs \[512, 20\]",
    ),
    "one kind twice": ({"encoders": [{"kind": "esm2", "name": "esm2_tiny", "layer": 2, "dim": 20}] * 2}, "once"),
    "unknown kind": ({"encoders": [{"kind": "prottrans", "name": "x", "layer": 2, "dim": 20}]}, "known are dnabert_s"),
    "a path as a name": ({"encoders": [{"kind": "esm2", "name": "../esm2", "layer": 2, "dim": 20}]}, "folder's name"),
    "no encoders": ({"encoders": []}, "list of the encoders"),
    "chunk length of nothing": ({"chunk_length": 0}, "30 to 3,072"),
    "chunk length beyond ESM-2": ({"chunk_length": 5000}, "30 to 3,072"),
    "chunk length as a text": ({"chunk_length": "500"}, "whole number"),
    "classes the wrong way round": ({"classes": ["virus", "others"]}, "the order must be"),
    "a later format": ({"format": 2}, "reads format 1"),
    "a name of another folder": ({"name": "other"}, "must agree"),
    "a name for a shell": ({"name": "$(id)"}, "letters, digits"),
}


@pytest.mark.parametrize("case", list(CARD_FAULTS))
def test_classifiers_that_do_not_fit(bundle, case):
    changes, words = CARD_FAULTS[case]
    edit(bundle / "classifiers/tiny/classifier.yml", **changes)
    renew(bundle)
    with pytest.raises(ModelError, match=words) as e:
        check(open_bundle(bundle), "tiny")
    assert "classifiers/tiny" in str(e.value) or "encoders/" in str(e.value)


def test_features_in_another_order_are_not_taken_for_the_same(bundle):
    """44 features either way: only the card knows the order, so it is part of the digest."""
    before = check(open_bundle(bundle), "tiny").digest
    card = yaml.safe_load((bundle / "classifiers/tiny/classifier.yml").read_text())
    edit(bundle / "classifiers/tiny/classifier.yml", encoders=card["encoders"][::-1])
    renew(bundle)
    assert check(open_bundle(bundle), "tiny").digest != before


def test_the_digest_changes_with_what_decides_results_only(bundle):
    before = check(open_bundle(bundle), "tiny")
    edit(bundle / "classifiers/tiny/classifier.yml", title="Another title", purpose="x")
    renew(bundle)
    assert check(open_bundle(bundle), "tiny").digest == before.digest
    (bundle / "encoders/dnabert_s/tokenizer.json").write_text('{"other": 1}')
    renew(bundle)
    after = check(open_bundle(bundle), "tiny")
    assert after.digest != before.digest
    assert after.encoders[0].digest != before.encoders[0].digest
    assert after.encoders[1].digest == before.encoders[1].digest


def test_a_wanted_chunk_length_must_be_the_classifiers(bundle):
    check(open_bundle(bundle), "tiny", 500)
    with pytest.raises(ModelError, match="chunks of 500 bases, 300 were asked for"):
        check(open_bundle(bundle), "tiny", 300)


@pytest.mark.parametrize(
    ("kind", "folder", "config", "words"),
    [
        ("esm2", "esm2_tiny", ESM2 | {"hidden_size": 24}, "shape"),
        ("esm2", "esm2_tiny", ESM2 | {"num_hidden_layers": 3}, "lacks layers.2"),
        ("esm2", "esm2_tiny", ESM2 | {"num_attention_heads": 3}, "cannot be split over 3"),
        ("esm2", "esm2_tiny", ESM2 | {"hidden_size": "20"}, "positive whole number"),
        ("esm2", "esm2_tiny", [], "model_type is 'list'"),
        ("dnabert_s", "dnabert_s", DNABERT_S | {"vocab_size": 100}, "shape"),
        ("dnabert_s", "dnabert_s", {k: v for k, v in DNABERT_S.items() if k != "vocab_size"}, "vocab_size is None"),
    ],
)
def test_encoders_whose_config_and_weights_differ(bundle, kind, folder, config, words):
    (bundle / "encoders" / folder / "config.json").write_text(json.dumps(config))
    renew(bundle)
    with pytest.raises(ModelError, match=words) as e:
        check(open_bundle(bundle), "tiny")
    assert f"encoders/{folder}" in str(e.value)


@pytest.mark.parametrize("how", ["truncated", "garbage", "gap", "empty", "header too long"])
def test_damaged_safetensors_are_found_though_the_manifest_agrees(bundle, how):
    """A file that was bad before the manifest was written."""
    path = bundle / ESM2_WEIGHTS
    raw = path.read_bytes()
    if how == "truncated":
        raw = raw[:-4]
    elif how == "garbage":
        raw = raw[:8] + b"\xff" * (len(raw) - 8)
    elif how == "gap":
        raw = raw.replace(b'"data_offsets":[0,', b'"data_offsets":[4,')
    elif how == "empty":
        raw = b""
    else:
        raw = b"\xff" * 8 + raw[8:]
    path.write_bytes(raw)
    renew(bundle)
    with pytest.raises(ModelError, match=r"esm2_tiny/model\.safetensors"):
        check(open_bundle(bundle), "tiny")


def test_classifiers_by_name_or_path(bundle, tmp_path, monkeypatch):
    own = tmp_path / "own"
    write_classifier(own, name="mine", seed=3)
    for wanted in (str(own), str(own / "classifier.yml"), f"{own}/"):
        assert check(open_bundle(bundle), wanted).classifier.name == "mine"
    monkeypatch.chdir(tmp_path)
    assert check(open_bundle(bundle), "own").classifier.folder == own
    assert check(open_bundle(bundle), "").classifier.name == "tiny"  # the only one
    assert check(open_bundle(bundle), str(bundle / "classifiers/tiny")).classifier.name == "tiny"
    with pytest.raises(ModelError, match=r"nothing: neither a classifier of the bundle .*it has tiny"):
        check(open_bundle(bundle), "nothing")
    write_classifier(bundle / "classifiers/second", name="second")
    renew(bundle)
    with pytest.raises(ModelError, match=r"2 classifiers \(second, tiny\): name one"):
        check(open_bundle(bundle), "")


def test_one_bundle_serves_classifiers_of_different_encoders(bundle):
    """Fast mode: a classifier on a smaller ESM-2 beside that on the larger one."""
    small = ESM2 | {"num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 32}
    write_encoder(bundle / "encoders/esm2_smaller", "esm2", small)
    uses = [{"kind": "esm2", "name": "esm2_smaller", "layer": "last", "dim": 8}]
    write_classifier(bundle / "classifiers/fast", name="fast", features=8, encoders=uses)
    renew(bundle)
    opened = open_bundle(bundle)
    assert [e.name for e in check(opened, "fast").encoders] == ["esm2_smaller"]
    assert [e.name for e in check(opened, "tiny").encoders] == ["dnabert_s", "esm2_tiny"]


def test_a_classifier_outside_needs_its_encoders_in_the_bundle(bundle, tmp_path):
    write_classifier(tmp_path / "own", name="own", features=20)
    with pytest.raises(ModelError, match=r"hidden_layer\.weight"):
        check(open_bundle(bundle), str(tmp_path / "own"))
    (tmp_path / "own/model.safetensors").unlink()
    with pytest.raises(ModelError, match="is missing"):
        check(open_bundle(bundle), str(tmp_path / "own"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no model bundle"),
        ("- a", "no mapping"),
        ("format: 1\nname: x\n", "lists no files"),
        ("format: 1\nname: x/y\nfiles: {a: {size: 1, sha256: z}}\n", "name 'x/y'"),
        ("format: 1\nname: x\nfiles: {a: {size: 1, sha256: z}}\n", "needs a size and a SHA-256"),
        (f"format: 1\nname: x\nfiles: {{../a: {{size: 1, sha256: {'0' * 64}}}}}\n", "no plain path"),
        (f"format: 1\nname: x\nfiles: {{/etc/passwd: {{size: 1, sha256: {'0' * 64}}}}}\n", "no plain path"),
        ("{{", "cannot be read"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_manifests_that_cannot_be(tmp_path, text, words):
    (tmp_path / "m").mkdir()
    if text is not None:
        (tmp_path / "m/manifest.yml").write_text(text)
    with pytest.raises(ModelError, match=words):
        open_bundle(tmp_path / "m")


def test_write_manifest(bundle):
    sources = {"": ("made here", "MIT"), "encoders": ("e", "A"), "encoders/esm2_tiny/config.json": ("c", "B")}
    (bundle / ".hidden").write_text("x")
    manifest = write_manifest(bundle, "test", sources)
    raw = yaml.safe_load((bundle / "manifest.yml").read_text())
    assert raw["format"] == 1 and raw["name"] == "test" and len(raw["files"]) == 7 == len(manifest.files)
    assert raw["files"]["encoders/esm2_tiny/config.json"]["source"] == "c"
    assert raw["files"][ESM2_WEIGHTS]["licence"] == "A"
    assert raw["files"]["classifiers/tiny/classifier.yml"]["source"] == "made here"
    entry = raw["files"][ESM2_WEIGHTS]
    told = subprocess.run(["sha256sum", bundle / ESM2_WEIGHTS], capture_output=True, text=True, check=True)
    assert told.stdout.split()[0] == entry["sha256"] and (bundle / ESM2_WEIGHTS).stat().st_size == entry["size"]
    assert read_manifest(bundle) == manifest


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
    renew(bundle)
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
        (tmp_path / "cache").write_text("a file, not a folder")
    hashed = Hashed(bundle, monkeypatch)
    assert hashed() == 7
    assert hashed() == (0 if writable == "cache" else 7)
    found = list((tmp_path / "cache").rglob("*.json"))
    assert len(found) == (1 if writable == "cache" else 0)


def test_a_damaged_stamp_file_is_ignored(bundle, monkeypatch):
    hashed = Hashed(bundle, monkeypatch)
    for text in ("", "{", "[]", '{"format": 1, "files": 3}', '{"format": 9, "files": {}}'):
        (bundle / stamps.STAMPS).write_text(text)
        assert hashed() == 7 and hashed() == 0


def script(*options) -> subprocess.CompletedProcess:
    path = Path(__file__).parents[2] / "bin/check_models.py"
    return subprocess.run([sys.executable, path, *options], capture_output=True, text=True)


def test_the_script(bundle, tmp_path):
    done = script("--models", bundle, "--classifier", "tiny", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert "tiny: complete, and fits dnabert_s and esm2_tiny" in done.stdout
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["classifier"]["folder"] == "classifiers/tiny" and found["classifier"]["chunk_length"] == 500
    assert [(e["kind"], e["folder"], e["layer"]) for e in found["encoders"]] == [
        ("dnabert_s", "encoders/dnabert_s", 1),
        ("esm2", "encoders/esm2_tiny", 2),
    ]
    assert len(found["digest"]) == 64 and found["encoders"][1]["sha256"] == sha256_file(bundle / ESM2_WEIGHTS)


def test_the_script_names_every_problem(bundle):
    damage_missing(bundle / "encoders/dnabert_s/tokenizer.json")
    damage_changed(bundle / ESM2_WEIGHTS)
    done = script("--models", bundle)
    assert done.returncode == 66 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert "2 problems" in done.stderr
    assert done.stdout.count("PROBLEM") == 2 and "tokenizer.json" in done.stdout and ESM2_WEIGHTS in done.stdout


def test_the_script_loads_no_torch():
    """It runs in the small image, at the start of every run."""
    code = "import sys; import check_models; print([m for m in ('torch', 'polars', 'requests') if m in sys.modules])"
    folder = Path(__file__).parents[2] / "bin"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
