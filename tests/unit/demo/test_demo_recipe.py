"""The recipe of the demo: what can be rebuilt without the training data is rebuilt byte for byte."""

import random
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def recipe(root):
    """The recipe's modules."""
    sys.path.insert(0, str(root / "maintenance/make_demo"))
    try:
        import encoders
        import example
    finally:
        sys.path.pop(0)
    return {"encoders": encoders, "example": example}


def sequence(seed: int, length: int = 3000) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


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
    script = root / "maintenance/make_demo/make_demo.py"
    subprocess.run([sys.executable, script, "--only_example", "--example", tmp_path], check=True)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (root / "assets/example" / path.name).read_bytes(), path.name
