"""What a run will take, against what extraction itself writes, and arithmetic by hand."""

from types import SimpleNamespace

import pytest
import virnucpro_way

from virnucpro.frames.extract import extract
from virnucpro.verify import cost
from virnucpro.verify.counting import Counts, count


@pytest.fixture(scope="module")
def fasta(root):
    return root / "assets/example/ecoli.fa.gz"


def test_frames_and_tokens_are_those_of_an_extraction(fasta, tmp_path):
    manifest = extract("s", [fasta], tmp_path, chunk_length=500, read="every", min_stretch=30, shard_size=10_000)
    found = count([fasta], 500, "every", 30, ["dnabert_s", "esm2"])
    assert (found.sequences, found.bases) == (manifest["sequences"], manifest["bases"])
    assert found.frames == manifest["frames"] and not found.sampled
    for kind in ("dnabert_s", "esm2"):
        assert found.tokens[kind] == sum(shard[f"{kind}_tokens"] for shard in manifest["shards"])
    assert cost.shards_of(found.frames) == len(manifest["shards"])


def test_frames_are_virnucpros(fasta, tmp_path):
    import gzip

    (tmp_path / "e.fa").write_bytes(gzip.decompress(fasta.read_bytes()))
    expected = [(n, p) for _, n, p in virnucpro_way.frames_of_file(tmp_path / "e.fa", 500)]
    found = count([tmp_path / "e.fa"], 500, "open", 1, ["esm2"])
    assert found.frames == len(expected)
    assert {(f.nucleotides, f.peptide) for f in found.kept} <= set(expected)


def test_of_a_huge_input_a_part_is_extracted(fasta, monkeypatch):
    whole = count([fasta] * 41, 500, "open", 1, ["esm2"])
    part = count([fasta] * 41, 500, "open", 1, ["esm2"], whole=300_000)
    assert part.sampled and part.bases == whole.bases and part.sequences == whole.sequences
    assert part.frames == pytest.approx(whole.frames, rel=0.01)
    assert part.tokens["esm2"] == pytest.approx(whole.tokens["esm2"], rel=0.01)


@pytest.mark.parametrize("frames", [0, 1, 200, 201, 250_000, 12_345_678])
def test_shards_as_they_are_cut(frames):
    sizes, before = 0, 0
    while before < frames:
        before, sizes = before + min(10_000, max(200, int(before / 1000))), sizes + 1
    assert cost.shards_of(frames) == sizes


def test_hours_by_hand():
    """100 million tokens at 1,000 a second are 100,000 s; two tasks on one device, four on four."""
    measured = SimpleNamespace(rates={"packed": 1000.0, "padded": 10.0}, load_seconds=5.0)
    bench = SimpleNamespace(chosen={"esm2": "fp16"}, measured=lambda subject, precision: measured)
    subject = SimpleNamespace(name="esm2", kind="esm2", dim=10)
    counts = Counts(sequences=1, bases=10**6, frames=600_000, letters=1000, tokens={"esm2": 100_000_000})
    time = {r.subject: r.numbers for r in cost.check_cost(counts, [subject], bench)}["time"]
    assert time["hours_on_1"] == pytest.approx((100_000 + 2 * 20) / 3600)
    assert time["hours_on_4"] == pytest.approx((25_000 + 20) / 3600)
    assert time["hours_on_16"] == pytest.approx((6_250 + 20) / 3600)
