"""--workflow train: from a labelled samplesheet to a classifier that predict takes, and a page on its worth."""

import json
import os
import signal
import subprocess
import time

import polars as pl
import pytest
import yaml
from labelled_samples import PIECES, write_labelled

pytestmark = pytest.mark.nextflow
QUICK = ("--workflow", "train", "--input", "s.csv", "--epochs", 3, "--use_gpu", "false")


@pytest.fixture(scope="module")
def run(nextflow, root, tmp_path_factory):
    """Both encoders of the demo, and each alone; a split by frame beside."""
    folder = write_labelled(tmp_path_factory.mktemp("train"))
    done = nextflow(
        folder, *QUICK, "--models", root / "assets/demo_models", "--classifier", "mine", "--compare_split_by_frame"
    )
    assert done.code == 0, done.text
    return done


def test_a_classifier_with_its_card(run):
    card = yaml.safe_load((run.results / "mine/classifier.yml").read_text(encoding="utf-8"))
    assert card["name"] == "mine" and [e["kind"] for e in card["encoders"]] == ["dnabert_s", "esm2"]
    sides = card["training"]
    assert sum(sides[side]["sequences_virus"] for side in ("train", "validation", "test")) == PIECES["lambda"]
    assert 5 < sides["frames_outside_annotated_proteins"] < 70, "half of the frames of phages, those read backwards"
    assert card["calibration"]["unit"] > 0 and "500 bases" in card["evaluation"]["by_size"]
    assert card["evaluation"]["split_by_frame_would_say"]["by_genome"] == card["training"]["frames"]["test"]["auroc"]


def test_baselines_and_each_encoder_are_judged_on_the_same_sequences(run):
    figures = pl.read_csv(run.results / "evaluation/figures.tsv", separator="\t")
    whole = figures.filter((pl.col("level") == "sequence") & (pl.col("part") == "all") & (pl.col("size") == 0))
    callers = set(whole["caller"].to_list())
    assert {"mine", "dnabert_s alone", "esm2 alone"} < callers and sum("4-mer" in name for name in callers) == 2
    assert whole.select("viruses", "others", "genomes").n_unique() == 1
    scores = pl.read_csv(run.results / "evaluation/test_scores.tsv", separator="\t")
    assert callers < set(scores.columns) and scores.filter(pl.col("size") == 0).height == whole["genomes"][0]


def test_it_says_plainly_that_it_does_not_beat_a_k_mer_model(run):
    assert "NOTE: mine" in run.text and "4-mer" in run.text
    page = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    assert "Not better than a k-mer baseline everywhere." in page and "flatters by" in page


def test_a_genome_stands_on_one_side(run):
    scores = pl.read_csv(run.results / "evaluation/test_scores.tsv", separator="\t")
    found = json.loads((run.results / "pipeline_info/evaluation.json").read_text(encoding="utf-8"))
    genomes = {side: counts["genomes"] for side, counts in found["split"].items()}
    assert (
        sum(genomes.values()) == sum(PIECES.values())
        and scores["family"].n_unique() == found["split"]["test"]["families"]
    )


def test_a_killed_run_embeds_nothing_twice(nextflow, root, tmp_path):
    """kill -9 while the classifier is trained; then -resume, with another seed even, takes the embeddings there are."""
    write_labelled(tmp_path)
    command = ["nextflow", "run", root, "-ansi-log", "false", *QUICK]
    with (tmp_path / "first.log").open("wb") as log:
        launcher = subprocess.Popen(
            list(map(str, command)),
            cwd=tmp_path,
            env=nextflow.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        while (
            "TRAIN_CLASSIFIER" not in (tmp_path / "first.log").read_text(encoding="utf-8") and launcher.poll() is None
        ):
            time.sleep(0.2)
        time.sleep(1)  # what has ended is written down
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
    again = nextflow(tmp_path, *QUICK, "--seed", 2, "--classifier", "other", "-resume")
    assert again.code == 0, again.text
    assert not [name for name in again.submitted() if "EMBED" in name or "FRAMES" in name]
    assert (again.results / "other/classifier.yml").is_file()


def test_predict_takes_it(nextflow, run, root, tmp_path):
    (tmp_path / "in.fa").write_text(
        "".join((run.folder / "lambda.fa").read_text(encoding="utf-8").splitlines(keepends=True)[:10]), encoding="utf-8"
    )
    done = nextflow(
        tmp_path, "--input", "in.fa", "--models", root / "assets/demo_models", "--classifier", run.results / "mine"
    )
    assert done.code == 0, done.text
    found = pl.read_csv(tmp_path / "results/in/sequences.tsv", separator="\t")
    assert found["virus_probability"].is_between(0, 1).all()


def test_a_sheet_without_labels_ends_the_run(nextflow, tmp_path):
    write_labelled(tmp_path)
    (tmp_path / "s.csv").write_text("sample,fasta\na,lambda.fa\n", encoding="utf-8")
    done = nextflow(tmp_path, *QUICK)
    assert done.code != 0 and "sample,fasta,label is needed" in done.text and not done.submitted()


def test_sheets_that_cannot_be_used(read_inputs, tmp_path):
    write_labelled(tmp_path)
    (tmp_path / "annotation.csv").write_text(
        "sample,fasta,label,annotation\na,lambda.fa,virus,no.gb\nb,ecoli.fa,other,\n", encoding="utf-8"
    )
    (tmp_path / "labels.csv").write_text(
        "sample,fasta,label,split\na,lambda.fa,phage,\nb,ecoli.fa,virus,some\n", encoding="utf-8"
    )
    found = read_inputs(tmp_path, ["annotation.csv", "labels.csv", "s.csv"], "train")
    annotation, labels, whole = (told["fault"] for told in found)
    assert "no such file: no.gb" in annotation and whole == ""
    for words in ("the label 'phage' cannot", "the split 'some' cannot", "no row has the label other"):
        assert words in labels
