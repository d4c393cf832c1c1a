"""train_classifier.py as a whole, on made-up embeddings whose answer is known, and its errors."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import train_classifier
import yaml
from training_samples import write_embeddings, write_models, write_sample

from virnucpro.errors import InputError, UsageError, VirnucproError
from virnucpro.models.bundle import check, open_bundle
from virnucpro.models.manifest import write_manifest
from virnucpro.training.task import run_training


@pytest.fixture
def setting(tmp_path):
    """Two samples of 60 sequences each, whose first feature tells the classes 3 deviations apart."""
    models = write_models(tmp_path / "models")
    for name, value, seed in (("phages", 3.0, 1), ("bacteria", 0.0, 2)):
        ids = [f"{name}_{i // 2}|{i}" for i in range(60)]
        write_sample(tmp_path, models, name, ids, np.full((60, 1), value), seed)
    (tmp_path / "labels.csv").write_text("sample,label\nphages,virus\nbacteria,others\n")
    return tmp_path


def arguments(folder, *more, out="out"):
    a = ["--name", "mine", "--labels", folder / "labels.csv", "--tables", folder / "tables", "--out", folder / out]
    a += ["--embeddings", folder / "embeddings", "--models", folder / "models", "--epochs", 15, "--batch_size", 16]
    return list(map(str, [*a, *more]))


def train(folder, *more, out="out"):
    """Train in this process; returns the card."""
    run_training(train_classifier.parser().parse_args(arguments(folder, *more, out=out)))
    return yaml.safe_load((folder / out / "classifier.yml").read_text())


def test_training(root, setting):
    (setting / "card.yml").write_text("title: Mine\ndata: made up\nlicence: MIT\n")
    more = ("--group_pattern", r"^([^|]+)\|", "--metrics", setting / "m.json", "--card", setting / "card.yml")
    card = train(setting, *more)
    command = [sys.executable, root / "bin/train_classifier.py", *arguments(setting, *more, out="again")]
    second = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert "AUC on unseen genomes" in second.stdout, second.stderr
    for file in ("classifier.yml", "model.safetensors"):
        assert (setting / "out" / file).read_bytes() == (setting / "again" / file).read_bytes()
    # Frames of two normal distributions 3 deviations apart: AUC Phi(3 / sqrt(2)) = 0.983; 36 test frames of each class.
    assert card["evaluation"]["frame"]["auc"] > 0.93
    assert card["evaluation"]["sequence"]["auc"] > 0.97
    assert card["evaluation"]["frame"]["virus"] == card["training"]["test"]["frames_virus"] == 36
    assert [card["training"][s]["genomes"] for s in ("train", "validation", "test")] == [42, 6, 12]
    assert (card["title"], card["licence"], card["training"]["data"]) == ("Mine", "MIT", "made up")
    metrics = json.loads((setting / "m.json").read_text())
    assert metrics["evaluation"]["test"]["frame"] == card["evaluation"]["frame"]
    assert len(metrics["history"]) == card["training"]["epochs_run"]
    # What was written is a classifier of this bundle.
    (setting / "models/classifiers").mkdir()
    (setting / "out").rename(setting / "models/classifiers/mine")
    write_manifest(setting / "models", "test", {"": ("made by a test", "MIT")})
    assert [e.name for e in check(open_bundle(setting / "models"), "mine").encoders] == ["dnabert_s", "esm2_tiny"]


def test_groups_keep_a_memory_from_passing_for_knowledge(tmp_path):
    """Genomes have a signature that says nothing about their class. Split by record it is learnt by heart and the test
    set looks good; split by genome it is worth what it is: nothing."""
    models = write_models(tmp_path / "models")
    random = np.random.default_rng(7)
    for name, seed in (("phages", 1), ("bacteria", 2)):
        signature = np.repeat(random.normal(0, 6, (12, 16)), 15, axis=0)
        ids = [f"{name}{i // 15}|{i}" for i in range(180)]
        write_sample(tmp_path, models, name, ids, signature, seed)
    (tmp_path / "labels.csv").write_text("sample,label\nphages,virus\nbacteria,others\n")
    found = {}
    for pattern in ("^.*$", "^[^|]+"):
        card = train(tmp_path, "--group_pattern", pattern, "--test_fraction", 0.4)
        found[pattern] = card["evaluation"]["sequence"]["auc"]
    assert found["^.*$"] > 0.95
    assert found["^[^|]+"] < 0.85


def test_frames_that_failed_are_left_out_and_counted(setting):
    path = setting / "embeddings/phages.shard_00001.esm2.parquet"
    pq.write_table(pq.read_table(path).slice(5), path)
    card = train(setting, "--epochs", 1)
    assert card["training"]["frames_that_could_not_be_embedded"] == 5
    assert sum(card["training"][s]["frames_virus"] for s in ("train", "validation", "test")) == 175


def test_groups_file(setting):
    ids = [f"{n}_{i // 2}|{i}" for n in ("phages", "bacteria") for i in range(60)]
    (setting / "groups.csv").write_text("id,group\n" + "".join(f"{i},{i.split('|')[0]}\n" for i in ids))
    card = train(setting, "--groups", setting / "groups.csv", "--epochs", 1)
    assert sum(card["training"][s]["genomes"] for s in ("train", "validation", "test")) == 60
    (setting / "groups.csv").write_text("id,group\n" + "".join(f"{i},g\n" for i in ids[:-1]))
    with pytest.raises(InputError, match=r"groups.csv: record 'bacteria_29|59' has no group"):
        train(setting, "--groups", setting / "groups.csv")


def other_weights(folder):
    keys = np.array([6 * (2 * s) + f for s in range(60) for f in (0, 3, 6)])
    vectors = np.zeros((180, 24), dtype=np.float32)
    (folder / "models/encoders/dnabert_s/model.safetensors").write_bytes(b"other")
    write_embeddings(folder, folder / "models", "bacteria.shard_00001", "dnabert_s", keys, vectors)


def edit_manifest(folder, **changes):
    path = folder / "tables/phages.manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


ERRORS = {
    "label": (lambda f: (f / "labels.csv").write_text("sample,label\nphages,phage\n"), 65, "line 2: label 'phage'"),
    "column": (lambda f: (f / "labels.csv").write_text("sample,class\nphages,virus\n"), 65, "column label is missing"),
    "one class": (lambda f: (f / "labels.csv").write_text("sample,label\nphages,virus\n"), 65, "labelled others"),
    "twice": (lambda f: (f / "labels.csv").write_text("sample,label\na,virus\na,others\n"), 65, "stands there twice"),
    "no labels": (lambda f: (f / "labels.csv").unlink(), 65, "labels.csv: cannot be read"),
    "no sample": (lambda f: (f / "tables/phages.manifest.json").unlink(), 65, "phages.manifest.json"),
    "failed sample": (lambda f: edit_manifest(f, state="failed", reason="truncated gzip"), 65, "truncated gzip"),
    "chunk length": (
        lambda f: edit_manifest(f, chunk_length=300),
        65,
        "chunks of 500 bases, phages into chunks of 300",
    ),
    "no embedding": (
        lambda f: (f / "embeddings/phages.shard_00001.esm2.parquet").unlink(),
        65,
        "is missing or damaged",
    ),
    "encoder": (other_weights, 65, "all must come from one encoder"),
    "damaged": (lambda f: (f / "embeddings/phages.shard_00001.esm2.parquet").write_bytes(b"PAR1"), 65, "damaged"),
    "bundle": (lambda f: (f / "models/manifest.yml").unlink(), 66, "manifest.yml"),
}


@pytest.mark.parametrize("fault", ERRORS)
def test_errors(setting, fault):
    spoil, code, message = ERRORS[fault]
    spoil(setting)
    with pytest.raises(VirnucproError, match=re.escape(message)) as error:
        train(setting)
    assert error.value.code == code
    assert not (setting / "out").exists()


def test_an_error_is_one_line_and_an_exit_status(root, setting):
    (setting / "labels.csv").unlink()
    command = [sys.executable, root / "bin/train_classifier.py", *arguments(setting)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr.count("\n"), ran.stderr[:7]) == (65, 1, "error: "), ran.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--encoders", "esm3"], "--encoders esm3"),
        (["--test_fraction", "1.5"], "--test_fraction 1.5"),
        (["--validation_fraction", "0.9"], "leave nothing to train on"),
        (["--batch_size", "1"], "--batch_size"),
        (["--name", "a/b"], "--name 'a/b'"),
        (["--group_pattern", "("], "--group_pattern '('"),
    ],
)
def test_usage_errors(setting, more, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        train(setting, *more)


def test_a_group_on_two_sides_is_refused(setting):
    (setting / "labels.csv").write_text("sample,label,split\nphages,virus,train\nbacteria,others,test\n")
    with pytest.raises(InputError, match="labelled virus and others"):
        train(setting, "--group_pattern", "[0-9]+$")  # record numbers: the same in both samples
