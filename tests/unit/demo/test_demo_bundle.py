"""The demo bundle as it ships: complete, small, in the real layouts, and honest about what it is."""

import csv
import gzip

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2


@pytest.fixture(scope="module")
def selection(root):
    """The demo classifier and its encoders, every file hashed."""
    return check(open_bundle(root / "assets/demo_models", full=True), "demo_500", chunk_length=500)


@pytest.fixture(scope="module")
def folders(selection):
    return {e.kind: e.folder for e in selection.encoders}


@pytest.fixture(scope="module", params=[500, 300])
def card(root, request):
    """The card of either classifier."""
    return check(open_bundle(root / "assets/demo_models"), f"demo_{request.param}", request.param).classifier


def test_bundle_is_whole_and_small(root, selection):
    assert [e.kind for e in selection.encoders] == ["dnabert_s", "esm2"]
    assert all(e.weights_sha256 for e in selection.classifier.encoders)
    files = [p for p in (root / "assets/demo_models").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 3_000_000


def test_both_classifiers_read_the_same_encoders(selection, card):
    assert card.encoders == selection.classifier.encoders and card.frames == "open" and card.rule == "best"


def test_card_says_what_it_is_and_what_was_measured(card):
    assert "not for science" in card.purpose.lower()
    assert "random" in card.limits and "NC_001416" in card.training["data"] and "NC_008253" in card.training["data"]
    for size, found in card.evaluation["by_size"].items():
        low, high = found["auroc_95"]
        assert low <= found["auroc"] <= high
        assert found["auroc"] >= (0.8 if size in ("whole sequences", "3000 bases") else 0.65)
        assert found["auroc"] < found["baseline_auroc"] and "weaker than a model on 4-mers" in card.limits
    assert card.training["test"]["genomes"] >= 100


def test_esm2_is_fair_esms(folders):
    """fair-esm's own ESM2 takes the demo's weights, all but its heads, and gives the same embedding."""
    esm = pytest.importorskip("esm")
    reference = esm.ESM2(2, 128, 8).eval()
    weights = {k: v.float() for k, v in load_file(folders["esm2"] / "model.safetensors").items()}
    missing, unexpected = reference.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.startswith(("lm_head", "contact_head")) for name in missing)
    peptide = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV"
    tokens = reference.alphabet.get_batch_converter()([("x", peptide)])[2]
    with torch.no_grad():
        expected = reference(tokens, repr_layers=[2])["representations"][2][0, 1:-1].mean(0)
    ours = esm2.load(folders["esm2"])
    flat = torch.from_numpy(ours.tokenize([peptide]).flat)[None]
    torch.testing.assert_close(ours(flat)[0], expected, atol=1e-5, rtol=0)


def test_tokenizer_is_laid_out_as_dnabert_ss(folders, data):
    ours = Tokenizer.from_file(str(folders["dnabert_s"] / "tokenizer.json"))
    real = Tokenizer.from_file(str(data / "dnabert_s_tokenizer/tokenizer.json"))
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    assert [ours.token_to_id(t) for t in special] == [real.token_to_id(t) for t in special] == [0, 1, 2, 3, 4]
    sequence = "ATGGCTAGCAAAGGTAAACGTATTGCAGAACTGAAAGAAGCGATTGAAAAACGT"
    for tokenizer in (ours, real):
        tokens = tokenizer.encode(sequence).tokens
        tokens = tokens[: tokens.index("[SEP]") + 1]  # the real file pads to 2,000
        assert (tokens[0], tokens[-1], "".join(tokens[1:-1])) == ("[CLS]", "[SEP]", sequence)
        assert "[UNK]" in tokenizer.encode("ACJ").tokens


@pytest.mark.parametrize("kind", ["dnabert_s", "esm2"])
def test_encoders_heed_the_order_of_what_they_read(folders, kind):
    """Attention and positions do something: else the demo could not show a fault in them."""
    encoder = {"dnabert_s": dnabert_s, "esm2": esm2}[kind].load(folders[kind])
    text = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ" if kind == "esm2" else "ATGACGGCTTACATTGCGAAACAGCGTCAGATT"
    flat = encoder.tokenize([text]).flat.copy()
    mixed = flat.copy()
    mixed[1:-1] = np.sort(flat[1:-1])  # not just turned round: to ALiBi left and right are the same
    assert (mixed != flat).sum() > 4
    a, b = (encoder(torch.from_numpy(t)[None])[0].numpy() for t in (flat, mixed))
    assert np.abs(a - b).max() > 0.01


def fasta(path):
    """Header and sequence of each record."""
    records = gzip.decompress(path.read_bytes()).decode().split(">")[1:]
    return [(r.split("\n", 1)[0], r.split("\n", 1)[1].replace("\n", "")) for r in records]


def test_example_is_what_its_headers_say(root):
    """Coordinates in the headers, lengths, and one sample of two files."""
    folder = root / "assets/example"
    rows = list(csv.DictReader((folder / "samples.csv").open(encoding="utf-8")))
    assert {r["sample"] for r in rows} == {"lambda", "ecoli", "mixed"} and len(rows) == 4
    phage = fasta(folder / "lambda.fa.gz")[0][1]
    assert len(phage) == 48_502  # NC_001416.1
    assert phage.startswith("GGGCGGCGACCTCGCGGGTTTTCGC")  # its left cohesive end and what follows, as published
    for row in rows[1:]:
        for header, sequence in fasta(folder / row["fasta"]):
            accession, _, place = header.split(" ")[1].partition(":")
            start, end = map(int, place.split("-"))
            assert len(sequence) == end - start + 1
            if accession == "NC_001416.1":
                assert sequence == phage[start - 1 : end]
            else:
                assert accession == "NC_008253.1"
