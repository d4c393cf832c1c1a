"""The whole way from published files to a checked bundle, over HTTP, with faults on the way."""

import hashlib
from pathlib import Path

import models_files as files
import numpy as np
import pytest
import yaml
from models_published import DIM, FEATURES, WHOLE, Run
from models_server import Fault
from safetensors.numpy import load_file

from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.errors import ModelError, UsageError
from virnucpro.fetch import download as downloading
from virnucpro.fetch.download import DownloadError
from virnucpro.fetch.sources import read_sources


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(downloading, "LONGEST_WAIT", 0.01)


def test_a_bundle_over_http(run, server, published):
    run()
    assert run.names() == WHOLE and not (run.bundle / ".downloads").exists()  # no part, no download is left
    selection = check(open_bundle(run.bundle), "tiny_500")
    assert [(e.kind, e.layer, e.dim) for e in selection.encoders] == [("dnabert_s", 1, 24), ("esm2", 2, DIM)]
    saved = load_file(run.bundle / "encoders/esm2_tiny/model.safetensors")
    for name, tensor in files.fair_esm().state_dict().items():
        if name in saved:
            np.testing.assert_array_equal(saved[name], tensor.numpy())
    card = yaml.safe_load((run.bundle / "classifiers/tiny_500/classifier.yml").read_text(encoding="utf-8"))
    assert (card["name"], card["licence"], card["source"]) == ("tiny_500", "MIT", f"{server.url}/500_model.pth")
    manifest = yaml.safe_load((run.bundle / "manifest.yml").read_text(encoding="utf-8"))["files"]
    assert manifest["encoders/dnabert_s/tokenizer.json"]["licence"] == "Apache-2.0"
    records = yaml.safe_load((run.bundle / "sources.lock.yml").read_text(encoding="utf-8"))["files"]
    for path in ("esm2.pt", "500_model.pth", "dnabert_s/pytorch_model.bin", "dnabert_s/config.json"):
        expected = hashlib.sha256((published / path).read_bytes()).hexdigest()
        assert records[f"{server.url}/{path}"]["sha256"] == expected


def test_a_second_fetch_does_nothing(run, server):
    before = run().hashes()
    asked = len(server.requests)
    run()
    assert len(server.requests) == asked and run.hashes() == before
    assert sum("is there, unchanged" in text for text in run.said) == 3


def test_encoders_alone(run):
    run(classifiers=[], encoders=["esm2_tiny"])
    assert {n.split("/")[1] for n in run.names() if "/" in n} == {"esm2_tiny"}
    run()
    assert run.names() == WHOLE


