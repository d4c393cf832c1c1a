#!/usr/bin/env python3
"""Write the page and the tables of an evaluation (process EVALUATION_REPORT)."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.report.tables import write_figures, write_json


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--evaluation", required=True, type=Path, help="evaluation.json")
    p.add_argument("--params", required=True, type=Path, help="the run's parameters")
    p.add_argument("--versions", required=True, type=Path, help="{process: {tool: version}}")
    p.add_argument("--multiqc_config", type=Path, help="settings of the page (assets/multiqc_config.yml)")
    p.add_argument("--out", type=Path, required=True, help="folder to write into")
    a = p.parse_args()
    found, params, versions = (json.loads(f.read_text(encoding="utf-8")) for f in (a.evaluation, a.params, a.versions))
    a.out.mkdir(parents=True, exist_ok=True)
    write_figures(found["figures"], a.out / "figures.tsv")
    write_json(found, a.out / "evaluation.json")
    write_json(versions, a.out / "versions.json")
    # Imported late: MultiQC takes seconds, and the tables above are written even where it cannot start.
    from virnucpro.report.evaluation_sections import evaluation_modules
    from virnucpro.report.page import write_modules

    page = write_modules(lambda: evaluation_modules(found, params, versions), a.multiqc_config, a.out)
    print(f"report: {page}")


if __name__ == "__main__":
    run_main(main)
