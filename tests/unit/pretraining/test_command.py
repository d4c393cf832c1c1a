"""The whole command on a small corpus: every stage, a bundle that the pipeline reads, and nothing done twice."""

import gzip
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[3]
CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]


def genes(rng, weight, number: int, start: str = "ATG") -> list[str]:
    return [start + "".join(rng.choice(CODONS, 140, p=weight)) + "TAA" for _ in range(number)]


@pytest.fixture
def corpus(tmp_path):
    """Viruses and hosts that differ in their codons, as markers and as judging fragments."""
    rng = np.random.default_rng(9)
    viral, host = rng.dirichlet(np.ones(len(CODONS)), 2)
    records, number = {}, 0
    for genome in range(12):
        number += 100
        for gene in genes(rng, viral, 8, "GTG" if genome < 6 else "ATG"):
            number += 1
            records[f"GeneID:{number}"] = gene
    for genome in range(12):
        records |= {f"gi|1|ref|NC_{genome:06}.1|:{i}-9": g for i, g in enumerate(genes(rng, host, 8))}
    records |= {f"gi|1|ref|XM_{genome:06}.1|:1-9": genes(rng, host, 1)[0] for genome in range(12)}
    markers = tmp_path / "packages/var/lib/metaphlan2-data/markers.fasta"
    markers.parent.mkdir(parents=True)
    judging = tmp_path / "judging/deepvirfinder_train"
    judging.mkdir(parents=True)
    known = genes(rng, host, 1)[0]
    records["gi|1|ref|NC_900000.1|:1-9"] = known
    markers.write_text("".join(f">{n}\n{s}\n" for n, s in records.items()), encoding="utf-8")
    for file, weight in (("virus_tr.fa.gz", viral), ("host_tr.fa.gz", host)):
        fragments = ["".join(genes(rng, weight, 8))[:3000] for _ in range(12)]
        if weight is host:
            fragments[0] = fragments[0][:1000] + known[:200] + fragments[0][1200:]
        text = "".join(f">{file[0]}{i}#3k#1#3000\n{s}\n" for i, s in enumerate(fragments))
        (judging / file).write_bytes(gzip.compress(text.encode()))
    nothing(rng, tmp_path / "packages")
    return tmp_path


def nothing(rng, packages) -> None:
    """DNA without genes: files as the other packages have them, and one species' model."""
    from pretraining.noncoding import _MODELS, CHOOSE, LEARNT, REPORT

    for file in {piece.file for piece in (*LEARNT, *CHOOSE, *REPORT)}:
        path = packages / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (">chr\n" + "".join(rng.choice(list("ACGT"), 6000)) + "\n").encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    rows = "".join(f"{a}{b}{c}{d}{e}\t0.001\n" for a, b, c, d, e in product("ACGT", repeat=5))
    for species in ("tomato", "human"):
        path = packages / _MODELS / species / f"{species}_igenic_probs.pbl"
        path.parent.mkdir(parents=True)
        path.write_text(f"[1]\n# k\n[P_ls]\n{rows}[EMISSION]\n{rows}", encoding="utf-8")


@pytest.fixture
def small(monkeypatch):
    from pretraining import noncoding, recipe, stages, tables
    from pretraining.network import Recipe

    monkeypatch.setattr(stages, "DRAWN", dict.fromkeys(range(4), 600))
    monkeypatch.setattr(stages, "NONCODING_TIMES", 0.01)
    for pieces in ("CHOOSE", "REPORT"):  # what these files have is shorter
        whole = tuple(replace(p, first=0, last=None) for p in getattr(noncoding, pieces))
        monkeypatch.setattr(noncoding, pieces, whole)
    monkeypatch.setattr(recipe, "RECIPE", Recipe(batch=128, share=1.0))
    for name in ("five", "spaced", "six"):
        monkeypatch.delitem(tables.WORDS, name)


def test_from_the_package_to_the_bundle(corpus, small, monkeypatch, capsys):
    from pretraining import recipe
    from pretraining.__main__ import main
    from virnucpro.bundle.classifier import read_classifier

    arguments = {name: corpus / name for name in ("packages", "work", "bundle", "judging")}
    monkeypatch.setattr(sys, "argv", ["pretraining", *(str(x) for n, p in arguments.items() for x in (f"--{n}", p))])
    main()
    left_out = (corpus / "work/left_out.tsv").read_text(encoding="utf-8")
    assert "NC_900000.1|:1-9\tprokaryote\tshares a 31-mer" in left_out
    found = json.loads((corpus / "work/figures.json").read_text(encoding="utf-8"))
    assert found["500"]["choose"]["3000"]["auroc"] > 0.9 and "report" not in found["500"]
    assert found["500"]["screened"]["0.99"]["3000"]["viruses_kept"] >= 0.8  # of seven
    assert set(found["500"]["called_virus"]) == {"human", "fly"}
    for name in ("compact_500", "compact_300"):
        card = read_classifier(corpus / "bundle/classifiers" / name)
        assert card.chunk_length == int(name[-3:]) and card.calibration and card.coding
    script = [sys.executable, ROOT / "bin/check_models.py", "--models", corpus / "bundle", "--full"]
    checked = subprocess.run(script, capture_output=True, encoding="utf-8")
    assert checked.returncode == 0, checked.stderr
    weights = (corpus / "bundle/encoders/compact/model.safetensors").read_bytes()
    monkeypatch.setattr(recipe, "train_member", None)  # all is there
    main()
    assert (corpus / "bundle/encoders/compact/model.safetensors").read_bytes() == weights


def test_what_is_absent_is_named(corpus, monkeypatch, capsys):
    from pretraining.__main__ import main

    for name, text in (("packages", "apt-get download metaphlan2-data"), ("judging", "no part of this project")):
        paths = {n: corpus / n for n in ("packages", "work", "bundle", "judging")} | {name: Path("absent")}
        monkeypatch.setattr(sys, "argv", ["pretraining", *(str(x) for n, p in paths.items() for x in (f"--{n}", p))])
        with pytest.raises(SystemExit):
            main()
        assert text in capsys.readouterr().err
    shutil.rmtree(corpus / "packages/usr/share/augustus")
    arguments = [str(x) for n in ("packages", "work", "bundle", "judging") for x in (f"--{n}", corpus / n)]
    monkeypatch.setattr(sys, "argv", ["pretraining", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert "apt-get download augustus-data" in capsys.readouterr().err


def test_made_dna_follows_its_model_and_species_that_judge_have_none(corpus):
    from pretraining.noncoding import made, models

    assert set(models(corpus / "packages")) == {"tomato"}
    model = np.full((1, 256, 4), 1e-4)
    model[0, :, 2] = 1.0  # after whatever, G
    found = made(model, 200, 300, np.random.default_rng(1))
    assert (found == 2).mean() > 0.99
    model = np.zeros((2, 256, 4))
    for four, base in product(range(256), range(4)):  # after A only C, after C only A, after others either; or G, T
        model[0, four, base] = (four % 4, base) in ((0, 1), (1, 0)) or (four % 4 > 1 and base < 2)
        model[1, four, base] = base > 1
    found = made(model, 400, 300, np.random.default_rng(2))[:, 5:]
    by = (found < 2).all(axis=1)
    assert 0.4 < by.mean() < 0.6 and (found[~by] > 1).all()
    assert (found[by][:, 1:] != found[by][:, :-1]).all()
