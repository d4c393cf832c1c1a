"""A made-up run, for tests of the report and the watcher: summaries, task reports, a plan, a model's card, event files.

The figures follow from the arguments by simple rules (no randomness beyond a seeded one), so that a test can say what a
report must hold.
"""

import json
import random
from pathlib import Path

HOSTILE = '<script>alert("x")</script>|a\'b & "ü"\u202e\ttab'
START = 1_760_000_000.0


def summary(sample: str, virus=0, other=0, no_open_frame=0, too_short=0, failed=0, seed=1, **more) -> dict:
    """A sample's summary whose states add up; scores of viruses lie in 0.5..1, of others in 0..0.5."""
    rng = random.Random(seed)
    total = virus + other + no_open_frame + too_short + failed
    scored = [(rng.lognormvariate(7.5, 1), 1 - 0.5 * rng.random() ** 2, "virus") for _ in range(virus)]
    scored += [(rng.lognormvariate(7.5, 1), 0.5 * rng.random() ** 2, "other") for _ in range(other)]
    scored = [[max(60, int(n)), min(0.9999, s), state] for n, s, state in scored]
    histogram = [0] * 20
    for _, score, _ in scored:
        histogram[int(20 * score)] += 1
    top = sorted((p for p in scored if p[2] == "virus"), key=lambda p: -p[1])[:50]
    return {
        "format": 1,
        "sample": sample,
        "state": "complete",
        "reason": "",
        "files": [f"{sample}.fasta.gz"],
        "bases": sum(p[0] for p in scored) + 400 * (total - len(scored)),
        "sequences": {
            "total": total,
            "virus": virus,
            "other": other,
            "no_open_frame": no_open_frame,
            "too_short": too_short,
            "failed": failed,
        },
        "chunks": {
            "total": 4 * total,
            "virus": 2 * virus,
            "other": 2 * other,
            "no_open_frame": 2 * (virus + other) + 4 * (no_open_frame + too_short),
            "failed": 4 * failed,
        },
        "frames": {
            "total": 3 * (virus + other + failed),
            "stretches": 0,
            "scored": 3 * (virus + other),
            "failed": 3 * failed,
        },
        "min_score": 0.5,
        "score_histogram": histogram,
        "length_score": scored[:2000],
        "top_viruses": [
            {
                "id": f"{sample}_contig_{i}",
                "description": "k141 flag=1 multi=9.1",
                "length": n,
                "virus_score": s,
                "max_p_virus": min(1.0, s + 0.01),
                "chunks": 6,
                "chunks_scored": 4,
                "chunks_virus": 2 + i % 3,
            }
            for i, (n, s, _) in enumerate(top)
        ],
        "virus_calls": {"one_scored_chunk": virus // 2, "shorter_than_a_chunk": virus // 3},
        "failures": [
            {"level": "sequence", "id": f"{sample}_bad_{i}", "reason": "the record is empty"} for i in range(failed)
        ],
        "failures_total": failed,
        "missing_tasks": [],
        **more,
    }


def plan(samples: list[str], tasks=4, frames=1000, tokens_per_frame=(130, 168), weight="tokens") -> dict:
    """A plan with `tasks` tasks per encoder of nearly equal load; each task has one shard of each sample."""
    encoders = {}
    for kind, cost in zip(("dnabert_s", "esm2"), tokens_per_frame, strict=True):
        rows = []
        for i in range(1, tasks + 1):
            n = frames + 3 * i
            rows.append(
                {
                    "task": f"{kind}_{i:03d}",
                    "load": n * cost if weight == "tokens" else n,
                    "frames": n,
                    "tokens": n * cost,
                    "shards": [f"{s}.shard_{i:05d}" for s in samples],
                }
            )
        loads = [r["load"] for r in rows]
        mean = sum(loads) / len(loads)
        encoders[kind] = {
            "tasks": rows,
            "total_load": sum(loads),
            "max_load": max(loads),
            "mean_load": mean,
            "balance": max(loads) / mean,
        }
    return {"format": 1, "weight": weight, "encoders": encoders}


def task_report(
    planned: dict, encoder: str, started: float, gpu=0, speed=20_000.0, load=8.0, failed=(), **more
) -> dict:
    """A finished task's report: `speed` tokens/s after `load` seconds. `failed` lists (frame_id, reason)."""
    work = planned["tokens"] / speed
    shard = planned["shards"][0]
    return {
        "format": 1,
        "encoder": encoder,
        "model": {"dnabert_s": "DNABERT-S", "esm2": "esm2_t36_3B_UR50D"}[encoder],
        "task": planned["task"],
        "attempt": 1,
        "device": {"type": "cuda", "name": "NVIDIA A100-SXM4-40GB", "uuid": f"GPU-{gpu:08x}"},
        "precision": "fp16",
        "processed": planned["frames"] - len(failed),
        "failed": [
            {"shard": shard, "frame_key": 6 * i, "frame_id": frame_id, "reason": reason}
            for i, (frame_id, reason) in enumerate(failed)
        ],
        "shards": [
            {
                "shard": s,
                "frames": planned["frames"] // len(planned["shards"]),
                "processed": planned["frames"] // len(planned["shards"]),
                "failed": 0,
                "tokens": planned["tokens"] // len(planned["shards"]),
                "seconds": work / len(planned["shards"]),
                "reused": False,
            }
            for s in planned["shards"]
        ],
        "tokens": planned["tokens"],
        "padding_tokens": planned["tokens"] // 99 if encoder == "dnabert_s" else 0,
        "unique_sequences": planned["frames"] - len(failed),
        "started": started,
        "finished": started + load + work,
        "seconds": {"load": load, "work": work, "total": load + work},
        "tokens_per_second": speed,
        "peak_memory_bytes": 12_345_678_901,
        "batch_tokens": 65_536,
        "oom_halvings": 0,
        "hostname": "gpu-node-01",
        "versions": {"torch": "2.11.0"},
        **more,
    }


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
