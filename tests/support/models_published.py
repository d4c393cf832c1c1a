"""Publishes small models as the real ones are published, and fetches them."""

import hashlib
from pathlib import Path

import models_files as files
import yaml
from models_server import FileServer

from virnucpro.fetch.download import content_of
from virnucpro.fetch.fetch import fetch
from virnucpro.fetch.sources import read_sources, wanted_items

DIM = files.SHAPE["dim"]
FEATURES = files.DNABERT_S["hidden"] + DIM


def publish(folder: Path) -> Path:
    """The files as their publishers have them: dnabert_s/, esm2.pt, hub/ (an ESM-2 in another form), 500_model.pth."""
    files.dnabert_s(folder / "dnabert_s")
    files.fair_esm_file(folder / "esm2.pt", files.fair_esm())
    files.hub_esm(folder / "hub", masked_lm=True, max_shard_size="20KB")
    files.virnucpro_classifier(folder / "500_model.pth", FEATURES)
    return folder


def serve(server: FileServer, folder: Path) -> FileServer:
    """Let `server` serve what lies in `folder`."""
    for path in folder.rglob("*"):
        if path.is_file():
            server.files["/" + path.relative_to(folder).as_posix()] = path.read_bytes()
    return server


def sources_file(folder: Path, base: str, blob: str) -> Path:
    """A models.yml for the published files, at the address `base`."""
    shape = {"layers": files.SHAPE["layers"], "dim": DIM}
    dnabert = {"layout": "hub", "base": f"{base}/dnabert_s", "files": {"config.json": {}, "tokenizer.json": {}}}
    weights = {"model.safetensors": {}, "model.safetensors.index.json": {}, "pytorch_model.bin": {}}
    hub = {"layout": "hub", "base": f"{base}/hub", "files": {"config.json": {}}, "weights": weights}
    fair = {"layout": "fair_esm", "base": base, "files": {"esm2.pt": {}}}
    mlp = {"layout": "virnucpro", "base": base, "files": {"500_model.pth": {"git_blob": blob}}}
    uses = [
        {"kind": "dnabert_s", "name": "dnabert_s", "layer": "last", "dim": files.DNABERT_S["hidden"]},
        {"kind": "esm2", "name": "esm2_tiny", "layer": 2, "dim": DIM},
    ]
    card = {"title": "Tiny", "chunk_length": 500, "encoders": uses, "classes": ["others", "virus"]}
    content = {
        "format": 1,
        "encoders": {
            "dnabert_s": {"kind": "dnabert_s", "licence": "Apache-2.0", "sources": [dnabert | {"weights": weights}]},
            "esm2_tiny": {"kind": "esm2", "licence": "MIT", "shape": shape, "sources": [fair, hub]},
        },
        "classifiers": {"tiny_500": {"licence": "MIT", "sources": [mlp], "card": card}},
    }
    path = folder / "models.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


class Run:
    """Fetches tiny_500 with its encoders into `bundle`; keeps what was said."""

    def __init__(self, folder: Path, base: str, published: Path):
        self.bundle, self.said = folder / "models", []
        self.sources = sources_file(folder, base, content_of(published / "500_model.pth").git_blob)

    def __call__(self, brought: Path | None = None, **how) -> "Run":
        self.said.clear()
        items = wanted_items(read_sources(self.sources), how.pop("classifiers", ["tiny_500"]), how.pop("encoders", []))
        fetch(self.bundle, items, brought, self.said.append, **how)
        return self

    def names(self) -> set[str]:
        return {p.relative_to(self.bundle).as_posix() for p in self.bundle.rglob("*") if p.is_file()}

    def hashes(self) -> dict[str, str]:
        return {n: hashlib.sha256((self.bundle / n).read_bytes()).hexdigest() for n in self.names()}


WHOLE = {
    "manifest.yml",
    "sources.lock.yml",
    ".fetch.lock",
    "classifiers/tiny_500/classifier.yml",
    "classifiers/tiny_500/model.safetensors",
    "encoders/dnabert_s/config.json",
    "encoders/dnabert_s/model.safetensors",
    "encoders/dnabert_s/tokenizer.json",
    "encoders/esm2_tiny/config.json",
    "encoders/esm2_tiny/model.safetensors",
}
