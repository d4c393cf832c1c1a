"""Ids of sequences: unique in a sample, and none that a format reserves."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro.calling.ids import LONGEST, OwnIds


def of(*ids: str) -> list[str]:
    given = pl.Series(ids, dtype=pl.String)
    return OwnIds(lambda: [given]).of(given, 0).to_list()


def test_unique_ids_stay_as_they_are():
    ids = ["NODE_1_length_5000", "k141_7|flag=1", 'odd"quote', "7", "é", "sequence#2", "my_track"]
    assert of(*ids) == ids
    assert of() == []


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (["contig_1", "c", "contig_1"], ["s1_contig_1", "c", "s3_contig_1"]),
        (["a", ""], ["a", "s2"]),
        (["#ctg2", "track_7", "browser1", ">>x"], ["s1_#ctg2", "s2_track_7", "s3_browser1", "s4_>>x"]),
        (["a\x00b", "c\x1b[31m", "d\x85e", "f\u2028g"], ["a_b", "c_[31m", "d_e", "f_g"]),
        (["a\x00", "a\x1b"], ["s1_a_", "s2_a_"]),
    ],
    ids=["equal", "empty", "reserved", "control characters", "equal without them"],
)
def test_others_get_their_number(given, own):
    assert of(*given) == own


def test_a_made_id_may_be_anothers():
    assert of("a", "a", "s1_a") == ["s1_a", "s2_a", "s3_s1_a"]


def test_a_very_long_id_is_cut():
    (own,) = of("x" * 5_000_000)
    assert own == "s1_" + "x" * LONGEST


@given(st.lists(st.sampled_from(["a", "s1_a", "s2_a", "s2_s1_a", "s3_s2_s1_a", "", "s1", "#", "s4_#", "_", "s5__"])))
def test_no_two_are_the_same(ids):
    own = of(*ids)
    assert len(set(own)) == len(own) == len(ids)
    assert not any(name == "" or name.startswith(("#", "track", "browser", ">")) for name in own)
    for number, (name, old) in enumerate(zip(own, ids, strict=True), 1):
        assert name in (old, f"s{number}_{old}" if old else f"s{number}")
