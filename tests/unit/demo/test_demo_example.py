"""The example through the demo bundle: mostly right, as docs/demo_model.md and assets/example/README.md say."""

import csv
import subprocess
import sys

import pytest

from virnucpro.calling.calls import call_chunks, call_sequences
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.sample import read_sample
from virnucpro.calling.scoring import score
from virnucpro.frames.extract import extract


@pytest.fixture(scope="module")
def called(root, tmp_path_factory):
    """(id, length, virus_score, state) of each sequence of the example."""
    work = tmp_path_factory.mktemp("example")
    models = root / "assets/demo_models"
    files = {}
    for row in csv.DictReader((root / "assets/example/samples.csv").open(encoding="utf-8")):
        files.setdefault(row["sample"], []).append(root / "assets/example" / row["fasta"])
    for sample, fasta in files.items():
        extract(sample, fasta, work / "tables", chunk_length=500)
    (work / "shards").mkdir()
    for shard in (work / "tables").glob("*.shard_*.parquet"):
        shard.rename(work / "shards" / shard.name)
    for kind in ("dnabert_s", "esm2"):
        command = [sys.executable, root / "bin/embed.py", "--kind", kind, "--shards", work / "shards", "--task", kind]
        command += ["--encoder", models / f"encoders/demo_{kind}", "--out", work / "embeddings"]
        subprocess.run([*command, "--device", "cpu", "--precision", "fp32", "--threads", "1"], check=True)
    rows = []
    for name in files:
        sample = read_sample(name, work / "tables")
        scores = score(sample, work / "embeddings", [Mlp(models / "classifiers/demo_500")], ["dnabert_s", "esm2"])
        table = call_sequences(sample, call_chunks(sample, scores), 0.5)
        rows += table.select("id", "length", "virus_score", "state").rows()
    return rows


def viral(name: str) -> bool:
    return name.startswith(("NC_001416", "phage"))


def test_example_is_mostly_right(called):
    assert len(called) == 22
    right = [(state == "virus") == viral(name) for name, _, _, state in called]
    assert sum(right) >= 19, [row for row, r in zip(called, right, strict=True) if not r]
    assert all(r for row, r in zip(called, right, strict=True) if row[1] >= 10_000)


def test_lambda_stands_clear_of_the_host(called):
    """Whatever the threshold, the phage's long sequences score above the host's."""
    phage = [s for name, length, s, _ in called if viral(name) and length >= 10_000]
    host = [s for name, length, s, _ in called if not viral(name) and length >= 10_000]
    assert len(phage) == 3 and len(host) == 7
    assert min(phage) > max(host)
