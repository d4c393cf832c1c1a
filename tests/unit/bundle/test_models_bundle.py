"""A bundle is checked before a run: what is missing, changed or truncated is named; classifiers by name or path."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from models_bundles import ESM2, ESM2_WEIGHTS, LICENCE, renew, write_classifier, write_encoder

from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.bundle.classifier import read_classifier
from virnucpro.bundle.manifest import read_manifest, sha256_file, write_manifest
from virnucpro.errors import ModelError


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
        (tmp_path / "m/manifest.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=words):
        open_bundle(tmp_path / "m")


def test_write_manifest(bundle):
    sources = {"": ("made here", "MIT"), "encoders": ("e", "A"), "encoders/esm2_tiny/config.json": ("c", "B")}
    (bundle / ".hidden").write_text("x", encoding="utf-8")
    manifest = write_manifest(bundle, "test", sources)
    raw = yaml.safe_load((bundle / "manifest.yml").read_text(encoding="utf-8"))
    assert raw["format"] == 1 and raw["name"] == "test" and len(raw["files"]) == 7 == len(manifest.files)
    assert raw["files"]["encoders/esm2_tiny/config.json"]["source"] == "c"
    assert raw["files"][ESM2_WEIGHTS]["licence"] == "A"
    assert raw["files"]["classifiers/tiny/classifier.yml"]["source"] == "made here"
    entry = raw["files"][ESM2_WEIGHTS]
    told = subprocess.run(["sha256sum", bundle / ESM2_WEIGHTS], capture_output=True, encoding="utf-8", check=True)
    assert told.stdout.split()[0] == entry["sha256"] and (bundle / ESM2_WEIGHTS).stat().st_size == entry["size"]
    assert read_manifest(bundle) == manifest


def script(*options) -> subprocess.CompletedProcess:
    path = Path(__file__).parents[3] / "bin/check_models.py"
    return subprocess.run([sys.executable, path, *options], capture_output=True, encoding="utf-8")


def test_the_script(bundle, tmp_path):
    done = script("--models", bundle, "--classifier", "tiny", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert "tiny: complete, and fits dnabert_s and esm2_tiny" in done.stdout
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
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
    folder = Path(__file__).parents[3] / "bin"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("field", "value", "words"), [("frames", "all", "open, longest"), ("min_stretch", 0, "residues")]
)
def test_a_card_says_what_it_was_trained_on(tmp_path, field, value, words):
    write_classifier(tmp_path / "right", frames="longest", min_stretch=50)
    card = read_classifier(tmp_path / "right")
    assert (card.frames, card.min_stretch) == ("longest", 50)
    write_classifier(tmp_path / "wrong", **{field: value})
    with pytest.raises(ModelError, match=words):
        read_classifier(tmp_path / "wrong")
