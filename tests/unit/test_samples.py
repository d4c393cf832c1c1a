"""The samples of one task on its command line."""

import argparse
from pathlib import Path

import pytest

from virnucpro.samples import Files, add_samples


@pytest.fixture
def parser():
    p = argparse.ArgumentParser()
    add_samples(p)
    return p


def test_samples_keep_their_order_and_files(parser):
    given = ["--sample", "lake", "b.fa", "a b.fa.gz", "--sample", "gut", "b.fa"]
    assert parser.parse_args(given).samples == [
        Files("lake", [Path("b.fa"), Path("a b.fa.gz")]),
        Files("gut", [Path("b.fa")]),
    ]


@pytest.mark.parametrize("given", [[], ["--sample", "gut"], ["--sample", "lake", "a.fa", "--sample", "gut"]])
def test_a_sample_without_files_is_a_wrong_command_line(parser, given, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(given)
    assert "--sample" in capsys.readouterr().err
