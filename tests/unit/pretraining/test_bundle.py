"""The bundle as the pipeline computes it, against the mean of the members as PyTorch does."""

import json

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture(scope="module")
def trained():
    """Two small members that have seen some data, so that their batch norms are not trivial, and tables."""
    from pretraining.network import Recipe, count_residues, features, train_member
    from pretraining.tables import WORDS

    rng = np.random.default_rng(3)
    tables = {name: rng.integers(-60, 60, w.number).astype(np.int8) for name, w in WORDS.items()}
    peptides = np.full((600, 166), 255, dtype=np.uint8)
    residues = rng.integers(40, 167, 600)
    kind = rng.integers(0, 5, 600)
    for row, size in enumerate(residues.tolist()):
        weight = rng.dirichlet(np.r_[np.ones(5) * (1 + kind[row]), np.ones(15)])
        peptides[row, :size] = rng.choice(20, size, p=weight)
    from pretraining.tables import statistics

    data = {"peptide": peptides, "residues": residues, "kind": kind}
    data["statistics"] = statistics(peptides, tables)
    recipe = Recipe(hidden=12, embedding=5, head=9, batch=64, share=1.0)
    members = [train_member(data, recipe, seed) for seed in (1, 2)]
    x = torch.from_numpy(features(count_residues(peptides), residues, data["statistics"]))
    with torch.no_grad():
        logits = np.mean([m.double()(x.double()).numpy() for m in members], axis=0)
    text = ["".join(RESIDUES[r] for r in p[:n]) for p, n in zip(peptides, residues, strict=True)]
    return members, tables, text, logits, data


def test_features_are_the_encoders_own(trained, tmp_path):
    from pretraining import bundle
    from pretraining.network import count_residues, features
    from virnucpro.encoders.composition.model import Composition

    members, tables, text, _, data = trained
    bundle.write_encoder(tmp_path, bundle.joined(members), tables)
    ours = features(count_residues(data["peptide"]), data["residues"], data["statistics"])
    assert np.allclose(Composition(tmp_path).features(text), ours, atol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 1.3])
def test_the_pipeline_gives_the_mean_of_the_members_centred(trained, tmp_path, shift):
    from pretraining import bundle
    from pretraining.judge import CODING
    from virnucpro.bundle.classifier import read_classifier
    from virnucpro.calling.mlp import Mlp
    from virnucpro.encoders.composition.model import Composition

    members, tables, text, logits, _ = trained
    network = bundle.joined(members, shift)
    bundle.write_encoder(tmp_path / "encoders/compact", network, tables)
    folder = tmp_path / "classifiers/compact_500"
    bundle.write_classifier(folder, network, 500, {"title": "t"})
    card = read_classifier(folder)
    assert (card.frames, card.min_stretch, card.rule, card.chunk_length) == ("every", 30, "mean", 500)
    assert (card.classes[card.coding.column], card.coding) == ("noncoding", CODING)
    both, classes = Mlp.of(card).both(Composition(tmp_path / "encoders/compact")(text))
    expected = np.exp(logits + shift * np.array([1, 1, 0, 0, 0]))
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(classes, expected, atol=5e-3)  # the encoder's layers have 16 bits
    of_genes = expected[:, :4] / expected[:, :4].sum(axis=1, keepdims=True)
    assert np.allclose(both[:, 1], of_genes[:, :2].sum(axis=1), atol=5e-3)
    config = json.loads((tmp_path / "encoders/compact/config.json").read_text(encoding="utf-8"))
    assert (config["hidden_size"], config["embedding_size"]) == (24, 10)
    assert yaml.safe_load((folder / "classifier.yml").read_text(encoding="utf-8"))["title"] == "t"


def test_a_bundle_that_is_too_large_is_refused(trained, tmp_path, monkeypatch):
    from pretraining import bundle

    members, tables, *_ = trained
    monkeypatch.setattr(bundle, "MOST_PARAMETERS", 1000)
    with pytest.raises(ValueError, match="more than allowed"):
        bundle.write_encoder(tmp_path, bundle.joined(members), tables)
