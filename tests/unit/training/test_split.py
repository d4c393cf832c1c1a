"""Sharing sequences out: families stay whole, shares are right, and a genome on two sides is refused."""

import json
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_samples import with_digests, write_models, write_sample

from virnucpro.errors import InputError
from virnucpro.training.sheet import SIDES, group_of, read_sheet
from virnucpro.training.split import counts, read_records, split, with_families


def records(families, labels, sides=None, lengths=None) -> pl.DataFrame:
    n = len(families)
    columns = {"sample": ["s"] * n, "sequence": range(n), "id": [f"r{i}" for i in range(n)]}
    columns |= {"length": lengths or [3000] * n, "label": [("other", "virus")[x] for x in labels]}
    columns |= {"group": families, "side": sides or [""] * n, "usable": [True] * n, "family": families}
    return pl.DataFrame(columns)


@given(st.lists(st.integers(1, 6), min_size=20, max_size=60), st.integers(0, 99), st.randoms())
def test_families_stay_whole_and_shares_are_right(sizes, seed, order_of):
    families = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    labels = [i % 2 for i, size in enumerate(sizes) for _ in range(size)]
    order = order_of.sample(range(len(families)), len(families))
    try:
        side = split(records(families, labels), 0.2, 0.3, seed)["side"].to_list()
    except InputError:  # one large family can fill two sides' share
        return
    shuffled = records([families[i] for i in order], [labels[i] for i in order])
    assert split(shuffled, 0.2, 0.3, seed)["side"].to_list() == [side[i] for i in order], "the order does not matter"
    of_family = {}
    for family, s in zip(families, side, strict=True):
        assert of_family.setdefault(family, s) == s
    for label in (0, 1):
        of = [s for s, x in zip(side, labels, strict=True) if x == label]
        assert abs(of.count("test") - 0.3 * len(of)) <= max(sizes)
        assert abs(of.count("validation") - 0.2 * len(of)) <= 2 * max(sizes)


def test_sides_of_the_samplesheet_stay():
    families, labels = [f"g{i}" for i in range(40)], [0, 1] * 20
    side = split(records(families, labels, ["test"] * 10 + [""] * 30), 0.2, 0.3, 1)["side"].to_list()
    assert side[:10] == ["test"] * 10
    assert set(side[10:]) == {"train", "validation"}, "a test set that was given gets no more"
    mixed = split(records(["g0", "g0", *families], [0, 0, *labels], ["", "test"] + [""] * 40), 0.2, 0.3, 1)
    assert mixed["side"].to_list()[:3] == ["test"] * 3, "a family follows the one of it that was given"


def test_a_genome_planted_on_two_sides_is_refused():
    families, labels = [f"g{i}" for i in range(20)] + ["g3"], [0, 1] * 10 + [1]
    planted = records(families, labels, ["train"] * 10 + ["test"] * 11)
    with pytest.raises(
        InputError, match=r"the genome g3: 'r3'.*to train, 'r20'.*to test; a genome must not stand on two"
    ):
        split(planted, 0.1, 0.2, 1)


def test_too_few_genomes_are_told():
    with pytest.raises(InputError, match="the validation set has no sequence labelled other"):
        split(records(["a", "b", "c", "d"], [0, 0, 1, 1]), 0.1, 0.4, 1)


def dna(seed: int, length: int = 800) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


@pytest.fixture
def sample(tmp_path):
    """Twelve phages and twelve hosts; the sheet; FASTA files."""
    models = write_models(tmp_path / "models")
    sheet = []
    for number, (name, label) in enumerate((("phages", "virus"), ("hosts", "other"))):
        ids = [f"NC_{100000 + 100 * number + i}.{i % 2}" for i in range(12)]
        write_sample(tmp_path, models, name, ids, pl.DataFrame({"x": [0.0] * 12}).to_numpy(), number)
        sheet.append({"sample": name, "files": [{"name": f"{name}.fa", "label": label, "group": "", "split": ""}]})
        text = "".join(f">{i}\n{dna(1000 * number + k)}\n" for k, i in enumerate(ids))
        (tmp_path / f"{name}.fa").write_text(text, encoding="utf-8")
        with_digests(tmp_path, name)
    (tmp_path / "sheet.json").write_text(json.dumps(sheet), encoding="utf-8")
    return tmp_path


def shared_out(folder, least=30, **changes):
    sheet = json.loads((folder / "sheet.json").read_text(encoding="utf-8"))
    for name, change in changes.items():
        next(s for s in sheet if s["sample"] == name)["files"][0].update(change)
    (folder / "sheet.json").write_text(json.dumps(sheet), encoding="utf-8")
    files = read_sheet(folder / "sheet.json")
    found = with_families(read_records(files, folder / "tables"), [folder / f.name for f in files], least)
    return split(found, 0.2, 0.3, 1)


def test_from_files(sample):
    found = shared_out(sample)
    assert found.height == 24
    assert found["group"].to_list()[:2] == ["NC_100000", "NC_100001"], "the accession, without its version"
    told = counts(found)
    assert sum(told[side]["sequences_virus"] for side in SIDES) == 12
    assert told["test"]["bases_other"] == 800 * told["test"]["sequences_other"]


def test_relatives_on_two_sides_are_refused(sample):
    hosts = (sample / "hosts.fa").read_text(encoding="utf-8").split("\n")
    hosts[1] = dna(0)[:300] + hosts[1][300:]  # of the first phage
    (sample / "hosts.fa").write_text("\n".join(hosts), encoding="utf-8")
    with_digests(sample, "hosts")
    found = shared_out(sample)
    assert found["side"][0] == found["side"][12] and found["family"][0] == found["family"][12]
    with pytest.raises(InputError, match=r"near relatives: 'NC_100000.0' .*to train, 'NC_100100.0' .*to test"):
        shared_out(sample, phages={"split": "train"}, hosts={"split": "test"})


def test_a_group_may_be_given(sample):
    assert set(shared_out(sample, least=0)["family"]) == set(shared_out(sample, least=0)["group"])
    with pytest.raises(InputError, match="too few genomes"):
        shared_out(sample, phages={"group": "one"})


def test_files_that_changed_since_are_refused(sample):
    (sample / "hosts.fa").write_text(
        (sample / "hosts.fa").read_text(encoding="utf-8").replace(">NC_100103", ">NC_999999"), encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"hosts.fa: record 4, 'NC_999999.1', .* the file was changed"):
        shared_out(sample)


@pytest.mark.parametrize(
    ("record", "group"),
    [
        ("NC_001416.1", "NC_001416"),
        ("NC_001416#3k#1#3000", "NC_001416"),
        ("NZ_CP012345.2", "NZ_CP012345"),
        ("J02459.1", "J02459"),
        ("ABCD01000001.1", "ABCD01"),
        ("NZ_ABCDEF010000123.1", "NZ_ABCDEF01"),
        ("NODE_1_length_2345_cov_6", "NODE_1_length_2345_cov_6"),
        ("contig_12345", "contig_12345"),
    ],
)
def test_the_genome_of_a_record(record, group):
    assert group_of(record) == group
