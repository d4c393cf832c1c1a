"""Train the compact model from a package of Debian and write its bundle (docs/pretraining.md).

python -m pretraining --packages packages --work work --bundle assets/compact_models
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

from pretraining.noncoding import NEEDED  # noqa: E402
from pretraining.recipe import finish, train  # noqa: E402
from pretraining.stages import compare, draw, gather, say  # noqa: E402
from pretraining.tables import count, describe  # noqa: E402

MARKERS = "var/lib/metaphlan2-data/markers.fasta"


def main() -> None:
    p = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__.splitlines()[0])
    p.add_argument("--packages", required=True, type=Path, help="folder with the packages unpacked by dpkg -x")
    p.add_argument("--work", required=True, type=Path, help="folder for what each stage leaves; a later run goes on")
    p.add_argument("--bundle", required=True, type=Path, help="model bundle to be written")
    p.add_argument("--judging", type=Path, default=ROOT.parent / "shared" / "data", help="[%(default)s]")
    p.add_argument("--report", action="store_true", help="judge by the report half, too: once, when all is chosen")
    a = p.parse_args()
    markers = a.packages / MARKERS
    needed = {"metaphlan2-data": markers} | {name: a.packages / file for name, file in NEEDED.items()}
    for name, file in needed.items():
        if not file.exists():
            p.error(f"{file} is absent: apt-get download {name}; dpkg -x {name}_*.deb {a.packages}")
    if not (a.judging / "deepvirfinder_train").is_dir():
        p.error(f"{a.judging}/deepvirfinder_train is absent: the data to judge by are no part of this project")
    a.work.mkdir(parents=True, exist_ok=True)
    genes = gather(markers, compare(markers, a.judging, a.work), a.work)
    windows = draw(genes, a.packages, a.work)
    counts = count(genes, a.work)
    statistics = describe(windows, counts, a.work)
    members = train(windows, statistics, a.work)
    found = finish(members, counts, a.judging / "deepvirfinder_train", a.packages, a.bundle, a.report)
    (a.work / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    say(f"{a.bundle} is written; figures: {a.work / 'figures.json'}")


if __name__ == "__main__":
    main()
