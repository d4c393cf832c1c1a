"""Public training data: from a server or a folder, checked; and the one command that trains on them."""

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from models_server import FileServer

from virnucpro.errors import VirnucproError
from virnucpro.fetch.training_data import fetch_training_data, read_list

FILES = {"virus.fa": b">v\nACGT\n", "host.fa": b">h\nGGGG\n"}


def listed(path, url):
    files = {
        name: {"sample": name[:-3], "label": label, "url": f"{url}/{name}", "size": len(content)}
        | {"sha256": hashlib.sha256(content).hexdigest()}
        for (name, content), label in zip(FILES.items(), ("virus", "other"), strict=True)
    }
    path.write_text(yaml.safe_dump({"format": 1, "files": files}, sort_keys=False), encoding="utf-8")
    return path


def test_fetched_once_and_written_down(root, tmp_path):
    with FileServer() as server:
        server.files = {f"/{name}": content for name, content in FILES.items()}
        list_of = listed(tmp_path / "list.yml", server.url)
        command = [sys.executable, root / "bin/fetch_training_data.py", "--list", list_of, "--out", tmp_path / "data"]
        for _ in range(2):
            done = subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8")
            assert done.returncode == 0, done.stderr
        assert [path for path, _ in server.requests] == ["/virus.fa", "/host.fa"], "what is there is not fetched again"
    assert {name: (tmp_path / "data" / name).read_bytes() for name in FILES} == FILES
    rows = (tmp_path / "data/labelled.csv").read_text(encoding="utf-8").splitlines()
    assert rows == [
        "sample,fasta,label",
        f"virus,{tmp_path}/data/virus.fa,virus",
        f"host,{tmp_path}/data/host.fa,other",
    ]


def test_what_is_not_as_listed_is_refused(tmp_path):
    (tmp_path / "brought").mkdir()
    files = read_list(listed(tmp_path / "list.yml", "http://127.0.0.1:9"))
    with pytest.raises(VirnucproError, match=r"virus\.fa: is not there; fetch it from http"):
        fetch_training_data(files, tmp_path / "data", tmp_path / "brought", lambda _: None)
    for name, content in FILES.items():
        (tmp_path / "brought" / name).write_bytes(content.replace(b"C", b"A"))
    with pytest.raises(VirnucproError, match="SHA-256"):
        fetch_training_data(files, tmp_path / "data", tmp_path / "brought", lambda _: None)
    assert not list((tmp_path / "data").iterdir())


def test_the_list_that_comes_along_is_of_what_lies_beside_the_checkout(root):
    """Sizes and digests of the published files, against the reference data where they are."""
    data = root.parent / "shared/data/deepvirfinder_train"
    if not data.is_dir():
        pytest.skip(f"{data} is absent")
    for one in read_list(root / "assets/training/deepvirfinder.yml"):
        content = gzip.decompress((data / f"{one.file.name}.gz").read_bytes())
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one.file.size, one.file.sha256)


def test_the_one_command(root, tmp_path):
    """Which commands it runs, with a stand-in for Nextflow; the commands themselves have tests of their own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nextflow").write_text('#!/bin/sh\necho "$@" >> calls.txt\n', encoding="utf-8")
    (tmp_path / "bin/nextflow").chmod(0o755)
    data = root.parent / "shared/data/deepvirfinder_train"
    if not data.is_dir():
        pytest.skip(f"{data} is absent")
    for name in ("host_tr.fa", "virus_tr.fa"):
        (tmp_path / name).write_bytes(gzip.decompress((data / f"{name}.gz").read_bytes()))
    python = Path(sys.executable).parent
    env = os.environ | {"PATH": f"{tmp_path}/bin:{python}:{os.environ['PATH']}", "FROM": str(tmp_path)}
    command = [root / "assets/training/small_model.sh", "made", "esm2_t6_8M", "--", "--epochs", "3"]
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, env=env, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    fetch, train = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    assert "--workflow fetch_models --models made/models --encoders esm2_t6_8M --from" in fetch
    assert "--workflow train --input made/data/labelled.csv --models made/models" in train
    assert train.endswith("-resume --epochs 3") and "--classifier esm2_t6_8M_500" in train
