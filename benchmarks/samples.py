#!/usr/bin/env python3
"""Many small samples: sharing tasks against a task for each sample, and what one sample more costs under -resume.

    benchmarks/samples.py [--samples 100] [--rounds 1] [--store]

Each sample has five sequences of 500 to 3,000 bases, cut from the bundled example; the model is compact. Whole runs,
reports and published files included, take turns. The results must be the same bytes. Needs nextflow on PATH
(`make bench` sees to that). 1,000 samples take half an hour on two cores.
"""

import argparse
import csv
import gzip
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import Cost, machine, run, spread, take_turns

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ("pipeline_info/", "multiqc_report")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--samples", type=int, default=100)
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--store", action="store_true", help="with an embedding store, a new one for each run")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_samples(folder, a.samples + 1)
        ways = {"a task for each sample": "1", "samples share tasks": "auto"}
        done: dict[str, list[tuple[str, ...]]] = {way: [] for way in ways}
        contenders = {way: contender(folder, way, value, rows[:-1], a.store, done) for way, value in ways.items()}
        costs = take_turns(contenders, a.rounds)
        first, *others = (results(folder / way / "out") for way in ways)
        if any(other != first for other in others):
            raise SystemExit("the results differ")
        more = {way: contender(folder, way, value, rows, a.store, done, resume=True)() for way, value in ways.items()}
    print(f"{a.samples} samples of five sequences, {a.rounds} rounds, min / median / max\n{machine()}\n")
    print("| | wall s | CPU s | tasks | entries in work/ | one sample more: tasks | wall s |\n|" + " --- |" * 7)
    for way, runs in costs.items():
        wall, cpu = (spread([getattr(c, f) for c in runs]) for f in ("wall", "cpu"))
        tasks, entries = done[way][a.rounds - 1]
        print(f"| {way} | {wall} | {cpu} | {tasks} | {entries} | {done[way][-1][0]} | {more[way].wall:.3g} |")
    single, shared = costs.values()
    print(f"\nwall ratio, round by round: {spread([s.wall / t.wall for s, t in zip(single, shared, strict=True)])}")


def write_samples(folder: Path, samples: int) -> list[str]:
    """FASTA files in `folder`, and the rows of their samplesheet."""
    genomes = []
    for name in ("lambda", "ecoli"):
        with gzip.open(ROOT / f"assets/example/{name}.fa.gz", "rt", encoding="utf-8") as text:
            genomes.append("".join(line.strip() for line in text if not line.startswith(">")))
    rng = random.Random(1)
    rows = []
    for sample in range(samples):
        path = folder / f"sample_{sample:04d}.fa"
        with path.open("w", encoding="utf-8") as out:
            for i in range(5):
                genome, length = rng.choice(genomes), rng.randint(500, 3000)
                start = rng.randrange(len(genome) - length)
                out.write(f">contig_{i}\n{genome[start : start + length]}\n")
        rows.append(f"{path.stem},{path}")
    return rows


def contender(
    folder: Path, way: str, value: str, rows: list[str], store: bool, done: dict, resume: bool = False
) -> Callable[[], Cost]:
    """A run in a folder of its own, which notes its tasks and the entries of its work folder in `done`."""
    place = folder / way

    def once() -> Cost:
        if not resume:
            run(["rm", "-rf", place])
            place.mkdir()
        (place / "s.csv").write_text("sample,fasta\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        command = ["nextflow", "-q", "run", ROOT, "-ansi-log", "false", "--input", "s.csv", "--outdir", "out"]
        command += ["--samples_per_task", value, *(["--embedding_store", "store"] if store else [])]
        command += ["-resume"] if resume else []
        env = os.environ | {"NXF_OFFLINE": "true", "NXF_SYNTAX_PARSER": "v2"}
        cost = run(command, cwd=place, env=env)
        with (place / "out/pipeline_info/execution_trace.tsv").open(encoding="utf-8") as text:
            tasks = sum(row["status"] == "COMPLETED" for row in csv.DictReader(text, delimiter="\t"))
        entries = sum(len(folders) + len(files) for _, folders, files in os.walk(place / "work"))
        done[way].append((f"{tasks:,}", f"{entries:,}"))
        return cost

    return once


def results(out: Path) -> dict[str, bytes]:
    """All published files but the reports, which tell times."""
    files = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(REPORTS)}


if __name__ == "__main__":
    main()
