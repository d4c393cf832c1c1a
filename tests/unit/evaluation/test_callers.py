"""Tables of other callers, in the columns that they write."""

import math
from itertools import pairwise

import polars as pl
import pytest
from caller_tables import SEQUENCES, WRITERS, scores, write_tables

from virnucpro.errors import InputError
from virnucpro.evaluation.callers import ANSWERS, read_answers


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"))


def read(tables, name):
    form, answers = read_answers(tables[name])
    assert form.name == name and answers.schema == ANSWERS
    return {row["id"]: row for row in answers.iter_rows(named=True)}, scores(list(WRITERS).index(name), 0.4)


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("geNomad, virus_summary", "VirSorter2", "Jaeger")])
def test_ids_scores_and_calls_are_the_callers_own(tables, name):
    found, truth = read(tables, name)
    assert set(found) == set(SEQUENCES)
    answered = {n: row for n, row in found.items() if row["score"] is not None and row["evidence"] != "screened"}
    assert len(answered) >= 78
    order = sorted(answered, key=truth.get)
    ranked = [answered[n]["score"] for n in order]
    assert all(a <= b + 0.006 for a, b in pairwise(ranked)), "ranked as the caller ranks"
    for row in answered.values():
        assert row["called"] == (row["score"] >= 0.5) or abs(row["score"] - 0.5) < (
            0.06 if "geNomad" in name else 0.006
        )


def test_what_a_run_of_ours_has_no_score_for(tables):
    found, _ = read(tables, "nf-virnucpro")
    assert found["virus_0"]["score"] is None and not found["virus_0"]["called"]
    assert found["host_5"]["score"] == 0 and found["host_5"]["evidence"] == "screened" and not found["host_5"]["called"]
    assert found["virus_1"]["evidence"] == "open_frames" and found["virus_1"]["length"] == 800


def test_genomads_summary_lists_viruses_and_proviruses(tables):
    form, answers = read_answers(tables["geNomad, virus_summary"])
    assert form.lists_viruses and answers["called"].all() and answers["id"].is_unique().all()
    assert answers.filter(pl.col("id") == "host_3")["score"].to_list() == [0.9], "the better of two proviruses"


def test_jaegers_margin_between_its_classes(tables):
    found, truth = read(tables, "Jaeger")
    assert set(SEQUENCES) - set(found) == {"virus_1", "virus_2"}
    margin = 4 * truth["virus_7"] - 2 - max(2 - 4 * truth["virus_7"], -3.1)
    assert found["virus_7"]["score"] == pytest.approx(1 / (1 + math.exp(-margin)), abs=1e-3)


def test_jaegers_later_columns(tmp_path):
    head = "contig_id\tlength\tprediction\tentropy\treliability_score\tphage_score\tvirus_score\tbacteria_score\n"
    (tmp_path / "j.tsv").write_text(
        head + "a\t900\tvirus\t.1\t.9\t0.1\t2.5\t0.5\nb\t900\tbacteria\t.1\t.9\t0.1\t0.2\t3\n", encoding="utf-8"
    )
    form, answers = read_answers(tmp_path / "j.tsv")
    assert form.name == "Jaeger" and answers["called"].to_list() == [True, False]
    assert answers["score"][0] == pytest.approx(1 / (1 + math.exp(-2.0)))


def test_virsorter2s_parts(tables):
    form, answers = read_answers(tables["VirSorter2"])
    found = {row["id"]: row["score"] for row in answers.iter_rows(named=True)}
    assert form.lists_viruses and found["virus_3"] == 0.9 and found["virus_30"] == 0.5
    assert not [name for name in found if "|" in name]


def test_deepvirfinders_names_are_cut_at_the_blank(tables):
    found, _ = read(tables, "DeepVirFinder")
    assert "virus_0" in found and found["virus_3"]["length"] == 5000


@pytest.mark.parametrize(
    ("text", "said"), [("a,b\n1,2\n", "of no caller"), ("", "is empty"), ("name,score\n", "no caller")]
)
def test_a_table_of_nobody(tmp_path, text, said):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"x\.csv.*{said}"):
        read_answers(tmp_path / "x.csv")
