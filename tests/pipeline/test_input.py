"""Samplesheets and FASTA paths: every fault of an input is named with its line, before any task."""

import gzip
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.nextflow

ORF = "ATGGCTAGCAAAGGTAAACGTATTGCAGAACTGAAAGAAGCGATTGAAAAACGT" * 2


@pytest.fixture
def folder(tmp_path):
    for name in ("a.fa", "b.fa", "sub/a.fasta", "-x.fa", "a b.fa"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f">s\n{ORF}\n", encoding="utf-8")
    return tmp_path


def test_every_faulty_row_is_named(nextflow, folder):
    rows = [
        "sample,fasta",
        "good,a.fa",
        "$(touch pwned),a.fa",
        "a;b,a.fa",
        "../up,a.fa",
        "-dash,a.fa",
        "a..b,a.fa",
        "pipeline_info,a.fa",
        "Good,b.fa",
        ",a.fa",
        "nofile,",
        "gone,gone.fa",
        "dir,sub",
        "shell,x$(touch pwned).fa",
        "short",
        "leading,-x.fa",
        "ünï,a.fa",
        "MultiQC_report.html,a.fa",
        "multiqc_report_data,a.fa",
        "",
        ",",
        '"open,b.fa',
        "pipe,pipe.fa",
    ]
    os.mkfifo(folder / "pipe.fa")
    (folder / "s.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run = nextflow(folder, "-profile", "test", "--input", "s.csv")
    assert run.code != 0
    for line in (
        "line 3: the sample name '$(touch pwned)' cannot be used",
        "line 4: the sample name 'a;b' cannot be used",
        "line 5: the sample name '../up' cannot be used",
        "line 6: the sample name '-dash' cannot be used",
        "line 7: the sample name 'a..b' cannot be used",
        "line 8: the sample name 'pipeline_info' is reserved",
        "the samples good and Good differ in upper and lower case only",
        "line 10: the sample has no name",
        "line 11: no FASTA file is given",
        "line 12: there is no such file: gone.fa",
        "line 13: a folder, not a FASTA file: sub",
        "line 14: the path 'x$(touch pwned).fa' holds the character '$'",
        "line 15: 1 columns, the first line has 2",
        "line 16: the file name '-x.fa' begins with '-'",
        "line 17: the sample name 'ünï' cannot be used",
        "line 18: the sample name 'MultiQC_report.html' is reserved",
        "line 19: the sample name 'multiqc_report_data' is reserved",
        'line 22: a quotation mark is not closed: "open,b.fa',
        "line 23: not a plain file (a named pipe, say): pipe.fa; write its content to one, as it is read twice",
    ):
        assert line in run.text, line
    assert not run.submitted()
    assert "line 20" not in run.text and "line 21" not in run.text, "a spreadsheet's empty rows"
    assert not (folder / "pwned").exists()


def test_samples_named_as_folders_of_a_task(nextflow, folder, root):
    """Inputs of CLASSIFY lie beside the folder that it writes, named after the sample; the bundle's is a link."""
    names = ["classifier", "embeddings", "fasta1", "frames", "input1", "tables"]
    (folder / "s.csv").write_text("sample,fasta\n" + "".join(f"{name},a.fa\n" for name in names), encoding="utf-8")
    models = shutil.copytree(root / "assets/demo_models", folder / "models")
    before = sorted(models.rglob("*"))
    run = nextflow(folder, "-profile", "test", "--input", "s.csv", "--models", "models", "--save_embeddings", "true")
    assert run.code == 0, run.text
    assert {len((run.results / name / "sequences.tsv").read_text(encoding="utf-8").splitlines()) for name in names} == {
        2
    }
    assert {len(list((run.results / name / "embeddings").iterdir())) for name in names} == {2}
    assert sorted(models.rglob("*")) == before


SHEETS = [
    ("", "s.csv: the samplesheet is empty"),
    ("sample,fasta\n", "s.csv: the samplesheet names no sample"),
    ("name,fasta\na,a.fa\n", "s.csv: the column sample is missing; the first line has: name, fasta"),
    (
        "sample;fasta\na;a.fa\n",
        "s.csv: the column sample and fasta is missing; the first line has: sample;fasta; "
        "it seems to be separated by semicolons: commas are needed",
    ),
    (
        "sample,fasta,fasta\na,a.fa,b.fa\n",
        "s.csv: the column fasta stands twice in the first line; several files of a sample are rows of their own",
    ),
    ("sample,fasta\nm\udce4,a.fa\n", "s.csv: the samplesheet is not UTF-8 text; save it as 'CSV UTF-8'"),
    ("sample\tfasta\na\ta.fa\n", "it seems to be separated by tabs: commas are needed"),
    (
        "sample,fasta,genetic_code\na,a.fa,2\n",
        "s.csv, line 2: the genetic_code '2' cannot be used; one of auto, 1, 4,",
    ),
    (
        "sample,fasta,genetic_code\na,a.fa,4\nb,b.fa,1\na,b.fa,\n",
        "s.csv, line 2 and s.csv, line 4: the sample 'a' has the genetic codes 4 and 1; one sample has one",
    ),
    (
        "sample,fasta\na,a.fa\nb,a.fa\na,b.fa\na,./sub/../a.fa\na,link.fa\n",
        "s.csv, line 2 and s.csv, line 5 and s.csv, line 6: the same file twice for the sample 'a': "
        "a.fa and ./sub/../a.fa and link.fa; remove one",
    ),
]


def test_inputs_that_cannot_be_used(read_inputs, folder):
    """That such a fault ends the run before any task: test_every_faulty_row_is_named."""
    (folder / "link.fa").symlink_to("a.fa")
    (folder / "pipeline_info.fa").write_text(f">s\n{ORF}\n", encoding="utf-8")
    expected = {}
    for number, (content, said) in enumerate(SHEETS):
        sheet = folder / f"sheets/{number}/s.csv"
        sheet.parent.mkdir(parents=True)
        sheet.write_bytes(content.encode(errors="surrogateescape"))
        expected[str(sheet.relative_to(folder))] = said
    remedy = "; or name it in a samplesheet (columns sample,fasta)"
    expected |= {
        "a b.fa": remedy,
        "pipeline_info.fa": remedy,
        "{a.fa,sub/a.fasta}": "would both be sample 'a'",
        "absent.csv": "there is no such samplesheet: absent.csv",
        "absent/*.fa": "there is no such file: absent/*.fa",
    }
    for (asked, said), found in zip(expected.items(), read_inputs(folder, list(expected)), strict=True):
        assert said in found["fault"] and found["fault"].startswith("The input cannot be used:"), asked


def test_ways_to_give_input(read_inputs, folder):
    """Encodings of spreadsheets, Windows line ends, quotes, another order of columns, blanks, two rows of a sample; a
    file in two samples; a glob, a sample for each file."""
    sheet = 'fasta,sample,note\r\n"a.fa",one,"x, y"\r\na b.fa,two,\r\nsub/a.fasta,one,\r\n'
    for encoding in ("utf-8-sig", "utf-16"):
        (folder / f"{encoding}.csv").write_bytes(sheet.encode(encoding))
    (folder / "s.csv").write_text("sample,fasta\none,a.fa\ntwo,a.fa\ntwo,b.fa\n", encoding="utf-8")
    (folder / "c.fna.gz").write_bytes(gzip.compress(f">s\n{ORF}\n".encode()))
    found = read_inputs(folder, ["utf-8-sig.csv", "utf-16.csv", "s.csv", "[abc].f*"])
    assert [told["fault"] for told in found] == [""] * 4
    of_sheet = {"one": ["a.fa", "a.fasta"], "two": ["a b.fa"]}
    glob = {"a": ["a.fa"], "b": ["b.fa"], "c": ["c.fna.gz"]}
    assert [told["samples"] for told in found] == [of_sheet, of_sheet, {"one": ["a.fa"], "two": ["a.fa", "b.fa"]}, glob]


def test_an_address_with_a_query(nextflow, folder):
    """As Zenodo gives them; the file is named without it."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return str(folder / urlsplit(path).path.strip("/"))

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (folder / "s.csv").write_text(
            f"sample,fasta\none,http://127.0.0.1:{server.server_port}/a.fa?download=1\n", encoding="utf-8"
        )
        run = nextflow(folder, "-profile", "test", "-stub", "--input", "s.csv")
        server.shutdown()
    assert run.code == 0, run.text
    assert {p.name for p in (folder / "work").glob("*/*/input1/*")} == {"a.fa"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said_before_any_task(nextflow, folder):
    (folder / "a.fa").chmod(0)
    run = nextflow(folder, "-profile", "test", "-stub", "--input", "a.fa")
    assert run.code != 0
    assert "a.fa may not be read: you lack the permission" in run.text
    assert not run.submitted()
