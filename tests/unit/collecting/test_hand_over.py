"""viruses.fasta.gz in other programs: the gene caller of geNomad and vConTACT3, and tools that read it by id."""

import gzip
import json
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pyrodigal_gv
import pytest
from Bio import SeqIO
from recoded_genomes import genome

from virnucpro.frames.fasta import read_fasta


@pytest.fixture(scope="module")
def viruses(root, tmp_path_factory):
    """The collected files of two samples that have an id in common: lambda, a made genome of code 15, and a scrap."""
    folder = tmp_path_factory.mktemp("hand_over")
    lambda_phage = next(read_fasta(root / "assets/example/lambda.fa.gz")).sequence.decode()
    records = {
        "gut": [("contig_1", lambda_phage, "phage \"lambda\", 'complete'"), ("k141_7|flag=1", "ACGT" * 50, "")],
        "lake.2": [("contig_1", genome(15, 20).decode(), "made")],
    }
    given = []
    for sample, rows in records.items():
        (folder / sample).mkdir()
        lines = ["sequence_id\tlength\tstate"] + [f"{name}\t{len(bases)}\tvirus" for name, bases, _ in rows]
        (folder / sample / "sequences.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        text = "".join(f">{name} virus_score=0.9 {more}".rstrip() + f"\n{bases}\n" for name, bases, more in rows)
        (folder / sample / "viruses.fasta.gz").write_bytes(gzip.compress(text.encode()))
        files = {"sequences": f"{sample}/sequences.tsv", "viruses": f"{sample}/viruses.fasta.gz"}
        given.append({"sample": sample, **files})
    (folder / "samples.json").write_text(json.dumps(given), encoding="utf-8")
    command = [sys.executable, root / "bin/collect.py", "--samples", "samples.json", "--out", "."]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "viruses.fasta").write_bytes(gzip.decompress((folder / "viruses.fasta.gz").read_bytes()))
    return folder


IDS = ["gut__contig_1", "gut__k141_7|flag=1", "lake.2__contig_1"]


def lengths(viruses) -> dict[str, int]:
    return dict(pl.read_csv(viruses / "viruses.tsv", separator="\t").select("virus_id", "length").rows())


def test_genes_are_called_under_ids_that_lead_back(viruses):
    """Gene callers name genes <id>_<number>; CheckV, geNomad and vConTACT3 read the id up to the last _."""
    finder = pyrodigal_gv.ViralGeneFinder(meta=True)
    with gzip.open(viruses / "viruses.fasta.gz", "rt", encoding="utf-8") as text:
        genes = {r.id: finder.find_genes(bytes(r.seq)) for r in SeqIO.parse(text, "fasta")}
    assert list(genes) == IDS == list(lengths(viruses))
    names = [f"{name}_{i}" for name, found in genes.items() for i in range(1, len(found) + 1)]
    assert len(set(names)) == len(names) and {name.rsplit("_", 1)[0] for name in names} <= set(IDS)
    coding = {name: sum(g.end - g.begin + 1 for g in found) / lengths(viruses)[name] for name, found in genes.items()}
    assert len(genes[IDS[0]]) > 50 and coding[IDS[0]] > 0.8
    assert {g.translation_table for g in genes[IDS[0]]} == {11}


def test_genetic_code_15_is_found_by_another_program_too(viruses):
    """What better_genetic_code names (frames/recoding.py), pyrodigal-gv chooses as well."""
    finder = pyrodigal_gv.ViralGeneFinder(meta=True)
    bases = {r.id: r.sequence for r in read_fasta(viruses / "viruses.fasta")}[IDS[2]]
    assert {g.translation_table for g in finder.find_genes(bases)} == {15}


@pytest.mark.skipif(not shutil.which("samtools"), reason="samtools is not installed")
def test_samtools_indexes_and_cuts(viruses):
    subprocess.run(["samtools", "faidx", "viruses.fasta"], cwd=viruses, check=True)
    index = pl.read_csv(viruses / "viruses.fasta.fai", separator="\t", has_header=False)
    assert dict(index[:, :2].rows()) == lengths(viruses)
    for name in IDS:
        cut = subprocess.run(["samtools", "faidx", "viruses.fasta", name], cwd=viruses, check=True, capture_output=True)
        assert len(b"".join(cut.stdout.split(b"\n")[1:])) == lengths(viruses)[name]


@pytest.mark.skipif(not shutil.which("bedtools"), reason="bedtools is not installed")
def test_bedtools_cuts(viruses):
    rng = np.random.default_rng(1)
    rows = [(name, int(at := rng.integers(0, n - 50)), int(at) + 50) for name, n in lengths(viruses).items()]
    (viruses / "x.bed").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    command = ["bedtools", "getfasta", "-fi", "viruses.fasta", "-bed", "x.bed", "-tab"]
    found = subprocess.run(command, cwd=viruses, check=True, capture_output=True, encoding="utf-8").stdout.splitlines()
    bases = {r.id: r.sequence.decode() for r in read_fasta(viruses / "viruses.fasta")}
    assert found == [f"{name}:{a}-{b}\t{bases[name][a:b]}" for name, a, b in rows]


@pytest.mark.skipif(not shutil.which("seqkit"), reason="seqkit is not installed")
def test_seqkit_counts(viruses):
    command = ["seqkit", "fx2tab", "--name", "--only-id", "--length", "viruses.fasta.gz"]
    found = subprocess.run(command, cwd=viruses, check=True, capture_output=True, encoding="utf-8").stdout.splitlines()
    assert [tuple(line.split("\t")) for line in found] == [(name, str(n)) for name, n in lengths(viruses).items()]


def test_the_commands_in_the_docs_name_files_that_a_run_writes(root):
    text = (root / "docs/output.md").read_text(encoding="utf-8")
    part = text[text.index("### For what comes next") :].split("\n### ")[0].split("\n## ")[0]
    assert all(tool in part for tool in ("checkv", "genomad", "vcontact3", "pharokka.py"))
    named = {word.rsplit("/", 1)[-1] for word in part.split() if word.startswith("results/")}
    assert named == {"viruses.fasta.gz"}
