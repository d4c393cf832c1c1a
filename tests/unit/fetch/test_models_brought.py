"""Bundles from files that were brought along, two fetches at once, and fetches that are killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import models_files as files
import numpy as np
import pytest
import yaml
from models_published import WHOLE, Run
from safetensors.numpy import load_file

from virnucpro.bundle.bundle import open_bundle
from virnucpro.fetch.download import DownloadError
from virnucpro.fetch.sources import read_sources


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
    assert "manifest.yml" in local
    online = Run(tmp_path, server.url, published)
    online.bundle = tmp_path / "online"
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
    records = yaml.safe_load((run.bundle / "sources.lock.yml").read_text(encoding="utf-8"))["files"]
    assert {url.rpartition("/")[2] for url in records} == {"config.json", "tokenizer.json", "model.safetensors"}
    np.testing.assert_array_equal(saved["embeddings.LayerNorm.bias"], other["embeddings.LayerNorm.bias"].numpy())


def put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def test_the_hubs_folder_names():
    item = read_sources(Path(__file__).parents[3] / "assets/models.yml")["dnabert_s"]
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


def script(run: Run, *options: str) -> subprocess.Popen:
    command = [sys.executable, Path(__file__).parents[3] / "bin/fetch_models.py", "--models", run.bundle]
    command += ["--sources", run.sources, "--classifier", "tiny_500", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


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
    assert run.names() == WHOLE | {".note"} and "all as manifest.yml says" in (run.bundle / ".note").read_text(
        encoding="utf-8"
    )


def test_what_a_call_left_that_was_ended_after_its_last_step(run, server):
    """Downloads of a model that is whole are removed by the next call, unless they are to be kept."""
    run()
    left = run.bundle / ".downloads/tiny_500/virnucpro/500_model.pth"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a part")
    run(keep=True)
    assert left.is_file()
    run()
    assert run.names() == WHOLE