def test_a_faulty_line_gives_the_same_bundle(run, server, tmp_path, published):
    size = len(server.files["/esm2.pt"])
    server.faults = {
        "/esm2.pt": [Fault(cut=size // 3), Fault(status=503), Fault(ignore_range=True, cut=size // 2), Fault(claim=9)],
        "/500_model.pth": [Fault(cut=10_000), Fault(shift=1), Fault(status=429)],
        "/dnabert_s/pytorch_model.bin": [Fault(cut=1000)],
    }
    faulty = run().hashes()
    assert not any(server.faults.values())
    (tmp_path / "b").mkdir()
    straight = Run(tmp_path / "b", server.url, published)().hashes()
    assert faulty == straight


def test_what_broke_is_continued_by_the_next_call(run, server):
    """The classifier's file is refused again and again; the encoders stay, and only the rest is fetched later."""
    server.faults["/500_model.pth"] = [Fault(cut=50_000)] + [Fault(status=500)] * 20
    with pytest.raises(DownloadError, match="What came is kept"):
        run()
    assert (run.bundle / "encoders/esm2_tiny/model.safetensors").is_file()
    assert not (run.bundle / "classifiers").exists()
    with pytest.raises(ModelError, match="tiny_500"):
        check(open_bundle(run.bundle), "tiny_500")
    server.faults.clear()
    server.requests.clear()
    run()
    assert run.names() == WHOLE
    assert [p for p, _ in server.requests] == ["/500_model.pth"] and server.requests[0][1] is not None


def test_other_bytes_than_git_has_are_refused(run, server, published, tmp_path):
    files.virnucpro_classifier(tmp_path / "other.pth", FEATURES, epsilon=1e-4)
    server.files["/500_model.pth"] = (tmp_path / "other.pth").read_bytes()
    with pytest.raises(DownloadError, match="git blob id"):
        run()
    assert not (run.bundle / "classifiers").exists() and not list(run.bundle.rglob("*.pth*"))


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", b"", "truncated", "another model"])
def test_a_file_of_unknown_hash_that_is_no_model_leaves_nothing(run, server, content, tmp_path):
    whole = server.files["/esm2.pt"]
    if content == "truncated":
        content = whole[: len(whole) // 2]
    elif content == "another model":
        path = files.save({"model": {}, "args": None}, tmp_path / "x.pt")
        content = path.read_bytes()
    server.files["/esm2.pt"] = content
    with pytest.raises(DownloadError, match="esm2_tiny: what came is no such model"):
        run()
    assert not (run.bundle / "encoders/esm2_tiny").exists()
    assert not [n for n in run.names() if "esm2" in n]
    records = yaml.safe_load((run.bundle / "sources.lock.yml").read_text(encoding="utf-8"))["files"]
    assert not [url for url in records if "esm2" in url]
    server.files["/esm2.pt"] = whole
    assert run().names() == WHOLE


def test_another_shape_than_expected_is_refused(run, server):
    text = run.sources.read_text(encoding="utf-8").replace("layers: 2", "layers: 36")
    run.sources.write_text(text, encoding="utf-8")
    with pytest.raises(DownloadError, match="it is another model"):
        run()


def test_the_next_source_is_tried(run, server):
    """fair-esm's file is gone: the hub's files, in several parts with an index, give the encoder."""
    del server.files["/esm2.pt"]
    run()
    assert run.names() == WHOLE
    assert any("HTTP 404" in text for text in run.said)
    check(open_bundle(run.bundle), "tiny_500")


def test_no_source_has_it(run, server):
    server.files = {p: c for p, c in server.files.items() if "hub" not in p and "esm2" not in p}
    with pytest.raises(DownloadError, match=r"esm2_tiny: no source has it: .*esm2\.pt.*; or .*hub/config\.json"):
        run()


def test_a_source_that_changed_later_is_refused(run, server, tmp_path):
    run()
    other = files.fair_esm_file(tmp_path / "other.pt", files.fair_esm(seed=5))
    server.files["/esm2.pt"] = other.read_bytes()
    (run.bundle / "encoders/esm2_tiny/model.safetensors").unlink()
    with pytest.raises(DownloadError, match="The source has changed"):
        run()


def test_a_colleagues_records_are_insisted_on(run, server, tmp_path, published):
    run()
    other = Run(tmp_path, server.url, published)
    other.bundle = tmp_path / "fresh"
    other.bundle.mkdir()
    records = (run.bundle / "sources.lock.yml").read_text(encoding="utf-8")
    known = hashlib.sha256((published / "esm2.pt").read_bytes()).hexdigest()
    (other.bundle / "sources.lock.yml").write_text(records.replace(known, "0" * 64), encoding="utf-8")
    with pytest.raises(DownloadError, match="The source has changed"):
        other()
    (other.bundle / "sources.lock.yml").write_text(records, encoding="utf-8")
    other()
    encoder = "encoders/esm2_tiny/model.safetensors"
    assert other.names() == WHOLE and other.hashes()[encoder] == run.hashes()[encoder]


def test_a_reported_hash_that_differs_is_a_warning(run, server):
    text = run.sources.read_text(encoding="utf-8").replace(
        "esm2.pt: {}", "esm2.pt: {reported: {size: 5, sha256: 'beef'}}"
    )
    run.sources.write_text(text, encoding="utf-8")
    run()
    warnings = [text for text in run.said if text.startswith("WARNING esm2.pt")]
    assert len(warnings) == 2 and "others reported beef" in warnings[1]


def test_a_changed_file_is_fetched_anew(run, server):
    before = run().hashes()
    path = run.bundle / "encoders/esm2_tiny/model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    run()
    assert run.hashes() == before


def test_unknown_names(run):
    with pytest.raises(UsageError, match="known are tiny_500"):
        run(classifiers=["esm2_tiny"])
    with pytest.raises(UsageError, match="known are dnabert_s, esm2_tiny"):
        run(classifiers=[], encoders=["esm2_t6_8M"])


def test_the_published_list_is_well_formed():
    """assets/models.yml: every classifier's encoders are in it and fit; the pinned ids are those of VirNucPro's git."""
    items = read_sources(Path(__file__).parents[3] / "assets/models.yml")
    for item in items.values():
        assert all(f.url.startswith("https://") for s in item.sources for f in (*s.files, *s.weights)), item.name
        for use in item.card.get("encoders", []):
            encoder = items[use["name"]]
            assert (encoder.kind, encoder.shape["dim"]) == (use["kind"], use["dim"])
            assert use["layer"] in ("last", encoder.shape["layers"])
    blobs = {n: items[n].sources[0].files[0].git_blob for n in ("virnucpro_300", "virnucpro_500")}
    assert blobs == {
        "virnucpro_300": "a0b5b85e7c1e44f00cde146d091beb82b2c8e855",
        "virnucpro_500": "fc35d5ef9f1f4564eea7036f34f4f8ec6000d33d",
    }
    shapes = {n: (i.shape["layers"], i.shape["dim"]) for n, i in items.items() if i.kind == "esm2"}
    assert shapes == {
        "esm2_t6_8M": (6, 320),
        "esm2_t12_35M": (12, 480),
        "esm2_t30_150M": (30, 640),
        "esm2_t33_650M": (33, 1280),
        "esm2_t36_3B": (36, 2560),
        "esm2_t48_15B": (48, 5120),
    }
