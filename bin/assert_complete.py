#!/usr/bin/env python3
"""Exit 1 and say what is missing where a run could not score, or verify, everything (process ASSERT_COMPLETE)."""

import argparse
import json
import sys
from pathlib import Path

SHOWN = 20
SCORED = "every sequence of the input is accounted for, none failed"
MISSING = "The run is not complete. What could be scored has been delivered; missing are:"


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("summary", type=Path, help="summary.json of REPORT, or verify.json of VERIFY_MODELS")
    summary = json.loads(p.parse_args().summary.read_text(encoding="utf-8"))
    if summary["complete"]:
        print(summary.get("verdict", SCORED))
        return 0
    problems = summary["problems"]
    print(summary.get("verdict", MISSING), file=sys.stderr)
    for line in problems[:SHOWN]:
        print(f"  {line}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"  and {len(problems) - SHOWN} more (see the report)", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
