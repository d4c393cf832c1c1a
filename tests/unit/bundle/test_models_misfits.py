"""Files that are not the models they are taken for are refused, and the error says in what."""

import json
from pathlib import Path

import models_files as files
import pytest

from virnucpro.errors import ModelError
from virnucpro.fetch import convert_classifier, convert_dnabert_s, convert_esm2
from virnucpro.fetch.convert import shard_names


def weights_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.suffix in (".safetensors", ".bin"))


WRONG = {
    # what a file holds (made from an ESM-2 and a classifier), what it is taken for, words of the error
    "no settings": (lambda esm, mlp: {"model": esm}, "esm2", "neither `cfg` nor `args`"),
    "a regression file": (
        lambda esm, mlp: {"model": {"contact_head.regression.bias": esm["lm_head.bias"]}},
        "esm2",
        "cfg",
    ),
    "a bare state dict": (lambda esm, mlp: esm, "esm2", "no `model`"),
    "a list": (lambda esm, mlp: [1, 2], 44, "no state dict"),
    "no tensors": (lambda esm, mlp: {"x": 1}, 44, "no tensors"),
    "a classifier of other encoders": (lambda esm, mlp: mlp, 3328, r"\[512, 44\].*\[512, 3328\]"),
    "an ESM-2 as a classifier": (lambda esm, mlp: esm, 44, "lacks the tensor hidden_layer.weight"),
    "a tensor too few": (lambda esm, mlp: {k: mlp[k] for k in mlp if k != "bn1.running_var"}, 44, "bn1.running_var"),
    "whole numbers": (lambda esm, mlp: mlp | {"bn1.weight": mlp["bn1.weight"].long()}, 44, "bn1.weight is I64"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_wrong_files(tmp_path, case):
    content, taken_for, words = WRONG[case]
    esm, mlp = dict(files.fair_esm().state_dict()), dict(files.MLPClassifier(44).state_dict())
    path = files.save(content(esm, mlp), tmp_path / "wrong.pt")
    with pytest.raises(ModelError, match=words) as e:
        if taken_for == "esm2":
            convert_esm2.from_fair_esm(path)
        else:
            convert_classifier.from_virnucpro(path, taken_for)
    assert "wrong.pt" in str(e.value)


def test_a_module_of_another_batch_norm_is_refused(tmp_path):
    files.virnucpro_classifier(tmp_path / "own.pth", 44, epsilon=1e-3)
    with pytest.raises(ModelError, match=r"eps 0\.001"):
        convert_classifier.from_virnucpro(tmp_path / "own.pth", 44)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("esm2", {"position_embedding_type": "absolute"}, "ESM-1"),
        ("esm2", {"num_hidden_layers": 3}, "says of itself"),
        ("esm2", {"num_attention_heads": 5}, "cannot be split"),
        ("esm2", {"model_type": "bert"}, "model_type"),
        ("dnabert_s", {"alibi_starting_size": None, "hidden_act": "relu"}, "not DNABERT-S"),
        ("dnabert_s", {"vocab_size": 32}, "vocabulary"),
        ("dnabert_s", {"num_hidden_layers": 2}, "lacks the tensor encoder.layer.1"),
    ],
)
def test_hub_folders_that_do_not_fit_their_config(tmp_path, kind, change, words):
    folder = tmp_path / "hub"
    files.hub_esm(folder, True) if kind == "esm2" else files.dnabert_s(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | change
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=words):
        (convert_esm2 if kind == "esm2" else convert_dnabert_s).from_hub(folder, weights_in(folder))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", ".hidden", 5])
def test_an_index_cannot_name_files_elsewhere(tmp_path, name):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"esm.embeddings.word_embeddings.weight": name}}), encoding="utf-8")
    with pytest.raises(ModelError, match="names something else"):
        shard_names(index)
