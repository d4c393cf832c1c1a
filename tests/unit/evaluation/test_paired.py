"""Several callers on the same sequences, whatever their tables leave out."""

import json
import subprocess
import sys

import polars as pl
import pytest
from caller_tables import SEQUENCES, length, scores, write_parts, write_tables, write_truth
from sklearn.metrics import roc_auc_score

from virnucpro.errors import InputError
from virnucpro.evaluation.paired import CallerTable, judge

ALL = ("nf-virnucpro", "geNomad, virus_summary", "Jaeger", "DeepVirFinder", "VirSorter2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("callers")
    write_tables(folder)
    write_truth(folder / "truth.tsv")
    return folder


@pytest.fixture(scope="module")
def judged(folder):
    tables = write_tables(folder)
    return judge([CallerTable(name, "", tables[name]) for name in ALL], folder / "truth.tsv", seed=1)


def figure(found, caller, part="all", name="", level="sequence"):
    place = (caller, part, name, level)
    (row,) = [r for r in found["figures"] if (r["caller"], r["part"], r["name"], r["level"]) == place]
    return row


def test_figures_of_all_sequences_against_scikit_learn(judged):
    found, _ = judged
    truth, score = list(SEQUENCES.values()), scores(4, 0.4)
    row = figure(found, "DeepVirFinder")
    assert row["auroc"][0] == pytest.approx(roc_auc_score(truth, list(score.values())))
    assert (row["viruses"], row["others"], row["genomes"]) == (40, 40, 40)
    assert row["auroc"][1] < row["auroc"][0] < row["auroc"][2]


def test_every_caller_is_judged_on_the_same_sequences(judged):
    found, table = judged
    assert found["callers"] == list(ALL) and table.height == len(SEQUENCES)
    assert {(r["viruses"], r["others"]) for r in found["figures"] if r["part"] == "all"} == {(40, 40)}


def test_no_answer_is_not_other(judged):
    found, table = judged
    assert figure(found, "Jaeger")["no_answer"][0] == pytest.approx(2 / 80)
    assert figure(found, "nf-virnucpro")["no_answer"][0] == pytest.approx(1 / 80)
    assert figure(found, "geNomad, virus_summary")["no_answer"][0] == 0, "it lists viruses: others have an answer"
    of = table.filter(pl.col("id") == "virus_1")
    assert of["Jaeger"].to_list() == [None] and not of["Jaeger calls it virus"][0]


def test_by_length_kind_and_evidence(judged):
    found, _ = judged
    names = {(r["part"], r["name"]) for r in found["figures"] if r["caller"] == "nf-virnucpro"}
    assert ("length", "300 to 499") not in names, "sixteen of each: too few to be told by themselves"
    assert {
        ("group", "phage"),
        ("group", "bacteria"),
        ("group", "eukaryotic virus"),
        ("evidence", "open_frames"),
    } <= names
    row = figure(found, "DeepVirFinder", "group", "bacteria")
    assert row["auroc"][0] is None and 0 < row["specificity"][0] <= 1


def test_lengths(tmp_path, folder):
    """The truth table's, else a caller's; from 1,000 to 2,999 there are those of 2,000."""
    wide = "".join(f"{n}_{k}\t{'virus' if y else 'other'}\n" for n, y in SEQUENCES.items() for k in range(5))
    (tmp_path / "truth.tsv").write_text("sequence_id\tlabel\n" + wide, encoding="utf-8")
    rows = [f"{n}_{k}\t{length(i)}\t{x}\t.1" for k in range(5) for i, (n, x) in enumerate(scores(1, 0.4).items())]
    (tmp_path / "dvf.txt").write_text("name\tlen\tscore\tpvalue\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found, table = judge([CallerTable("dvf", "", tmp_path / "dvf.txt")], tmp_path / "truth.tsv", seed=1)
    assert figure(found, "dvf", "length", "1,000 to 2,999")["viruses"] == 40
    assert table["length"].null_count() == 0


def test_the_others_are_compared_with_the_first_draw_by_draw(judged):
    found, _ = judged
    assert {v["caller"] for v in found["verdicts"]} == set(ALL) - {"nf-virnucpro"}
    assert all("nf-virnucpro" in v["text"] for v in found["verdicts"])
    same = next(r for r in found["comparisons"] if r["caller"] == "DeepVirFinder")
    assert same["difference"][0] == pytest.approx(same["auroc"] - same["baseline_auroc"])


def test_samples_with_the_same_ids(tmp_path, folder):
    tables = write_tables(tmp_path)
    text = write_truth(tmp_path / "t.csv", ",").read_text(encoding="utf-8").splitlines()
    rows = [f"{sample},{row}" for sample in ("a", "b") for row in text[1:]]
    (tmp_path / "t.csv").write_text("\n".join([f"sample,{text[0]}", *rows]) + "\n", encoding="utf-8")
    one, other = tables["DeepVirFinder"], tables["VirFinder"]
    given = [CallerTable("x", "a", one), CallerTable("x", "b", one)]
    found, table = judge(given, tmp_path / "t.csv", seed=1)
    assert table.height == 160 and figure(found, "x")["no_answer"][0] == 0
    with pytest.raises(InputError, match="need one each"):
        judge([CallerTable("x", "", one)], tmp_path / "t.csv", seed=1)
    with pytest.raises(InputError, match="of several kinds"):
        judge([CallerTable("x", "a", one), CallerTable("x", "b", other)], tmp_path / "t.csv", seed=1)
    with pytest.raises(InputError, match="'virus_0' twice"):
        judge([CallerTable("x", "", one), CallerTable("x", "", one)], folder / "truth.tsv", seed=1)


def test_chunks_and_frames_of_our_results_against_scikit_learn(tmp_path, folder, monkeypatch):
    """Each with the truth of its sequence; a closed chunk has no answer. Other callers have sequences alone."""
    parts, tables = write_parts(tmp_path), write_tables(tmp_path)
    ours = [tables["nf-virnucpro"], tmp_path / "chunks.tsv", tmp_path / "prediction_results.txt"]
    given = [*(CallerTable("ours", "", path) for path in ours), CallerTable("dvf", "", tables["DeepVirFinder"])]
    found, table = judge(given, folder / "truth.tsv", seed=1)
    assert table.height == len(SEQUENCES) and found["formats"]["ours"] == "nf-virnucpro"
    assert {r["level"] for r in found["figures"] if r["caller"] == "dvf"} == {"sequence"}
    for level, rows in parts.items():
        truth = [SEQUENCES[name] for name, _ in rows]
        row = figure(found, "ours", level=level)
        expected = roc_auc_score(truth, [0.5 if score is None else score for _, score in rows])
        assert row["auroc"][0] == pytest.approx(expected) and row["viruses"] == sum(truth) and row["genomes"] == 40
        assert row["no_answer"][0] == pytest.approx(1 / 3 if level == "chunk" else 0)
    monkeypatch.setattr("virnucpro.evaluation.paired.MOST_PARTS", 150)
    fewer, _ = judge(given, folder / "truth.tsv", seed=1)
    assert sum(figure(fewer, "ours", level="frame")[label] for label in ("viruses", "others")) == 150
    with pytest.raises(InputError, match="of chunks alone"):
        judge([CallerTable("ours", "", ours[1])], folder / "truth.tsv", seed=1)


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ("id,label\na,virus\n", "the column sequence_id is missing"),
        ("sequence_id,label\nvirus_0,phage\n", "line 2: 'virus_0' is labelled 'phage'"),
        ("sequence_id,label\nvirus_0,virus\n", "no sequence is labelled other"),
        ("sequence_id,label\na,virus\na,other\n", "'a' stands there twice"),
        ("sequence_id,label\na,virus\nb,other\n", "name no sequence of the truth table; they begin with virus_0"),
    ],
)
def test_a_truth_table_that_cannot_be_used(tmp_path, folder, truth, said):
    (tmp_path / "truth.csv").write_text(truth, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        judge([CallerTable("x", "", write_tables(tmp_path)["DeepVirFinder"])], tmp_path / "truth.csv", seed=1)


def test_the_script_writes_what_the_report_takes(root, folder, tmp_path):
    tables = write_tables(tmp_path)
    names = ["nf-virnucpro", "Seeker"]
    (tmp_path / "sheet.json").write_text(json.dumps([{"caller": n, "sample": ""} for n in names]), encoding="utf-8")
    command = [sys.executable, root / "bin/evaluate_callers.py", "--sheet", tmp_path / "sheet.json", "--tables"]
    command += [*(tables[n] for n in names), "--truth", folder / "truth.tsv", "--out", tmp_path / "out"]
    done = subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8")
    assert done.returncode == 0 and "Seeker" in done.stdout, done.stderr
    from virnucpro.report.evaluation_sections import evaluation_modules

    found = json.loads((tmp_path / "out/evaluation.json").read_text(encoding="utf-8"))
    modules = [m.name for m in evaluation_modules(found, {}, {})]
    assert modules[:4] == ["At a glance", "Figures", "Curves", "Reliability"]
