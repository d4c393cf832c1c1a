"""What an annotation vouches for: peptides that lie inside an annotated protein, in chunks of plain letters."""

import gzip
import random

import polars as pl
import pytest
from Bio.Seq import Seq
from Bio.SeqFeature import SeqFeature, SimpleLocation
from Bio.SeqIO import write as write_records
from Bio.SeqRecord import SeqRecord

from virnucpro.errors import InputError
from virnucpro.frames.extract import extract
from virnucpro.training.annotation import counted_frames, read_proteins
from virnucpro.training.sheet import LabelledFile

CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]


def gene(seed: int, codons: int) -> str:
    return "ATG" + "".join(random.Random(seed).choices(CODONS, k=codons - 2)) + "TAA"


def record(name: str, seed: int) -> SeqRecord:
    """A gene of 900 bases from base 100 on, one of 600 on the other strand, and what lies between."""
    noise = "".join(random.Random(seed + 50).choices("ACGT", k=500))
    text = (
        noise[:100]
        + gene(seed, 300)
        + noise[100:300]
        + str(Seq(gene(seed + 1, 200)).reverse_complement())
        + noise[300:]
    )
    made = SeqRecord(Seq(text), id=f"{name}.1", name=name, description="", annotations={"molecule_type": "DNA"})
    for start, end, strand in ((100, 1000, 1), (1200, 1800, -1)):
        place = SimpleLocation(start, end, strand)
        protein = str(place.extract(made.seq).translate(to_stop=True))
        made.features.append(SeqFeature(place, type="CDS", qualifiers={"translation": [protein]}))
    return made


@pytest.fixture
def genome(tmp_path):
    """hosts.fa and hosts.gb of two records, of the second a letter N in its first chunk; cut into chunks of 300."""
    records = [record("NC_100000", 1), record("NC_100001", 9)]
    write_records(records, tmp_path / "hosts.gb", "genbank")
    text = str(records[1].seq)
    records[1].seq = Seq(text[:150] + "N" + text[151:])
    write_records(records, tmp_path / "hosts.fa", "fasta")
    write_records([record("X_1", 4)], tmp_path / "plain.fa", "fasta")
    (tmp_path / "tables").mkdir()
    extract("hosts", [tmp_path / "plain.fa", tmp_path / "hosts.fa"], tmp_path / "tables", chunk_length=300)
    return tmp_path


def counted(folder, annotation, read="open", least=40):
    files = [LabelledFile("hosts", 0, "plain.fa", "other"), LabelledFile("hosts", 1, "hosts.fa", "other", annotation=0)]
    fasta = [folder / f.name for f in files]
    return counted_frames(files, fasta, {1: annotation}, folder / "tables", read, least)


def test_frames_inside_genes_count_and_no_others(genome):
    found = counted(genome, genome / "hosts.gb")
    chunks = pl.read_parquet(genome / "tables/hosts.chunks.parquet").with_row_index("chunk")
    table = found.join(chunks.with_columns(pl.col("chunk").cast(pl.Int64)), on="chunk")
    assert set(table["sequence"]) == {1, 2}, "what has no annotation is not spoken of"
    assert found.height == chunks.filter(pl.col("sequence") > 0).height
    for row in table.filter(pl.col("sequence") == 1).iter_rows(named=True):
        inside = row["start"] >= 100 and row["end"] <= 997
        behind = row["start"] >= 1203 and row["end"] <= 1800
        wanted = 1 << (100 - row["start"]) % 3 if inside else 1 << (3 + (row["end"] - 1800) % 3) if behind else 0
        assert row["frames"] & ~row["open_frames"] == 0
        assert row["frames"] == wanted or not (inside or behind), row
        if row["end"] <= 100:
            assert row["frames"] == 0


def test_chunks_with_other_letters_are_left_out(genome):
    found = counted(genome, genome / "hosts.gb")
    chunks = pl.read_parquet(genome / "tables/hosts.chunks.parquet").with_row_index("chunk")
    spoilt = chunks.filter((pl.col("sequence") == 2) & (pl.col("start") <= 150) & (pl.col("end") > 150))["chunk"]
    assert len(spoilt) and found.filter(pl.col("chunk").is_in(spoilt.to_list()))["frames"].sum() == 0


def test_packed_and_renamed(genome):
    text = (genome / "hosts.gb").read_text(encoding="utf-8")
    (genome / "hosts.gb.gz").write_bytes(gzip.compress(text.encode()))
    assert counted(genome, genome / "hosts.gb.gz").equals(counted(genome, genome / "hosts.gb"))
    proteins = read_proteins(genome / "hosts.gb")
    assert proteins["NC_100000"] == proteins["NC_100000.1"] and proteins["NC_100000"].count(b"*") == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("NC_100001", "NC_999999"), r"record 'NC_100001.1' has no annotation in hosts\.gb"),
        (lambda text: ">fasta\nACGT\n", "is no GenBank file"),
    ],
)
def test_an_annotation_that_cannot_be_used(genome, change, said):
    (genome / "hosts.gb").write_text(change((genome / "hosts.gb").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        counted(genome, genome / "hosts.gb")
