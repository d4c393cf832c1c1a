"""A made-up run, for tests of the report and the watcher: summaries, task reports, a plan, a model's card, event files.

The figures follow from the arguments by simple rules (no randomness beyond a seeded one), so that a test can say what a
report must hold. What the tasks write is made by their own code: a sample's summary, a plan, a task's report.
"""

import json
import random
import socket
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import polars as pl
import pyarrow as pa

from virnucpro.calling.calls import call_chunks, call_sequences, deciding
from virnucpro.calling.sample import Sample
from virnucpro.calling.scoring import Scores
from virnucpro.calling.summary import Summary
from virnucpro.embedding import report as task_reports
from virnucpro.embedding.shards import Shard
from virnucpro.formats import FRAMES, frame_key
from virnucpro.packing.plan import ShardLoad, plan_encoder

HOSTILE = '<script>alert("x")</script>|a\'b & "ü"\u202e\ttab'
START = 1_760_000_000.0
CHUNK = 500  # bases
HOST = "gpu-node-01"


def summary(sample: str, virus=0, other=0, no_open_frame=0, too_short=0, failed=0, seed=1, **more) -> dict:
    """A sample's summary; scores of viruses lie in 0.5..1, of others in 0..0.5. Half of the viruses, rounded down, have
    one scored chunk, all others two; a third of them is shorter than a chunk."""
    rng = random.Random(seed)
    length, opened, score = [], [], []
    for i in range(virus + other + no_open_frame):
        short = i < virus // 3
        length.append(rng.randrange(60, CHUNK) if short else CHUNK + max(CHUNK, int(rng.lognormvariate(7.5, 1))))
        opened.append(0 if i >= virus + other else 1 if i < virus // 2 else 2)
        score.append(1 - 0.5 * rng.random() ** 2 if i < virus else 0.49 * rng.random() ** 2)
    reasons = {"too_short": "59 bases, --min_length is 60", "failed": "the record is empty"}
    states = [""] * len(length) + ["too_short"] * too_short + ["failed"] * failed
    total = len(states)
    length += [59] * too_short + [0] * failed
    chunks = [-(-n // CHUNK) if state == "" else 0 for n, state in zip(length, states, strict=True)]
    sequences = pl.DataFrame(
        {
            "sequence": range(total),
            "sequence_id": [f"{sample}_contig_{i}" for i in range(total)],
            "description": ["k141 flag=1 multi=9.1"] * total,
            "length": length,
            "chunks": chunks,
            "genetic_code": [1 if n else 0 for n in chunks],
            "better_genetic_code": [0] * total,
            "state": states,
            "reason": [reasons.get(state, "") for state in states],
        },
        schema_overrides=dict.fromkeys(("sequence_id", "description", "state", "reason"), pl.String),
    )
    of = np.repeat(np.arange(total), chunks)
    place = np.arange(len(of)) - np.repeat(np.cumsum(chunks, dtype=int) - chunks, chunks)
    is_open = place < np.array(opened + [0] * (too_short + failed))[of]
    table = pl.DataFrame(
        {
            "sequence": of,
            "cut": np.zeros(len(of), dtype=np.uint8),
            "number": place + 1,
            "start": CHUNK * place,
            "end": np.minimum(CHUNK * (place + 1), np.array(length, dtype=int)[of]),
            **dict.fromkeys(("open_frames", "standard_frames"), is_open.astype(np.uint8)),
            "stretch_frames": np.zeros(len(of), dtype=np.uint8),
            **{f"residues_{frame}": np.where(is_open & (frame == "F1"), 100, 0) for frame in FRAMES},
        }
    )
    keys = frame_key(np.flatnonzero(is_open), 0)
    p = np.array(score, dtype=np.float32)[of[is_open]] if score else np.zeros(0, dtype=np.float32)
    manifest = {"state": "ok", "reason": "", "files": [f"{sample}.fasta.gz"], "bases": sum(length), "stretches": 0}
    manifest |= {"chunk_length": CHUNK, "sequences": total, "chunks": len(of), "frames": len(keys)}
    made = Sample(sample, manifest, sequences, table, keys)
    scores = Scores(keys, np.stack([1 - p, p], axis=1))
    called = call_chunks(made, scores)
    calls = call_sequences(made, deciding(called), 0.5)
    told = Summary(sample, manifest, ["virnucpro_500"])
    told.add_calls(calls, called, scores)
    told.add_sequences(calls)
    told.check()
    return told.content(0.5) | more


def plan(samples: list[str], tasks=4, frames=1000, tokens_per_frame=(130, 168), weight="tokens") -> dict:
    """A plan with `tasks` tasks per encoder of nearly equal load; each task has one shard of each sample."""
    encoders = {}
    for kind, cost in zip(("dnabert_s", "esm2"), tokens_per_frame, strict=True):
        shards, kept = [], {}
        for i in range(1, tasks + 1):
            n, more = divmod(frames + 3 * i, len(samples))
            sizes = {f"{s}.shard_{i:05d}": n + (place < more) for place, s in enumerate(samples)}
            shards += [ShardLoad(name, size, size * cost) for name, size in sizes.items()]
            kept[f"{kind}_{i:03d}"] = list(sizes)
        encoders[kind] = plan_encoder(kind, shards, 0, weight, kept)
    return {"format": 1, "weight": weight, "encoders": encoders}


def task_report(
    planned: dict, encoder: str, started: float, gpu=0, speed=20_000.0, load=8.0, failed=(), **more
) -> dict:
    """A finished task's report: `speed` tokens/s after `load` seconds. `failed` lists (frame_id, reason)."""
    model = {"dnabert_s": "DNABERT-S", "esm2": "esm2_t36_3B_UR50D"}[encoder]
    report = task_reports.Report(encoder, model, planned["task"], 1, started=started, loaded=started + load)
    names, work = planned["shards"], planned["tokens"] / speed
    keys = pa.chunked_array([[6 * i for i in range(len(failed))]], pa.int64())
    ids = pa.chunked_array([[frame_id for frame_id, _ in failed]], pa.string())
    for row, (_, reason) in enumerate(failed):
        report.add_failure(Shard(names[0], keys, ids, []), row, reason)
    for place, name in enumerate(names):
        frames = planned["frames"] // len(names) + (place < planned["frames"] % len(names))
        done = frames - (0 if place else len(failed))
        report.add_shard(name, frames, done, planned["tokens"] // len(names), work / len(names), reused=False)
    uuid = {"type": "cuda", "name": "NVIDIA A100-SXM4-40GB", "uuid": f"GPU-{gpu:08x}"}
    device = SimpleNamespace(is_gpu=False, report=lambda: uuid)
    padding = planned["tokens"] // 99 if encoder == "dnabert_s" else 0
    embedder = SimpleNamespace(tokens=planned["tokens"], padding_tokens=padding, recomputed=0, budget=65_536)
    embedder.oom_halvings, embedder.packed = 0, True
    end = SimpleNamespace(time=lambda: started + load + work)
    with patch.object(task_reports, "time", end), patch.object(socket, "gethostname", lambda: HOST):
        return report.content(device, "fp16", embedder, planned["frames"] - len(failed)) | more


MODELS = {
    "classifier": {
        "name": "virnucpro_500",
        "title": "VirNucPro, chunks of 500 bases",
        "chunk_length": 500,
        "purpose": "tells viral from non-viral sequences in metagenomes",
        "limits": "Proviruses and plasmids were not trained on.\nChunks without an open frame are not scored.",
        "training": {"data": "RefSeq viral, bacterial, human", "frames": 1234567},
        "evaluation": {"AUC per frame": 0.98},
        "citation": "Li et al. 2025, bbaf224",
        "licence": "MIT",
    },
    "encoders": [
        {"kind": "dnabert_s", "name": "DNABERT-S", "layer": "last", "dim": 768, "parameters": 117_000_000},
        {"kind": "esm2", "name": "esm2_t36_3B_UR50D", "layer": 36, "dim": 2560, "parameters": 2_838_000_000},
    ],
}
PARAMS = {"input": "samplesheet.csv", "outdir": "results", "min_score": 0.5, "task_weight": "tokens", "gpus": 4}
LAUNCH = {
    "command_line": "nextflow run nf-virnucpro --input 'a b.csv' -resume",
    "run_name": "happy_darwin",
    "session": "8753a822-9ac6-4d60-a602-e2723626c073",
    "revision": "main",
    "commit": "0123456789abcdef0123456789abcdef01234567",
}


def write_run(folder: Path, summaries: list[dict], plan_: dict | None, reports: list[dict], expected=None) -> list[str]:
    """Write the files as REPORT gets them; returns report.py's arguments, without --out."""
    for name in ("summaries", "task_reports"):
        (folder / name).mkdir(parents=True)
    for i, s in enumerate(summaries):  # numbered: a test's sample name may not be fit for a file name
        _json(folder / "summaries" / f"{i}.summary.json", s)
    for r in reports:
        _json(folder / "task_reports" / f"{r['task']}.report.json", r)
    _json(folder / "models.json", MODELS)
    _json(folder / "params.json", PARAMS)
    _json(folder / "launch.json", LAUNCH)
    (folder / "versions.yml").write_text(
        '"PREDICT:EMBED_ESM2":\n    python: 3.11.2\n    torch: 2.11.0\n', encoding="utf-8"
    )
    if plan_:
        _json(folder / "plan.json", plan_)
    _json(folder / "expected.json", {"format": 1, "samples": expected or {s["sample"]: s["files"] for s in summaries}})
    args = ["--summaries", folder / "summaries", "--task_reports", folder / "task_reports"]
    for name in ("plan", "models", "params", "expected", "launch"):
        args += [f"--{name}", folder / f"{name}.json"]
    return [str(a) for a in (*args, "--versions", folder / "versions.yml")]


def reports_of(plan_: dict, gpus=2, skip=(), **more) -> list[dict]:
    """Reports of all tasks but `skip`, one after the other on `gpus` devices."""
    free = [START] * gpus
    reports = []
    for encoder, part in plan_["encoders"].items():
        speed = {"dnabert_s": 60_000.0, "esm2": 20_000.0}[encoder]
        for i, planned in enumerate(part["tasks"]):
            if planned["task"] in skip:
                continue
            gpu = free.index(min(free))
            r = task_report(planned, encoder, free[gpu], gpu, speed * (1 - 0.02 * (i % 3)), **more)
            free[gpu] = r["finished"] + 1.5
            reports.append(r)
    return reports


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
