"""A phage put into its host at a known place is one region there, with the model in the box."""

import gzip
import sys

import polars as pl
import pytest

from virnucpro.bundle.classifier import read_classifier


def sequences(path):
    text = gzip.decompress(path.read_bytes()).decode()
    return ["".join(record.split("\n")[1:]) for record in text.split(">")[1:]]


@pytest.fixture(scope="module")
def regions(root, tmp_path_factory):
    """regions.tsv of the example's first 65 kb of E. coli 536, with phage lambda between its first two contigs; where
    lambda begins, and its length."""
    work = tmp_path_factory.mktemp("provirus")
    first, second, *_ = sequences(root / "assets/example/ecoli.fa.gz")
    (phage,) = sequences(root / "assets/example/lambda.fa.gz")
    (work / "in.fa").write_text(f">host\n{first}{phage}{second}\n", encoding="utf-8")
    models = root / "assets/compact_models"
    sys.path.insert(0, str(root / "maintenance"))
    try:
        from by_scripts import called
    finally:
        sys.path.pop(0)
    called(work / "in.fa", models, [read_classifier(models / "classifiers/compact_500")], work)
    (table,) = (work / "out").rglob("regions.tsv")
    return pl.read_csv(table, separator="\t"), len(first), len(phage)


def test_lambda_in_e_coli_is_one_region_with_its_ends_within_two_kilobases(regions):
    found, place, length = regions
    (row,) = found.filter((pl.col("start") < place + length) & (pl.col("end") > place)).iter_rows(named=True)
    assert abs(row["start"] - 1 - place) <= 2000 and abs(row["end"] - place - length) <= 2000
    assert found.height <= 2, "the host beside it"
