#!/usr/bin/env python3
"""Hold tables of virus callers against the truth, all on the same sequences (process EVALUATE)."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.evaluation.paired import judge, read_tables


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--sheet", required=True, type=Path, help="JSON: caller and sample of each table")
    p.add_argument("--tables", required=True, nargs="+", type=Path, help="tables as the callers wrote them")
    p.add_argument(
        "--truth", required=True, type=Path, help="CSV or TSV: sequence_id,label[,sample,genome,group,length]"
    )
    p.add_argument("--seed", type=int, default=1, help="of the bootstrap [%(default)s]")
    p.add_argument("--out", required=True, type=Path, help="folder for evaluation.json and scores.tsv")
    a = p.parse_args()
    found, scores = judge(read_tables(a.sheet, a.tables), a.truth, a.seed)
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    scores.write_csv(a.out / "scores.tsv", separator="\t")
    for verdict in found["verdicts"]:
        print(verdict["text"])


if __name__ == "__main__":
    run_main(main)
