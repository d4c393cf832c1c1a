#!/usr/bin/env python3
"""Plan which shards each embedding task takes, so that all tasks take equally long (process PACK_BINS)."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import InputError, UsageError, has_packages, run_main

with has_packages():
    from virnucpro.encoders.kinds import KINDS
    from virnucpro.packing.plan import (
        LARGEST_TASK,
        SMALLEST_TASK,
        WEIGHTS,
        ShardLoad,
        number_of_bins,
        plan_encoder,
        unplanned,
    )


def read_manifests(folder: Path) -> list[dict]:
    """The `*.manifest.json` files of EXTRACT_FRAMES in `folder`, by sample name."""
    manifests = []
    for path in sorted(folder.glob("*.manifest.json")):
        try:
            manifests.append(json.loads(path.read_text(encoding="utf-8")))
        except json.JSONDecodeError as e:
            raise InputError(f"{path.name}: not a shard manifest ({e})") from e
    if not manifests:
        raise InputError(f"{folder}: no *.manifest.json in it")
    return sorted(manifests, key=lambda m: m["sample"])


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--manifests", required=True, type=Path, help="folder with the samples' *.manifest.json")
    p.add_argument(
        "--encoders",
        nargs="+",
        default=["dnabert_s", "esm2"],
        choices=list(KINDS),
        help="kinds of encoder [VirNucPro's]",
    )
    p.add_argument("--weight", default="tokens", choices=list(WEIGHTS), help="what load is [%(default)s]")
    p.add_argument(
        "--tasks_per_encoder", type=int, default=0, help="embedding tasks per encoder; 0 chooses [%(default)s]"
    )
    p.add_argument("--gpus", type=int, default=1, help="GPUs that work at once [%(default)s]")
    p.add_argument("--min_task_tokens", type=int, default=SMALLEST_TASK, help="smallest worthwhile task [%(default)s]")
    p.add_argument("--max_task_tokens", type=int, default=LARGEST_TASK, help="largest task [%(default)s]")
    p.add_argument("--keep", type=Path, help='JSON: {"tasks": {"esm2": {"esm2_001": [shards]}}} stay as they are')
    p.add_argument("--out", required=True, type=Path, help="the plan (JSON)")
    a = p.parse_args()
    if a.tasks_per_encoder < 0 or min(a.gpus, a.min_task_tokens, a.max_task_tokens) < 1:
        raise UsageError(
            "--tasks_per_encoder must be 0 or more; --gpus, --min_task_tokens and --max_task_tokens at least 1"
        )
    rows = [shard for m in read_manifests(a.manifests) for shard in m["shards"]]
    kept = json.loads(a.keep.read_text(encoding="utf-8")) if a.keep else {}
    tasks = kept.get("tasks", {})
    plan = {"format": 1, "weight": a.weight, "gpus": a.gpus, "kept": kept, "encoders": {}}
    for encoder in a.encoders:
        shards = [ShardLoad(r["name"], r["frames"], r[f"{encoder}_tokens"]) for r in rows]
        tokens = sum(s.tokens for s in shards)
        new = unplanned(shards, tasks.get(encoder))
        bins = min(a.tasks_per_encoder, len(new)) or number_of_bins(
            len(new), sum(s.tokens for s in new), a.gpus, smallest=a.min_task_tokens, largest=a.max_task_tokens
        )
        plan["encoders"][encoder] = packed = plan_encoder(encoder, shards, bins, a.weight, tasks.get(encoder))
        print(
            f"{encoder}: {len(shards):,} shards, {tokens:,} tokens in {len(packed['tasks'])} tasks, {bins} of them "
            f"new; predicted balance (max/mean {a.weight}) {packed['balance']:.4f}"
        )
    a.out.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_main(main)
