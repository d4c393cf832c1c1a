"""Screening: what a small model leaves out, and that nothing is lost by it."""

import gzip
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from Bio import SeqIO

from virnucpro.bundle.classifier import read_classifier
from virnucpro.errors import ModelError, UsageError
from virnucpro.frames.extract import extract
from virnucpro.frames.fasta import read_fasta
from virnucpro.frames.screened import Screened
from virnucpro.screening.screen import Screen, Thresholds, screen


@pytest.fixture(scope="module")
def compact(root):
    models = root / "assets/compact_models"
    return models / "classifiers/compact_500", models / "encoders/compact"


@pytest.fixture
def pieces(root, tmp_path):
    """3 kb pieces of E. coli and of phage lambda, a scrap, a record without a sequence."""
    path = tmp_path / "pieces.fa"
    with path.open("w", encoding="utf-8") as out:
        for name in ("ecoli", "lambda"):
            with gzip.open(root / f"assets/example/{name}.fa.gz", "rt", encoding="utf-8") as text:
                genome = str(next(SeqIO.parse(text, "fasta")).seq)
            for i in range(0, 30_000, 3000):
                out.write(f">{name}_{i}\n{genome[i : i + 3000]}\n")
        out.write(">scrap\nACGTACGTAC\n>nothing\n")
    return path


def test_thresholds_by_length():
    limit = Thresholds({0.99: {1000: 0.1, 500: 0.02}, 0.9: {500: 0.3}}, 0.99)
    assert limit(np.array([10, 499, 500, 999, 1000, 10**6])).tolist() == [0, 0, 0.02, 0.02, 0.1, 0.1]
    with pytest.raises(UsageError, match=r"0\.95: the card of x has thresholds for 0\.9, 0\.99"):
        Thresholds({0.99: {500: 0.1}, "0.9": {500: 0.3}}, 0.95, "x")


def test_the_cards_thresholds_rise_with_length_and_fall_with_sensitivity(compact):
    card = read_classifier(compact[0]).screening
    assert sorted(card) == [0.9, 0.95, 0.98, 0.99, 0.995]
    for low, high in zip(sorted(card), sorted(card)[1:], strict=False):
        assert all(card[low][size] >= card[high][size] for size in card[low])


def test_probabilities_are_those_of_a_run(root, compact, pieces, tmp_path):
    """Extraction, embedding and calling of the same records give the same, at as many viruses as others."""
    tables = tmp_path / "tables"
    card = read_classifier(compact[0])
    extract("s", [pieces], tables, chunk_length=500, read=card.frames, min_stretch=card.min_stretch)
    (tmp_path / "shards").mkdir()
    for shard in tables.glob("*.shard_*"):
        shutil.move(shard, tmp_path / "shards")
    embed = ["embed.py", "--kind", "composition", "--task", "t", "--shards", "shards", "--out", "e", "--encoder"]
    classify = [
        "classify.py",
        "--tables",
        "tables",
        "--embeddings",
        "e",
        "--prevalence",
        "0.5",
        "--out",
        "results",
        "--sample",
        "s",
    ]
    for name, *arguments in ([*embed, compact[1]], [*classify, pieces, "--classifier", compact[0]]):
        subprocess.run([sys.executable, root / "bin" / name, *arguments], cwd=tmp_path, check=True)
    calls = pl.read_csv(tmp_path / "results/s/sequences.tsv", separator="\t")
    table = screen([pieces], *compact, 0.99)
    ours, theirs = table["probability"].to_numpy(), calls["virus_probability"].to_numpy()
    scored = ~np.isnan(ours)
    assert (scored == ~np.isnan(theirs)).all() and scored.sum() == 21
    np.testing.assert_allclose(ours[scored], theirs[scored], atol=2e-6)


def test_hosts_are_left_out_and_viruses_are_not(compact, pieces):
    table = pl.from_arrow(screen([pieces], *compact, 0.98)).with_columns(
        id=pl.Series([r.id for r in read_fasta(pieces)])
    )
    out = table.filter("left_out")["id"].to_list()
    hosts = [name for name in out if name.startswith("ecoli")]
    assert len(hosts) >= 7 and len(out) - len(hosts) <= 3, out  # lambda has genes like its host's


def test_what_is_left_out_is_accounted_for(compact, pieces, tmp_path):
    pq.write_table(screen([pieces], *compact, 0.95), tmp_path / "screened.parquet")
    whole = extract("s", [pieces], tmp_path / "whole", chunk_length=500)
    manifest = extract(
        "s", [pieces], tmp_path / "part", chunk_length=500, screened=Screened(tmp_path / "screened.parquet")
    )
    sequences = pl.read_parquet(tmp_path / "part/s.sequences.parquet")
    out = sequences.filter(pl.col("state") == "screened")
    assert out.height >= 7 and (out["chunks"] == 0).all() and out["reason"].str.contains("compact_500").all()
    assert manifest["sequences"] == whole["sequences"] and manifest["frames"] < whole["frames"]
    assert sequences.filter(pl.col("id") == "nothing")["state"].item() == "failed"


def test_another_file_than_was_screened(compact, pieces, tmp_path):
    pq.write_table(screen([pieces], *compact, 0.95), tmp_path / "screened.parquet")
    other = tmp_path / "other.fa"
    other.write_text(pieces.read_text(encoding="utf-8").replace("scrap\n", "scrap\nA"), encoding="utf-8")
    manifest = extract("s", [other], tmp_path / "t", chunk_length=500, screened=Screened(tmp_path / "screened.parquet"))
    assert manifest["state"] == "failed" and "has changed since it was screened" in manifest["reason"]


def test_a_damaged_file_leaves_nothing_out(compact, tmp_path):
    path = tmp_path / "cut.fa.gz"
    path.write_bytes(gzip.compress(b">a\n" + b"ACGT" * 9000)[:-20])
    table = screen([path], *compact, 0.99)
    assert table.num_rows == 0
    pq.write_table(table, tmp_path / "screened.parquet")
    assert Screened(tmp_path / "screened.parquet").verdicts(np.array([5, 6])) == ["", ""]


def test_a_model_that_cannot_screen(root):
    demo = root / "assets/demo_models"
    with pytest.raises(ModelError, match="cannot screen"):
        Screen(demo / "classifiers/demo_500", demo / "encoders/demo_esm2")
