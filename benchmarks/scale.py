#!/usr/bin/env python3
"""Time, memory, files and disk of each CPU stage for many contigs, in one sample: EXTRACT_FRAMES, PACK_BINS, CLASSIFY.

    benchmarks/scale.py [--contigs 100000 1000000] [--width demo|published] [--folder DIR] [--keep]

Contigs of 600 bases with two open frames each, made from a seed. The encoders' time is not the question: embeddings are
random numbers in files of the embedding tasks' own writer. `published` takes a random classifier that reads VirNucPro's
768 + 2,560 values. 10,000,000 contigs need some 40 GB of disk with the demo's width.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
import pyarrow.parquet as pq
import yaml
from measure import Cost, machine, run
from safetensors.numpy import save_file

from virnucpro.bundle.classifier import read_classifier
from virnucpro.embedding.shards import Shard
from virnucpro.embedding.writing import embedding_table, halved, write_embeddings

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "assets/demo_models/classifiers/demo_500"
PUBLISHED = {"dnabert_s": 768, "esm2": 2560}
CODONS, CHUNK, BATCH = 200, 500, 20_000


def write_contigs(path: Path, contigs: int) -> None:
    """600 bases each, codons without a stop: both chunks are open in the frame in which they were written."""
    rng = np.random.default_rng(1)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    codons = np.array([a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"])
    senses = np.flatnonzero(~np.isin(codons, ["TAA", "TAG", "TGA"]))
    with path.open("wb") as out:
        for first in range(0, contigs, BATCH):
            count = min(BATCH, contigs - first)
            codon = rng.choice(senses, (count, CODONS))
            bases = letters[np.stack([codon // 16, codon // 4 % 4, codon % 4], axis=-1)].reshape(count, 3 * CODONS)
            rows = zip(range(first, first + count), bases, strict=True)
            out.write(b"".join(b">contig_%d made\n%b\n" % (n, row.tobytes()) for n, row in rows))


def random_classifier(folder: Path) -> Path:
    """VirNucPro's layout with random weights."""
    folder.mkdir()
    rng, width = np.random.default_rng(2), sum(PUBLISHED.values())
    shapes = {"hidden_layer.weight": (512, width), "output_layer.weight": (2, 512), "output_layer.bias": (2,)}
    shapes |= dict.fromkeys(("hidden_layer.bias", "bn1.weight", "bn1.bias", "bn1.running_mean"), (512,))
    weights = {name: rng.standard_normal(s).astype(np.float32) / s[-1] ** 0.5 for name, s in shapes.items()}
    save_file(weights | {"bn1.running_var": np.ones(512, dtype=np.float32)}, folder / "model.safetensors")
    encoders = [{"kind": k, "name": k, "layer": "last", "dim": d} for k, d in PUBLISHED.items()]
    card = {"format": 1, "name": "random", "chunk_length": CHUNK, "encoders": encoders}
    (folder / "classifier.yml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return folder


def embed(tables: Path, sample: str, encoders: dict[str, int], out: Path) -> None:
    """A file for each shard and encoder, as the embedding tasks write them on a GPU."""
    out.mkdir()
    rng = np.random.default_rng(3)
    pool = {kind: halved(rng.standard_normal((10_000, dim)).astype(np.float32)) for kind, dim in encoders.items()}
    for shard in json.loads((tables / f"{sample}.manifest.json").read_text(encoding="utf-8"))["shards"]:
        table = pq.read_table(tables / f"{shard['name']}.parquet", columns=["frame_key", "frame_id"])
        read = Shard(shard["name"], table["frame_key"], table["frame_id"], [])
        for kind, vectors in pool.items():
            mine = np.roll(vectors, int(rng.integers(len(vectors))), axis=0)[: table.num_rows]
            metadata = {"encoder": kind, "dim": str(vectors.shape[1])}
            write_embeddings(embedding_table(read, mine, {}, metadata), out / f"{shard['name']}.{kind}.parquet")


def apart(function: Callable[..., None], *arguments) -> None:
    """Call in a process of its own: the kernel counts this one's largest memory as that of each process it starts."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{function.__name__} failed")


def size(folder: Path) -> tuple[int, float]:
    """Files in a folder, and what they hold in MB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 1e6


def measure(contigs: int, classifier: Path, folder: Path) -> list[tuple[str, Cost | None, int, float]]:
    """Of each stage its name, cost, files and MB written."""
    fasta, tables, embeddings, results = (folder / name for name in ("in.fa", "tables", "embeddings", "results"))
    card = read_classifier(classifier)
    encoders = {e.kind: e.dim for e in card.encoders}
    apart(write_contigs, fasta, contigs)
    rows = [("input", None, *size_of(fasta))]

    def stage(name: str, out: Path, *command) -> None:
        cost = run([sys.executable, ROOT / "bin" / command[0], *command[1:]])
        rows.append((name, cost, *(size(out) if out.is_dir() else size_of(out))))

    sample = ["--sample", "s", fasta]
    stage(
        "EXTRACT_FRAMES",
        tables,
        "extract_frames.py",
        *sample,
        "--chunk_length",
        CHUNK,
        "--out",
        tables,
    )
    stage("PACK_BINS", folder / "plan.json", "pack_bins.py", "--manifests", tables, "--out", folder / "plan.json")
    apart(embed, tables, "s", encoders, embeddings)
    rows.append(("embeddings", None, *size(embeddings)))
    files = ["--tables", tables, "--embeddings", embeddings, "--classifier", classifier]
    stage("CLASSIFY", results, "classify.py", *sample, *files, "--out", results)
    return rows


def size_of(path: Path) -> tuple[int, float]:
    return 1, path.stat().st_size / 1e6


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--contigs", type=int, nargs="+", default=[100_000, 1_000_000])
    p.add_argument("--width", choices=["demo", "published"], default="demo", help="of the embeddings [%(default)s]")
    p.add_argument("--folder", type=Path, help="where the files are written [a temporary folder]")
    p.add_argument("--keep", action="store_true", help="leave them there")
    a = p.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}  # as the tasks have it
    print(f"Contigs of {3 * CODONS} bases, two open frames each; embeddings of the {a.width} width\n{machine()}\n")
    print("| contigs | stage | wall s | CPU s | memory MB | files | MB |\n" + "|---" * 7 + "|", flush=True)
    with tempfile.TemporaryDirectory(dir=a.folder) as scratch:
        classifier = random_classifier(Path(scratch) / "random") if a.width == "published" else DEMO
        for contigs in a.contigs:
            folder = Path(scratch if not a.keep else a.folder) / f"{contigs}"
            folder.mkdir(parents=True)
            for name, cost, files, megabytes in measure(contigs, classifier, folder):
                cells = (
                    [f"{x:,.3g}" if x < 100 else f"{x:,.0f}" for x in (cost.wall, cost.cpu, cost.memory)]
                    if cost
                    else [""] * 3
                )
                print(f"| {contigs:,} | {name} | {' | '.join(cells)} | {files:,} | {megabytes:,.1f} |", flush=True)
            if not a.keep:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
