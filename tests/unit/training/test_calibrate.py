"""From a trained classifier to a calibrated one with its card: pieces as CLASSIFY calls them, and what is measured."""

import json
import random
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import yaml
from training_samples import listed_models, split_table, training_order, with_digests, write_models, write_sample

from virnucpro.bundle.classifier import read_classifier
from virnucpro.calling.calibration import read_calibration
from virnucpro.calling.calls import call_chunks, call_sequences
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.sample import read_sample
from virnucpro.calling.scoring import score
from virnucpro.errors import InputError
from virnucpro.evaluation.baselines import NAMES
from virnucpro.training.calibrate import CalibrationOrder, run_calibration
from virnucpro.training.pieces import judged_pieces
from virnucpro.training.task import run_training

KINDS = ["dnabert_s", "esm2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two samples of 120 sequences; a classifier of both encoders, one of each alone, one split by frame."""
    folder = tmp_path_factory.mktemp("trained")
    models = write_models(folder / "models")
    for name, value, seed in (("phages", 2.0, 1), ("bacteria", 0.0, 2)):
        ids = [f"{name}_{i // 2}|{i}" for i in range(120)]
        write_sample(folder, models, name, ids, np.full((120, 1), value), seed)
        drawn = random.Random(seed)
        fasta = (f">{i}\n{''.join(drawn.choices('ACGT', k=800))}\n" for i in ids)
        (folder / f"{name}.fa").write_text("".join(fasta), encoding="utf-8")
        with_digests(folder, name)
    listed_models(models, folder / "models.json")
    split_table(folder, {"phages": "virus", "bacteria": "other"}, lambda r: r.split("|")[0], test=0.3)
    run_training(training_order(folder, "all", recipe="ensemble"))
    for kind in KINDS:
        run_training(training_order(folder, kind, recipe="ensemble", kinds=(kind,)))
    run_training(training_order(folder, "by_frame", recipe="ensemble", by_frame=True))
    return folder


def calibrate(folder, out="out", **changes) -> dict:
    names = ("all", *KINDS)
    same = {"classifiers": [folder / n for n in names], "by_frame": folder / "by_frame/training.json"}
    same |= {"split": folder / "split.parquet", "tables": folder / "tables", "embeddings": folder / "embeddings"}
    same |= {"fasta": [folder / "phages.fa", folder / "bacteria.fa"], "texts": None, "how": "by genome", "seed": 1}
    return run_calibration(CalibrationOrder(**same | {"out": folder / out} | changes))


@pytest.fixture(scope="module")
def found(trained):
    (trained / "texts.yml").write_text("title: Mine\ndata: made up\nlicence: MIT\n", encoding="utf-8")
    return calibrate(trained, texts=trained / "texts.yml")


def test_whole_sequences_and_chunks_are_scored_as_classify_does(trained):
    split = pl.read_parquet(trained / "split.parquet")
    pieces, frames = judged_pieces(trained / "all", split, trained / "tables", trained / "embeddings")
    card = read_classifier(trained / "all")
    for name in ("phages", "bacteria"):
        sample = read_sample(name, trained / "tables")
        scores = score(sample, trained / "embeddings", [Mlp(trained / "all")], KINDS)
        chunks = call_chunks(sample, scores, card.rule)
        expected = call_sequences(sample, chunks, 0.5, card.rule)
        mine = pieces.filter((pl.col("sample") == name) & (pl.col("size") == 0))
        judged = split.filter((pl.col("sample") == name) & (pl.col("side") != "train"))
        assert mine["sequence"].to_list() == judged["sequence"].to_list(), "those that trained say nothing"
        both = mine.join(expected, on="sequence", suffix="_expected")
        assert both["virus_score"].to_list() == pytest.approx(both["virus_score_expected"].to_list())
        of_two = pieces.filter((pl.col("sample") == name) & (pl.col("size") == 1000))
        assert of_two["virus_score"].to_list() == mine["virus_score"].to_list(), "two chunks are the whole sequence"
        one = pieces.filter((pl.col("sample") == name) & (pl.col("size") == 500))
        per_chunk = chunks.filter(pl.col("sequence").is_in(judged["sequence"].implode()))
        assert one["virus_score"].to_list() == pytest.approx(per_chunk["virus_score"].to_list())
        assert one.select("start", "end").rows() == per_chunk.select("start", "end").rows()
    assert frames.height == 3 * split.filter(pl.col("side") != "train").height


def test_the_card(trained, found):
    card = yaml.safe_load((trained / "out/mine/classifier.yml").read_text(encoding="utf-8"))
    assert (card["title"], card["licence"], card["training"]["data"]) == ("Mine", "MIT", "made up")
    assert "data" not in card
    assert read_calibration(card["calibration"]) is not None
    assert card["training"]["test"]["genomes"] == 36
    by_size = card["evaluation"]["by_size"]
    assert list(by_size) == ["whole sequences", "500 bases", "1000 bases"]
    assert by_size["whole sequences"]["auroc"] > 0.9 > by_size["whole sequences"]["baseline_auroc"]
    assert card["evaluation"]["split_by_frame_would_say"].keys() == {"by_frame", "by_genome", "difference"}
    assert read_classifier(trained / "out/mine").calibration


def test_scores_are_centred_and_are_those_of_the_finished_classifier(trained, found):
    """0.5 is as likely a virus as not; what was measured is what the weights that were written give."""
    split = pl.read_parquet(trained / "split.parquet")
    pieces, _ = judged_pieces(trained / "out/mine", split, trained / "tables", trained / "embeddings")
    told = pl.read_csv(trained / "out/test_scores.tsv", separator="\t")
    mine = pieces.filter(pl.col("side") == "test")
    assert mine["virus_score"].to_list() == pytest.approx(told["mine"].to_list(), abs=1e-5)
    of_validation = pieces.filter((pl.col("side") == "validation") & (pl.col("size") > 0))
    called = of_validation["virus_score"] >= 0.5
    viral = of_validation["label"] == 1
    wrong = [(called & ~viral).sum(), (~called & viral).sum()]
    assert max(wrong) <= min(wrong) + 4, "neither kind of error prevails"


def test_callers_stand_side_by_side_on_the_same_sequences(trained, found):
    assert found["callers"] == ["mine", "dnabert_s alone", "esm2 alone", *NAMES.values()]
    counted = {(r["viruses"], r["others"]) for r in found["figures"] if r["size"] == 500 and r["part"] == "all"}
    assert len(counted) == 1
    scores = pl.read_csv(trained / "out/test_scores.tsv", separator="\t")
    assert set(found["callers"]) < set(scores.columns)
    mine = [
        r
        for r in found["figures"]
        if (r["caller"], r["size"], r["part"], r["level"]) == ("mine", 500, "all", "sequence")
    ]
    assert scores.filter(pl.col("size") == 500).height == mine[0]["viruses"] + mine[0]["others"]


def test_what_does_not_beat_the_baseline_is_told(found):
    verdicts = {(v["caller"], v["size"]): v for v in found["verdicts"]}
    assert verdicts["mine", 0]["good"]
    assert not verdicts["esm2 alone", 0]["good"], "its embeddings are noise"
    assert "does not beat" in verdicts["esm2 alone", 0]["text"]


def test_equal_input_gives_equal_bytes(root, trained, found):
    command = [sys.executable, root / "bin/calibrate_classifier.py", "--how", "by genome", "--out", trained / "again"]
    command += ["--classifier", *(trained / n for n in ("all", *KINDS))]
    command += ["--by_frame", trained / "by_frame/training.json", "--texts", trained / "texts.yml"]
    command += ["--fasta", trained / "phages.fa", trained / "bacteria.fa"]
    for name, path in (("split", "split.parquet"), ("tables", "tables"), ("embeddings", "embeddings")):
        command += [f"--{name}", trained / path]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "mine beats the" in done.stdout
    for file in ("mine/classifier.yml", "mine/model.safetensors", "evaluation.json", "test_scores.tsv"):
        assert (trained / "out" / file).read_bytes() == (trained / "again" / file).read_bytes(), file


def test_json_is_json(found):
    json.dumps(found, allow_nan=False)


def test_texts_that_cannot_be(trained):
    (trained / "wrong.yml").write_text("titel: Mine\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"wrong.yml: may hold title, purpose"):
        calibrate(trained, "wrong", texts=trained / "wrong.yml")
