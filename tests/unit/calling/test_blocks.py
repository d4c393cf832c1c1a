"""Results do not depend on how a sample is cut into blocks, and memory does not grow with it."""

import json
import random

import polars as pl
import pytest

from virnucpro.bundle.classifier import read_classifier
from virnucpro.calling import growing, sample
from virnucpro.calling.calibration import read_calibration
from virnucpro.calling.growing import SortedRows
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.sample import SampleTables, read_sample
from virnucpro.calling.task import Calling, call_sample
from virnucpro.embedding.events import Events
from virnucpro.embedding.light import run_light_task
from virnucpro.embedding.settings import Task
from virnucpro.errors import InputError
from virnucpro.frames.cuts import Cut
from virnucpro.frames.extract import extract

SAMPLES = ("mixed_host", "mixed_phage")


@pytest.fixture(scope="module")
def embedded(root, tmp_path_factory):
    """The example's mixed samples as one, read with the compact classifiers: its folder."""
    folder = tmp_path_factory.mktemp("blocks")
    fasta = [root / f"assets/example/{name}.fa.gz" for name in (*SAMPLES, SAMPLES[1])]  # ids that occur twice
    fasta.append(folder / "late.fa")  # to be read at 300 bases alone
    fasta[-1].write_text(
        f">late\n{'ATGGCTAGCAAAGGTAAACGTATTGCAGAA' * 10}{'TAATTAACTAACTAGTTAGTCAA' * 10}\n", encoding="utf-8"
    )
    options = {"chunk_length": 500, "shard_size": 60, "genetic_code": None}
    manifest = extract("s", fasta, folder / "tables", second=Cut(300, "every", 40), min_length=400, **options)
    (folder / "shards").mkdir()
    for shard in manifest["shards"]:
        (folder / f"tables/{shard['name']}.parquet").rename(folder / f"shards/{shard['name']}.parquet")
    task = Task("composition", folder / "shards", root / "assets/compact_models/encoders/compact", "t", folder / "e")
    task.out.mkdir()
    run_light_task(task, Events(task.out / "t.events.jsonl", "t", "composition", 1))
    (folder / f"e/{manifest['shards'][1]['name']}.composition.parquet").unlink()  # one task failed
    return folder, fasta


def results(root, embedded, out, **how):
    folder, fasta = embedded
    folders = [root / f"assets/compact_models/classifiers/compact_{length}" for length in (500, 300)]
    cards = [read_classifier(folder) for folder in folders]
    mlps = [Mlp.of(card) for card in cards]
    calibrations = [read_calibration(card.calibration) for card in cards]
    call_sample("s", fasta, folder / "tables", folder / "e", Calling(cards, mlps, calibrations, 0.5, **how), out)
    assert not [path for path in out.iterdir() if path.is_dir()]  # nothing is left of the blocks
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.mark.parametrize("how", [{}, {"max_fdr": 0.2, "prevalence": 0.3}], ids=["min_score", "max_fdr"])
def test_results_are_the_same_bytes_by_any_blocks(root, embedded, tmp_path, monkeypatch, how):
    whole = results(root, embedded, tmp_path / "whole", **how)
    summary = json.loads(whole["s.summary.json"])
    assert all(summary["sequences"][state] for state in ("virus", "other", "failed"))
    assert summary["regions"] and summary["frames"]["failed"] and all(summary["classifiers"].values())
    monkeypatch.setattr(growing, "SORTED_ROWS", 7)
    for most in (1, 40):
        monkeypatch.setattr(SampleTables.blocks, "__defaults__", (most,))
        assert len(list(SampleTables("s", embedded[0] / "tables").blocks())) > 2
        assert results(root, embedded, tmp_path / f"by_{most}", **how) == whole


def test_blocks_are_the_sample(embedded):
    tables = embedded[0] / "tables"
    whole = read_sample("s", tables)
    for most in (1, 33, sample.BLOCK):
        blocks = list(SampleTables("s", tables).blocks(most))
        assert pl.concat(b.numbered(b.sequences) for b in blocks).equals(whole.sequences)
        assert pl.concat(b.numbered(b.chunks) for b in blocks).equals(whole.chunks)
        assert [int(key) + b.first_key for b in blocks for key in b.keys] == whole.keys.tolist()
        assert all(b.chunks.height <= most or b.sequences.height == 1 for b in blocks)


def test_tables_of_two_runs_are_noticed(embedded, tmp_path):
    for path in (embedded[0] / "tables").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    sequences = pl.read_parquet(tmp_path / "s.sequences.parquet")
    sequences.reverse().write_parquet(tmp_path / "s.sequences.parquet")
    with pytest.raises(InputError, match="out of order"):
        read_sample("s", tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_sorted_as_all_at_once(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(growing, "SORTED_ROWS", 3)
    rng, rows, found = random.Random(seed), SortedRows("id", tmp_path), []
    ids = [f"{rng.choice('aéz')}{rng.randrange(40)}" for _ in range(200)] + [chr(0x10FFFF), "", "\uffff"]
    schema, cuts = {"id": pl.String, "n": pl.Int64}, sorted(rng.randrange(len(ids)) for _ in range(9))
    table = pl.DataFrame({"id": ids, "n": range(len(ids))}, schema=schema)
    for first, last in zip([0, *cuts], [*cuts, len(ids)], strict=True):
        rows.add(table[first:last])
    rows.merge(found.append)
    merged = pl.concat(found)
    assert merged["id"].to_list() == sorted(ids, key=str.encode)
    assert sorted(merged["n"].to_list()) == list(range(len(ids)))
    assert len(found) > 10
