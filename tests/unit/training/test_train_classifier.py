"""train_classifier.py as a whole, on made-up embeddings whose answer is known, and its errors."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from training_samples import (
    listed_models,
    other_encoder,
    split_table,
    training_order,
    write_models,
    write_sample,
)

from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.bundle.manifest import write_manifest
from virnucpro.errors import VirnucproError
from virnucpro.training import stream
from virnucpro.training.annotation import COUNTED
from virnucpro.training.task import run_training

TELLING = 3.0  # deviations between the classes in the first value


@pytest.fixture
def setting(tmp_path):
    """Two samples of 60 sequences each, whose first feature tells the classes; models.json; split.parquet."""
    models = write_models(tmp_path / "models")
    for name, value, seed in (("phages", TELLING, 1), ("bacteria", 0.0, 2)):
        ids = [f"{name}_{i // 2}|{i}" for i in range(60)]
        write_sample(tmp_path, models, name, ids, np.full((60, 1), value), seed)
    listed_models(models, tmp_path / "models.json")
    split_table(tmp_path, {"phages": "virus", "bacteria": "other"}, lambda record: record.split("|")[0])
    return tmp_path


def train(folder, out="out", **changes) -> dict:
    """Train in this process; returns training.json."""
    run_training(training_order(folder, out, **changes))
    return json.loads((folder / out / "training.json").read_text(encoding="utf-8"))


def test_training(root, setting):
    found = train(setting)
    command = [
        sys.executable,
        root / "bin/train_classifier.py",
        "--name",
        "mine",
        "--recipe",
        "single",
        "--epochs",
        "15",
    ]
    command += ["--encoders", "dnabert_s,esm2", "--out", setting / "again"]
    for name in ("split", "models", "tables", "embeddings"):
        command += [f"--{name}", getattr(training_order(setting), name)]
    second = subprocess.run(command, capture_output=True, encoding="utf-8", env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert "AUROC of test frames" in second.stdout, second.stderr
    for file in ("classifier.yml", "model.safetensors", "training.json"):
        assert (setting / "out" / file).read_bytes() == (setting / "again" / file).read_bytes(), "to the byte"
    assert sorted(p.name for p in (setting / "out").iterdir()) == [
        "classifier.yml",
        "model.safetensors",
        "training.json",
    ]
    # Frames of two normal distributions 3 deviations apart: AUROC Phi(3 / sqrt(2)) = 0.983.
    assert found["frames"]["test"]["auroc"] > 0.93
    assert found["epochs_run"] == len(found["history"]) <= 15
    assert sum(side["frames_virus"] for side in found["frames"].values()) == 180
    # What was written is a classifier of this bundle.
    (setting / "models/classifiers").mkdir()
    (setting / "out").rename(setting / "models/classifiers/mine")
    write_manifest(setting / "models", "test", {"": ("made by a test", "MIT")})
    selection = check(open_bundle(setting / "models"), "mine")
    assert [e.name for e in selection.encoders] == ["dnabert_s", "esm2_tiny"]
    assert selection.classifier.rule == "best"


def test_rows_from_disk_train_as_well_as_from_memory(setting, monkeypatch):
    monkeypatch.setattr(stream, "BLOCK", 2)
    monkeypatch.setattr(stream, "LEAST_BLOCKS", 32)
    small = train(setting, "small", memory=1)
    assert small["frames"]["test"]["auroc"] > 0.93
    assert not list((setting / "small").glob(".rows*")), "what was unpacked is gone"


def test_an_encoder_alone(setting):
    found = train(setting, kinds=("esm2",))
    assert found["encoders"] == ["esm2"]
    assert found["frames"]["test"]["auroc"] < 0.75, "its values are noise"
    card = yaml.safe_load((setting / "out/classifier.yml").read_text(encoding="utf-8"))
    assert [e["kind"] for e in card["encoders"]] == ["esm2"]


def test_a_split_by_frame_flatters(tmp_path):
    """Genomes have a signature that says nothing about their class. Split by frame it is learnt by heart and the test
    frames look good; split by genome it is worth what it is: nothing."""
    models = write_models(tmp_path / "models")
    random = np.random.default_rng(7)
    for name, seed in (("phages", 1), ("bacteria", 2)):
        signature = np.repeat(random.normal(0, 6, (12, 16)), 15, axis=0)
        ids = [f"{name}{i // 15}|{i}" for i in range(180)]
        write_sample(tmp_path, models, name, ids, signature, seed)
    listed_models(models, tmp_path / "models.json")
    split_table(tmp_path, {"phages": "virus", "bacteria": "other"}, lambda record: record.split("|")[0], test=0.4)
    by_genome, by_frame = (train(tmp_path, str(b), by_frame=b)["frames"]["test"]["auroc"] for b in (False, True))
    assert by_frame > 0.95
    assert by_genome < 0.85


def test_frames_that_failed_are_left_out_and_counted(setting):
    path = setting / "embeddings/phages.shard_00001.esm2.parquet"
    pq.write_table(pq.read_table(path).slice(5), path)
    found = train(setting, epochs=1)
    assert found["frames_that_could_not_be_embedded"] == 5
    assert sum(side["frames_virus"] for side in found["frames"].values()) == 175


def edit_manifest(folder, **changes):
    path = folder / "tables/phages.manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def no_viruses_in(folder, side):
    table = pl.read_parquet(folder / "split.parquet")
    alone = (pl.col("side") == side) & (pl.col("label") == "virus")
    table.with_columns(pl.when(alone).then(pl.lit("train")).otherwise("side").alias("side")).write_parquet(
        folder / "split.parquet"
    )


ERRORS = {
    "no sample": (lambda f: (f / "tables/phages.manifest.json").unlink(), 65, "phages.manifest.json"),
    "failed sample": (lambda f: edit_manifest(f, state="failed", reason="truncated gzip"), 65, "truncated gzip"),
    "chunk length": (lambda f: edit_manifest(f, chunk_length=300), 65, "phages and bacteria were cut into chunks of"),
    "no embedding": (
        lambda f: (f / "embeddings/phages.shard_00001.esm2.parquet").unlink(),
        65,
        "phages.shard_00001.esm2.parquet is absent: its embedding task failed",
    ),
    "encoder": (other_encoder, 65, "all must come from one encoder"),
    "damaged": (lambda f: (f / "embeddings/phages.shard_00001.esm2.parquet").write_bytes(b"PAR1"), 65, "damaged"),
    "one class": (lambda f: no_viruses_in(f, "test"), 65, "the test set has no frame of a sequence labelled virus"),
}


@pytest.mark.parametrize("fault", ERRORS)
def test_errors(setting, fault):
    spoil, code, message = ERRORS[fault]
    spoil(setting)
    with pytest.raises(VirnucproError, match=re.escape(message)) as error:
        train(setting)
    assert error.value.code == code
    assert not (setting / "out/classifier.yml").exists()


def test_embeddings_of_another_bundle_are_refused(setting):
    path = setting / "models.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"sha256": "', '"sha256": "0'), encoding="utf-8")
    with pytest.raises(VirnucproError, match="no encoder of this bundle made the dnabert_s embeddings") as error:
        train(setting)
    assert error.value.code == 66


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--encoders", "esm3"], "--encoders esm3"),
        (["--encoders", "esm2,esm2"], "may stand there once"),
        (["--encoders", "esm2", "--name", "a/b"], "--name 'a/b'"),
    ],
)
def test_usage_errors_are_one_line(root, tmp_path, more, message):
    command = [sys.executable, root / "bin/train_classifier.py", "--name", "mine", "--out", tmp_path / "out"]
    for name in ("split", "models", "tables", "embeddings"):
        command += [f"--{name}", tmp_path / name]
    ran = subprocess.run([*command, *more], capture_output=True, encoding="utf-8")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert message in ran.stderr


def test_frames_that_no_annotated_protein_vouches_for_are_left_out(setting):
    """Of 20 phages' first chunks F1 alone counts, of their second chunks nothing; of all others everything."""
    rows = {"sample": ["phages"] * 40, "chunk": list(range(40)), "frames": [1, 0] * 20}
    pl.DataFrame(rows, schema=COUNTED).write_parquet(setting / "counted.parquet")
    everything = train(setting)
    found = train(setting, "fewer", counted=setting / "counted.parquet")
    assert found["frames_outside_annotated_proteins"] == 40 and everything["frames_outside_annotated_proteins"] == 0
    assert sum(side["frames_virus"] for side in found["frames"].values()) == 180 - 40
    assert sum(side["frames_other"] for side in found["frames"].values()) == 180
