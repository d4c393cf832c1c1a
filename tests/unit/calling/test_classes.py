"""Classifiers with more classes than virus or not: sums, and the class that stands beside a call."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from models_bundles import write_classifier
from safetensors.numpy import load_file, save_file

from virnucpro.bundle.classifier import CLASSES, read_classifier
from virnucpro.bundle.coding import Coding
from virnucpro.calling.classes import class_of_call, likeliest_classes
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.scoring import Scores
from virnucpro.errors import ModelError

FINER = ["phage", "other virus", "prokaryote", "eukaryote"]
CARD = SimpleNamespace(classes=tuple(FINER), viral=("phage", "other virus"))


def class_of(sequences, chunks, scores):
    found = sequences.with_columns(likeliest_classes(sequences, chunks, scores, CARD))
    return found.select(class_of_call()).to_series().to_list()


def test_viral_classes_are_summed(tmp_path):
    write_classifier(tmp_path / "four", features=5, classes=4, seed=2)
    path = tmp_path / "four/model.safetensors"
    save_file({k: np.abs(v) if k == "bn1.running_var" else v for k, v in load_file(path).items()}, path)
    mlp = Mlp(tmp_path / "four", viral=[0, 1])
    x = np.random.default_rng(1).normal(0, 2, (50, 5)).astype(np.float32)
    two, four = mlp.both(x)
    w = {k: v.astype(np.float64) for k, v in load_file(path).items()}
    hidden = (x @ w["hidden_layer.weight"].T + w["hidden_layer.bias"] - w["bn1.running_mean"]) * w["bn1.weight"]
    hidden = hidden / np.sqrt(w["bn1.running_var"] + 1e-5) + w["bn1.bias"]
    logits = np.maximum(hidden, 0) @ w["output_layer.weight"].T + w["output_layer.bias"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert mlp.classes == 4 and np.abs(four - expected).max() < 1e-5
    assert np.abs(two - np.stack([expected[:, 2:].sum(1), expected[:, :2].sum(1)], 1)).max() < 1e-5


def test_a_class_that_is_neither_counts_for_no_side(tmp_path):
    write_classifier(tmp_path / "three", features=5, classes=3, seed=2)
    path = tmp_path / "three/model.safetensors"
    save_file({k: np.abs(v) if k == "bn1.running_var" else v for k, v in load_file(path).items()}, path)
    x = np.random.default_rng(1).normal(0, 2, (50, 5)).astype(np.float32)
    two, three = Mlp(tmp_path / "three", viral=[0], coding=Coding(2, 1.0, 0.0)).both(x)
    assert np.allclose(two[:, 1], three[:, 0] / three[:, :2].sum(axis=1), atol=1e-6)
    assert np.allclose(two.sum(axis=1), 1, atol=1e-6) and (three[:, 2] > 0.01).any()


def test_the_class_never_contradicts_the_call():
    """By hand: a virus whose single likeliest class is prokaryote is named by its likeliest viral class."""
    classes = np.array([[0.3, 0.25, 0.44, 0.01], [0.1, 0.1, 0.2, 0.6], [0.2, 0.7, 0.1, 0.0]], dtype=np.float32)
    scores = Scores(np.array([0, 6, 7]), np.full((3, 2), 0.5, dtype=np.float32), classes=classes)
    chunks = pl.DataFrame({"sequence": [0, 1], "start": [0, 0], "end": [500, 500], "state": ["virus", "other"]})
    sequences = pl.DataFrame({"sequence": [0, 1, 2], "state": ["virus", "other", "no_open_frame"]}).with_columns(
        chunks_scored=1
    )
    assert class_of(sequences, chunks, scores) == ["phage", "eukaryote", None]
    called_otherwise = sequences.with_columns(state=pl.Series(["other", "virus", "failed"]))
    assert class_of(called_otherwise, chunks, scores) == ["prokaryote", "other virus", None]
    scores.classes = None
    assert class_of(sequences, chunks, scores) == [None] * 3


def test_chunks_count_by_length_and_frames_within_them_alike():
    classes = np.array([[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=np.float32)
    scores = Scores(np.array([0, 6, 7, 8]), np.full((4, 2), 0.5, dtype=np.float32), classes=classes)
    chunks = pl.DataFrame({"sequence": [0, 0], "start": [0, 500], "end": [500, 900], "state": ["other", "other"]})
    sequences = pl.DataFrame({"sequence": [0], "state": ["other"], "chunks_scored": [2]})
    assert class_of(sequences, chunks, scores) == ["prokaryote"]


@pytest.mark.parametrize(
    ("classes", "viral"),
    [
        (["virus", "others"], None),
        (FINER, None),
        (FINER, ["plasmid"]),
        (FINER, FINER),
        (["a", "a"], ["a"]),
        ("ab", ["a"]),
    ],
)
def test_classes_that_cannot_be(tmp_path: Path, classes, viral):
    write_classifier(tmp_path / "c", classes_named=classes, viral=viral)
    with pytest.raises(ModelError, match="classes is"):
        read_classifier(tmp_path / "c")


def test_classes_of_a_card(tmp_path):
    write_classifier(tmp_path / "two")
    assert (read_classifier(tmp_path / "two").classes, read_classifier(tmp_path / "two").viral) == (CLASSES, ("virus",))
    write_classifier(tmp_path / "four", classes_named=FINER, viral=FINER[:2])
    assert read_classifier(tmp_path / "four").viral == ("phage", "other virus")
