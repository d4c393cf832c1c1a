"""Genetic codes of a run: chosen for each sequence, or given in the samplesheet."""

import gzip
import json

import polars as pl
import pytest
from recoded_genomes import genome

pytestmark = pytest.mark.nextflow


@pytest.fixture(scope="module")
def run(nextflow, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("codes")
    phage = gzip.decompress((root / "assets/example/lambda.fa.gz").read_bytes())
    (folder / "several.fa").write_bytes(phage + b">tga\n" + genome(4, 20) + b"\n>scrap\nACGT\n")
    (folder / "tag.fa").write_bytes(b">tag\n" + genome(15, 20) + b"\n")
    rows = ["sample,fasta,genetic_code", "chosen,several.fa,", "given,tag.fa,15", "wrong,tag.fa,1"]
    (folder / "s.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = nextflow(folder, "--input", "s.csv", "--genetic_code", "auto", "--min_length", "10")
    assert done.code == 0, done.text
    return done


def codes(run, sample) -> list[tuple]:
    table = pl.read_csv(run.results / sample / "sequences.tsv", separator="\t")
    return table.select("sequence_id", "genetic_code", "better_genetic_code").rows()


def test_each_sequence_has_the_code_of_its_sample_or_the_one_that_opens_its_genes(run):
    assert codes(run, "chosen") == [("NC_001416.1", 1, None), ("tga", 4, None), ("scrap", None, None)]
    assert codes(run, "given") == [("tag", 15, None)]


def test_a_code_that_does_not_fit_is_told(run):
    assert codes(run, "wrong") == [("tag", 1, 15)]
    summary = json.loads((run.results / "pipeline_info/summary.json").read_text(encoding="utf-8"))
    assert {code: n["sequences"] for code, n in summary["better_genetic_codes"].items()} == {"15": 1}
    assert {code: n["sequences"] for code, n in summary["genetic_codes"].items()} == {"1": 2, "4": 1, "15": 1}
    page = (run.results / "multiqc_report.html").read_text(encoding="utf-8")
    assert "would have far more open frames under genetic code 15" in page
    scored = [
        pl.read_csv(run.results / sample / "chunks.tsv", separator="\t")["open_frames"].count()
        for sample in ("wrong", "given")
    ]
    assert scored[1] > 1.2 * scored[0]
