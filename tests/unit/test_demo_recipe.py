"""The recipe of the demo: relatives found as counted by hand, and what can be rebuilt without the training data is
rebuilt byte for byte."""

import random
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def recipe(root):
    """The recipe's modules."""
    sys.path.insert(0, str(root / "assets/make_demo"))
    try:
        import encoders
        import example
        import relatives
    finally:
        sys.path.pop(0)
    return {"encoders": encoders, "example": example, "relatives": relatives}


def sequence(seed: int, length: int = 3000) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


def complement(s: str) -> str:
    return s[::-1].translate(str.maketrans("ACGT", "TGCA"))


def test_words_are_counted_on_either_strand(recipe):
    words, common = recipe["relatives"].words, recipe["relatives"].common
    a = sequence(1)
    by_hand = {min(a[i : i + 21], complement(a[i : i + 21])) for i in range(len(a) - 20)}
    assert len(words(a)) == len(by_hand) == 2980
    assert (words(complement(a)) == words(a)).all() and (words(a.lower()) == words(a)).all()
    assert common(words(a[:1000]), words(complement(a))) == 980
    assert common(words(sequence(2)), words(a)) == 0
    assert len(words("ACGT" * 5 + "N" + "ACGT" * 5)) == 0 == len(words("ACG"))


def test_groups_join_relatives_and_accessions(recipe):
    r = recipe["relatives"]
    a, b = sequence(1), sequence(2)
    fragments = {
        "A#1": ("A", a),
        "A#2": ("A", b),  # nothing shared with A#1, but the same accession
        "B#1": ("B", sequence(3)[:2950] + complement(b[:50])),  # 30 words of A#2, on the other strand
        "C#1": ("C", sequence(4)[:2951] + a[:49]),  # 29 words of A#1: one too few
        "D#1": ("D", sequence(5)[:1000] + sequence(3)[:1000]),  # of B, so of A
    }
    fragments = {n: (accession, r.words(s)) for n, (accession, s) in fragments.items()}
    assert r.groups(fragments) == {"A#1": "A", "A#2": "A", "B#1": "A", "C#1": "C", "D#1": "A"}
    assert r.near(fragments, [a]) == {"A#1"}
    assert r.near(fragments, [complement(b), "ACGT"]) == {"A#2", "B#1"}


def test_esm2_follows_from_its_seed(recipe, root, tmp_path):
    recipe["encoders"].write_encoder(tmp_path, "esm2", [])
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / file).read_bytes() == (root / "assets/demo_models/encoders/demo_esm2" / file).read_bytes()


def test_dnabert_s_follows_from_sequences_and_seed(recipe, tmp_path):
    for name in ("a", "b"):
        recipe["encoders"].write_encoder(tmp_path / name, "dnabert_s", [sequence(i, 6000) for i in range(30)])
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_example_follows_from_debians_files(recipe, root, tmp_path):
    example = recipe["example"]
    if not (example.LAMBDA.is_file() and example.ECOLI.is_file()):
        pytest.skip("Debian's packages bowtie2-examples and bowtie-examples are not installed")
    script = root / "assets/make_demo/make_demo.py"
    subprocess.run([sys.executable, script, "--only_example", "--example", tmp_path], check=True)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (root / "assets/example" / path.name).read_bytes(), path.name
