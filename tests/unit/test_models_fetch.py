"""The whole way from published files to a checked bundle, over HTTP and from a folder, with faults on the way."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import models_files as files
import numpy as np
import pytest
import yaml
from models_published import DIM, FEATURES, WHOLE, Run, publish, serve
from models_server import Fault, FileServer
from safetensors.numpy import load_file

from virnucpro.errors import ModelError, UsageError
from virnucpro.models import download as downloading
from virnucpro.models.bundle import check, open_bundle
from virnucpro.models.download import DownloadError
from virnucpro.models.sources import read_sources


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def server(published):
    with FileServer() as s:
        yield serve(s, published)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(downloading, "LONGEST_WAIT", 0.01)


@pytest.fixture
def run(tmp_path, server, published) -> Run:
    return Run(tmp_path, server.url, published)


def test_a_bundle_over_http(run, server, published):
    run()
    assert run.names() == WHOLE  # no part, no download is left
    selection = check(open_bundle(run.bundle), "tiny_500")
    assert [(e.kind, e.layer, e.dim) for e in selection.encoders] == [("dnabert_s", 1, 24), ("esm2", 2, DIM)]
    saved = load_file(run.bundle / "encoders/esm2_tiny/model.safetensors")
    for name, tensor in files.fair_esm().state_dict().items():
        if name in saved:
            np.testing.assert_array_equal(saved[name], tensor.numpy())
    card = yaml.safe_load((run.bundle / "classifiers/tiny_500/classifier.yml").read_text())
    assert (card["name"], card["licence"], card["source"]) == ("tiny_500", "MIT", f"{server.url}/500_model.pth")
    manifest = yaml.safe_load((run.bundle / "manifest.yml").read_text())["files"]
    assert manifest["encoders/dnabert_s/tokenizer.json"]["licence"] == "Apache-2.0"
    records = yaml.safe_load((run.bundle / "sources.lock.yml").read_text())["files"]
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
    records = yaml.safe_load((run.bundle / "sources.lock.yml").read_text())["files"]
    assert not [url for url in records if "esm2" in url]
    server.files["/esm2.pt"] = whole
    assert run().names() == WHOLE


def test_another_shape_than_expected_is_refused(run, server):
    text = run.sources.read_text().replace("layers: 2", "layers: 36")
    run.sources.write_text(text)
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
    records = (run.bundle / "sources.lock.yml").read_text()
    known = hashlib.sha256((published / "esm2.pt").read_bytes()).hexdigest()
    (other.bundle / "sources.lock.yml").write_text(records.replace(known, "0" * 64))
    with pytest.raises(DownloadError, match="The source has changed"):
        other()
    (other.bundle / "sources.lock.yml").write_text(records)
    other()
    encoder = "encoders/esm2_tiny/model.safetensors"
    assert other.names() == WHOLE and other.hashes()[encoder] == run.hashes()[encoder]


def test_a_reported_hash_that_differs_is_a_warning(run, server):
    text = run.sources.read_text().replace("esm2.pt: {}", "esm2.pt: {reported: {size: 5, sha256: 'beef'}}")
    run.sources.write_text(text)
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


@pytest.mark.parametrize("layout", ["flat", "hub cache", "clones"])
def test_from_a_folder(run, server, published, tmp_path, layout):
    """The same bundle without network, from what a browser, the hub's tool, git or torch.hub leave behind."""
    brought = tmp_path / "brought"
    places = {
        "flat": ("dnabert_s", "", ""),
        "hub cache": ("dnabert_s/snapshots/c0ffee", "hub/checkpoints", ""),
        "clones": ("dnabert_s", "checkpoints", "VirNucPro"),
    }[layout]
    for path in ("config.json", "tokenizer.json", "pytorch_model.bin"):
        put(published / "dnabert_s" / path, brought / places[0] / path)
    put(published / "esm2.pt", brought / places[1] / "esm2.pt")
    put(published / "500_model.pth", brought / places[2] / "500_model.pth")
    run(brought)
    assert not server.requests and run.names() == WHOLE
    local = run.hashes()
    del local["sources.lock.yml"]  # says by which way each file came
    online = Run(tmp_path, server.url, published)
    online.bundle = tmp_path / "online" / "models"
    fetched = online().hashes()
    assert local == {n: fetched[n] for n in local}
    assert (published / "esm2.pt").is_file() and (brought / places[1] / "esm2.pt").is_file()


