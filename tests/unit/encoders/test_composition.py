"""The composition encoder: features against plain Python, its network against torch, files that are wrong."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from virnucpro.encoders.composition.description import RESIDUES, Words, composition_layout
from virnucpro.encoders.composition.features import codes_of, composition, log_length, word_statistics
from virnucpro.encoders.composition.model import load
from virnucpro.errors import ModelError

GROUPS = ("LVIM", "C", "A", "G", "ST", "P", "FYW", "EDNQ", "KR", "H")
FORMS = [Words(tuple(RESIDUES), (0, 1)), Words(GROUPS, (0, 2, 3)), Words(("AG", "KR"), (0,))]
PEPTIDE = st.text(RESIDUES + "XB*", max_size=60)


def plain_words(peptide: str, words: Words) -> list[int | None]:
    """Number of the word at each place, None where there is none."""
    group = {r: i for i, residues in enumerate(words.groups) for r in residues}
    found = []
    for at in range(len(peptide) - words.places[-1]):
        letters = [peptide[at + place] for place in words.places]
        known = all(letter in group for letter in peptide[at : at + words.places[-1] + 1])
        number = 0
        for letter in letters:
            number = number * len(words.groups) + group.get(letter, 0)
        found.append(number if known else None)
    return found


def plain_statistics(peptide: str, words: Words, table: np.ndarray) -> list[float]:
    values = [None if w is None else float(table[w]) for w in plain_words(peptide, words)]
    there = [v for v in values if v is not None]
    filled = [v or 0.0 for v in values] + [0.0] * (len(peptide) - len(values)) + [0.0] * 20
    n, ordered = max(len(there), 1), sorted(filled)
    windows = [sum(filled[i : i + 20]) / 20 for i in range(len(filled) - 19)]
    total = sum(there)
    return [
        total / n,
        max(filled),
        sum(ordered[-5:]) / 5,
        sum(ordered[:5]) / 5,
        total / math.sqrt(n),
        sum(v > 1 for v in there) / n,
        max(windows),
        min(windows),
    ]


@given(st.lists(PEPTIDE, min_size=1, max_size=5), st.sampled_from(FORMS), st.integers(0, 9))
@settings(max_examples=60)
def test_words_say_what_they_say_one_by_one(peptides, words, seed):
    table = np.random.default_rng(seed).normal(0, 1.5, words.number).astype(np.float32)
    found = word_statistics(codes_of(peptides), words, [table, -table])
    for row, peptide in zip(found, peptides, strict=True):
        expected = plain_statistics(peptide, words, table) + plain_statistics(peptide, words, -table)
        assert row == pytest.approx(expected, abs=1e-4)


def test_forms_that_leave_residues_out_find_no_word_across_them():
    assert plain_words("AKWRG", FORMS[2]) == [0, 1, None, 1, 0]
    index, known = FORMS[2].index(codes_of(["AKWRG"])[0])
    assert known.tolist() == [True, True, False, True, True] and index[known].tolist() == [0, 1, 1, 0]


@given(st.lists(PEPTIDE, min_size=1, max_size=4))
def test_residues_and_pairs_are_counted(peptides):
    found = composition(codes_of(peptides, 4), (1, 3))
    for row, peptide in zip(found, peptides, strict=True):
        n = max(sum(r in RESIDUES for r in peptide), 1)
        assert row[:20] == pytest.approx([4 * peptide.count(r) / n for r in RESIDUES], abs=1e-5)
        for part, gap in ((row[20:420], 1), (row[420:], 3)):
            known = [r in RESIDUES for r in peptide]
            pairs = [peptide[i] + peptide[i + gap] for i in range(len(peptide) - gap) if known[i] and known[i + gap]]
            length = max(sum(known) - gap, 1)
            expected = [20 * pairs.count(a + b) / length for a in RESIDUES for b in RESIDUES]
            assert part == pytest.approx(expected, abs=1e-4)


def write(folder, **changes):
    """A small encoder with random weights, and its tensors."""
    words = [{"groups": list(GROUPS), "places": [0, 1, 2], "tables": ["near", "far"]}]
    config = {"model_type": "residue_composition", "gaps": [1, 2], "words": words, "hidden_size": 12}
    config |= {"embedding_size": 6} | changes
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    rng = np.random.default_rng(3)
    layout = composition_layout(
        folder / "config.json", json.loads((folder / "config.json").read_text(encoding="utf-8"))
    )
    tensors = {
        name: rng.integers(-40, 40, shape).astype(np.int8)
        if name in layout.whole
        else rng.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in layout.tensors.items()
    }
    save_file(tensors, folder / "model.safetensors")
    return tensors


def test_the_network_is_two_linear_layers(tmp_path):
    w = {name: torch.from_numpy(t.astype(np.float64)) for name, t in write(tmp_path / "e").items()}
    encoder = load(tmp_path / "e")
    peptides = ["MKLVINGKTLKGEITIEGAVDAATAEKIFKQYANDNGIDGEW", "W" * 200, "ACD", "", "MX*K"]
    codes = codes_of(peptides)
    words = Words(GROUPS, (0, 1, 2))
    tables = [w[f"words.{name}"].numpy().astype(np.float32) / 16 for name in ("near", "far")]
    parts = [composition(codes, (1, 2)), log_length(codes), word_statistics(codes, words, tables)]
    x = torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float64))
    hidden = torch.relu(torch.nn.functional.linear(x, w["hidden.weight"], w["hidden.bias"]))
    expected = torch.nn.functional.linear(hidden, w["embedding.weight"], w["embedding.bias"])
    assert encoder.dim == 6
    assert np.abs(encoder(peptides) - expected.numpy()).max() < 1e-5


def test_an_embedding_does_not_depend_on_the_peptides_beside_it(tmp_path):
    write(tmp_path / "e")
    encoder = load(tmp_path / "e")
    rng = np.random.default_rng(1)
    peptides = ["".join(rng.choice(list(RESIDUES), n)) for n in rng.integers(1, 300, 60)]
    together = encoder(peptides)
    assert np.array_equal(together, np.concatenate([encoder([p]) for p in peptides]))
    assert np.array_equal(together[::-1], encoder(peptides[::-1]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "esm"}, "residue_composition"),
        ({"gaps": [0]}, "1 or more"),
        ({"words": [{"groups": ["AB"], "places": [0], "tables": ["x"]}]}, "cannot be"),
        ({"words": [{"groups": ["A", "A"], "places": [0], "tables": ["x"]}]}, "cannot be"),
        ({"words": [{"groups": ["A"], "places": [1, 2], "tables": ["x"]}]}, "cannot be"),
        ({"words": [{"groups": list(RESIDUES), "places": [*range(7)], "tables": ["x"]}]}, "1,280,000,000 words"),
        ({"words": 3}, "not the config"),
    ],
)
def test_a_config_that_cannot_be(tmp_path, changes, words):
    with pytest.raises(ModelError, match=words):
        write(tmp_path / "e", **changes)


def test_weights_that_do_not_fit(tmp_path):
    tensors = write(tmp_path / "e")
    save_file({k: v for k, v in tensors.items() if k != "words.far"}, tmp_path / "e/model.safetensors")
    with pytest.raises(ModelError, match=r"words\.far"):
        load(tmp_path / "e")
    save_file(tensors | {"hidden.weight": tensors["hidden.weight"][:, :-1].copy()}, tmp_path / "e/model.safetensors")
    with pytest.raises(ModelError, match=r"hidden\.weight"):
        load(tmp_path / "e")
    (tmp_path / "e/model.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="cannot be read"):
        load(tmp_path / "e")
