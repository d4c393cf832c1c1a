#!/usr/bin/env python3
"""Plan which shards each embedding task takes, so that all tasks take equally long (process PACK_BINS)."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import InputError, UsageError, run_main
from virnucpro.packing import WEIGHTS, Shard, number_of_bins, plan_encoder
from virnucpro.tables import ENCODERS


def read_manifests(folder: Path) -> list[dict]:
    """The `*.manifest.json` files of EXTRACT_FRAMES in `folder`, by sample name."""
    manifests = []
    for path in sorted(folder.glob("*.manifest.json")):
        try:
            manifests.append(json.loads(path.read_text()))
        except json.JSONDecodeError as e:
            raise InputError(f"{path.name}: not a shard manifest ({e})") from e
    if not manifests:
        raise InputError(f"{folder}: no *.manifest.json in it")
    return sorted(manifests, key=lambda m: m["sample"])


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--manifests", required=True, type=Path, help="folder with the samples' *.manifest.json")
    p.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=ENCODERS, help="[all]")
    p.add_argument("--weight", default="tokens", choices=list(WEIGHTS), help="what load is [%(default)s]")
    p.add_argument("--bins", type=int, default=0, help="bins per encoder; 0 chooses [%(default)s]")
    p.add_argument("--gpus", type=int, default=1, help="GPUs that work at once [%(default)s]")
    p.add_argument("--min_bin_tokens", type=int, default=500_000, help="smallest worthwhile bin [%(default)s]")
    p.add_argument("--max_bin_tokens", type=int, default=50_000_000, help="largest bin [%(default)s]")
    p.add_argument("--out", required=True, type=Path, help="the plan (JSON)")
    a = p.parse_args()
    if a.bins < 0 or min(a.gpus, a.min_bin_tokens, a.max_bin_tokens) < 1:
        raise UsageError("--bins must be 0 or more; --gpus, --min_bin_tokens and --max_bin_tokens at least 1")
    rows = [shard for m in read_manifests(a.manifests) for shard in m["shards"]]
    plan = {"format": 1, "weight": a.weight, "gpus": a.gpus, "encoders": {}}
    for encoder in a.encoders:
        shards = [Shard(r["name"], r["frames"], r[f"{encoder}_tokens"]) for r in rows]
        tokens = sum(s.tokens for s in shards)
        bins = min(a.bins, len(shards)) or number_of_bins(
            len(shards), tokens, a.gpus, smallest=a.min_bin_tokens, largest=a.max_bin_tokens
        )
        plan["encoders"][encoder] = packed = plan_encoder(encoder, shards, bins, a.weight)
        print(
            f"{encoder}: {len(shards):,} shards, {tokens:,} tokens in {bins} bins; "
            f"predicted balance (max/mean {a.weight}) {packed['balance']:.4f}"
        )
    a.out.write_text(json.dumps(plan, indent=1) + "\n")


if __name__ == "__main__":
    run_main(main)