def test_only_files_that_were_checked_are_read(run, published, tmp_path):
    """A folder with weights in two forms: those that are read are those that were hashed and recorded."""
    brought = tmp_path / "brought"
    for name in ("config.json", "tokenizer.json", "pytorch_model.bin"):
        put(published / "dnabert_s" / name, brought / "dnabert_s" / name)
    other = files.dnabert_s(tmp_path / "other", weights="model.safetensors", seed=9)
    put(tmp_path / "other/model.safetensors", brought / "dnabert_s" / "model.safetensors")
    run(brought, classifiers=[], encoders=["dnabert_s"])
    saved = load_file(run.bundle / "encoders/dnabert_s/model.safetensors")
    records = yaml.safe_load((run.bundle / "sources.lock.yml").read_text())["files"]
    assert {url.rpartition("/")[2] for url in records} == {"config.json", "tokenizer.json", "model.safetensors"}
    np.testing.assert_array_equal(saved["embeddings.LayerNorm.bias"], other["embeddings.LayerNorm.bias"].numpy())


def put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def test_the_hubs_folder_names():
    item = read_sources(Path(__file__).parents[2] / "assets/models.yml")["dnabert_s"]
    assert item.sources[0].folder_names() == ["DNABERT-S", "models--zhihan1996--DNABERT-S"]


def test_from_a_folder_that_lacks_a_file(run, published, tmp_path):
    brought = tmp_path / "brought"
    put(published / "esm2.pt", brought / "esm2.pt")
    with pytest.raises(DownloadError, match=r"dnabert_s is not there; looked for config\.json and tokenizer\.json"):
        run(brought)


def test_from_a_folder_with_another_file_of_that_name(run, published, tmp_path):
    brought = tmp_path / "brought"
    for name in ("config.json", "tokenizer.json", "pytorch_model.bin"):
        put(published / "dnabert_s" / name, brought / "dnabert_s" / name)
    put(published / "esm2.pt", brought / "esm2.pt")
    put(published / "esm2.pt", brought / "500_model.pth")
    with pytest.raises(DownloadError, match=r"git blob id.*It is not the file of"):
        run(brought)


def test_unknown_names(run):
    with pytest.raises(UsageError, match="known are tiny_500"):
        run(classifiers=["esm2_tiny"])
    with pytest.raises(UsageError, match="known are dnabert_s, esm2_tiny"):
        run(classifiers=[], encoders=["esm2_t6_8M"])


def script(run: Run, *options: str) -> subprocess.Popen:
    command = [sys.executable, Path(__file__).parents[2] / "bin/fetch_models.py", "--models", run.bundle]
    command += ["--sources", run.sources, "--classifier", "tiny_500", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_at_once(run, server):
    """Both end well, each file is fetched once, and the bundle is whole."""
    server.on_request = lambda path: time.sleep(0.1)
    both = [script(run) for _ in range(2)]
    out = [p.communicate(timeout=60) for p in both]
    assert [p.returncode for p in both] == [0, 0], out
    assert run.names() == WHOLE
    paths = [p for p, _ in server.requests if p in ("/esm2.pt", "/500_model.pth")]
    assert sorted(paths) == ["/500_model.pth", "/esm2.pt"]
    said = out[0][0] + out[1][0]
    assert "another fetch is at work" in said and said.count("is there, unchanged") == 3


def test_killed_at_any_moment_then_run_again(run, server):
    """The bundle holds whole models only, each time, and the last call completes it."""
    server.on_request = lambda path: time.sleep(0.05)
    for number in range(8):
        process = script(run)
        time.sleep(0.25 + 0.1 * number)
        process.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        process.communicate(timeout=30)
        if (run.bundle / "manifest.yml").is_file():
            bundle = open_bundle(run.bundle)
            for path in bundle.manifest.files:
                bundle.verify(path)
    process = script(run, "--note", str(run.bundle / ".note"))
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 0, err
    assert run.names() == WHOLE | {".note"} and "all as manifest.yml says" in (run.bundle / ".note").read_text()


def test_the_published_list_is_well_formed():
    """assets/models.yml: every classifier's encoders are in it and fit; the pinned ids are those of VirNucPro's git."""
    items = read_sources(Path(__file__).parents[2] / "assets/models.yml")
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
