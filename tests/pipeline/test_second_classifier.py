"""A second classifier of the demo, of shorter chunks: it answers where the first reads nothing, and changes no more."""

import gzip

import polars as pl
import pytest
from Bio import SeqIO

pytestmark = pytest.mark.nextflow
PIECES = 60  # of 500 bases, of the phage and of the host


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("second")
    with (folder / "pieces.fa").open("w", encoding="utf-8") as out:
        for name in ("lambda", "ecoli"):
            with gzip.open(root / f"assets/example/{name}.fa.gz", "rt", encoding="utf-8") as text:
                genome = str(next(SeqIO.parse(text, "fasta")).seq)
            out.writelines(f">{name}_{k}\n{genome[500 * k : 500 * k + 500]}\n" for k in range(PIECES))
    return folder


@pytest.fixture(scope="module")
def runs(nextflow, folder):
    """{1 or 2 classifiers: the run}."""
    found = {}
    for classifiers in ("demo_500", "demo_500,demo_300"):
        number = classifiers.count(",") + 1
        args = ("-profile", "test", "--input", "pieces.fa", "--classifier", classifiers, "--outdir", f"out_{number}")
        found[number] = nextflow(folder, *args)
        assert found[number].code == 0, found[number].text
    return found


def sequences(folder, number):
    return pl.read_csv(folder / f"out_{number}/pieces/sequences.tsv", separator="\t")


def test_it_answers_where_the_first_reads_nothing(runs, folder):
    one, two = sequences(folder, 1), sequences(folder, 2)
    unread = one["state"] == "no_open_frame"
    again = two["classifier"] == "demo_300"
    assert unread.sum() > PIECES / 2, "pieces of 500 bases: half of them closed, or more"
    assert again.fill_null(False).sum() > unread.sum() / 2
    assert not (again.fill_null(False) & ~unread).any(), "none that the first could read"
    assert two.filter(again)["state"].is_in(["virus", "other"]).all()
    assert (two.filter(two["classifier"].is_null())["state"] == "no_open_frame").all()


def test_what_the_first_calls_stays(runs, folder):
    one, two = sequences(folder, 1), sequences(folder, 2)
    read = one["classifier"] == "demo_500"
    columns = ["sequence_id", "classifier", "state", "virus_score", "chunks", "chunks_scored"]
    assert one.filter(read).select(columns).equals(two.filter(two["classifier"] == "demo_500").select(columns))


def test_virnucpros_own_files_are_those_of_the_first_alone(runs, folder):
    for name in ("prediction_results.txt", "prediction_results_highestscore.csv"):
        one, two = (folder / f"out_{number}/pieces" / name for number in (1, 2))
        assert one.read_bytes() == two.read_bytes() and one.read_text(encoding="utf-8").count("\n") > PIECES / 4


def test_chunks_are_cut_as_each_classifier_reads(runs, folder):
    chunks = pl.read_csv(folder / "out_2/pieces/chunks.tsv", separator="\t")
    length = chunks["end"] - chunks["start"] + 1
    longest = dict(chunks.with_columns(length=length).group_by("classifier").agg(pl.col("length").max()).rows())
    assert longest == {"demo_500": 500, "demo_300": 300}


def test_no_task_is_added(runs):
    def tasks(run):
        return [name for name in run.submitted() if "EMBED" in name]

    assert tasks(runs[1]) == tasks(runs[2]) and len(tasks(runs[1])) == 2
