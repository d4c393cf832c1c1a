"""A classifier that does not fit its encoders, and encoders whose files do not fit one another, are named."""

import json
from pathlib import Path

import pytest
import yaml
from models_bundles import DNABERT_S, ESM2, ESM2_WEIGHTS, renew

from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.errors import ModelError


def edit(path: Path, **changes) -> None:
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(card | changes, sort_keys=False), encoding="utf-8")


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
    card = yaml.safe_load((bundle / "classifiers/tiny/classifier.yml").read_text(encoding="utf-8"))
    edit(bundle / "classifiers/tiny/classifier.yml", encoders=card["encoders"][::-1])
    renew(bundle)
    assert check(open_bundle(bundle), "tiny").digest != before


def test_the_digest_changes_with_what_decides_results_only(bundle):
    before = check(open_bundle(bundle), "tiny")
    edit(bundle / "classifiers/tiny/classifier.yml", title="Another title", purpose="x")
    renew(bundle)
    assert check(open_bundle(bundle), "tiny").digest == before.digest
    (bundle / "encoders/dnabert_s/tokenizer.json").write_text('{"other": 1}', encoding="utf-8")
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
        ("esm2", "esm2_tiny", [], "holds no JSON object"),
        ("dnabert_s", "dnabert_s", DNABERT_S | {"vocab_size": 100}, "shape"),
        ("dnabert_s", "dnabert_s", {k: v for k, v in DNABERT_S.items() if k != "vocab_size"}, "vocab_size is None"),
    ],
)
def test_encoders_whose_config_and_weights_differ(bundle, kind, folder, config, words):
    (bundle / "encoders" / folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
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
