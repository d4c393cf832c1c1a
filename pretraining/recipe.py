"""From the described stretches to the bundle: members are trained, joined, judged and written with their card."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from pretraining import bundle, figures, judge, noncoding
from pretraining.card import card
from pretraining.judge import CHOOSE, REPORT
from pretraining.network import Member, Recipe, load_member, logits_of, save_member, train_member
from pretraining.stages import say
from pretraining.tables import log_odds, statistics
from virnucpro.bundle.manifest import write_manifest
from virnucpro.training.calibration_fit import fit

SEEDS = (1, 2, 3, 4)
RECIPE = Recipe()


def train(windows_file: Path, statistics_file: Path, work: Path) -> list[Path]:
    """One file per member; those that are there are not trained again."""
    paths = [work / f"member_{seed}.pt" for seed in SEEDS]
    if all(path.exists() for path in paths):
        return paths
    with np.load(windows_file) as z:
        data = {"peptide": z["peptide"], "residues": z["residues"], "kind": z["kind"]}
    data["statistics"] = np.load(statistics_file)
    say(f"{len(data['kind']):,} stretches described")
    for seed, path in zip(SEEDS, paths, strict=True):
        if not path.exists():
            save_member(path, train_member(data, RECIPE, seed))
            say(f"member {seed} is trained: {path}")
    return paths


def finish(
    paths: list[Path], counts_file: Path, judging: Path, packages: Path, folder: Path, report: bool
) -> dict[str, object]:
    """Join the members, centre, calibrate and judge them for each length of chunk, write the bundle."""
    with np.load(counts_file) as z:
        tables = log_odds(dict(z))
    members = [load_member(path, RECIPE) for path in paths]
    judged = partial(logits_of, members, describe=partial(statistics, tables=tables))
    bundle.write_encoder(folder / "encoders" / bundle.ENCODER, bundle.joined(members), tables)
    dna = {piece.name: piece.codes(packages) for piece in (noncoding.REPORT if report else noncoding.CHOOSE)}
    found = {length: judge_at(length, members, judged, judging, dna, folder, report) for length in bundle.CHUNK_LENGTHS}
    write_manifest(folder, "compact", {"": ("trained for this pipeline (docs/pretraining.md)", "MIT")})
    return found


def judge_at(
    length: int,
    members: list[Member],
    judged: Callable,
    judging: Path,
    dna: dict[str, np.ndarray],
    folder: Path,
    report: bool,
) -> dict[str, object]:
    """One classifier: shift and calibration by the choosing half, figures, the folder with its card.

    dna: of eukaryotes, by name, of which nothing should be called virus.
    """
    scored = {size: figures.score(judge.pieces(judging, size, length), judged) for size in figures.SIZES}
    odds, _, label = figures.points(scored)
    shift = figures.centred(odds, label)
    scored = {size: s.shifted(shift) for size, s in scored.items()}
    calibration = fit(*figures.points(scored))
    say(f"{length}-base chunks: {shift:+.3f}, {calibration}")
    halves = {"choose": CHOOSE} | ({"report": REPORT} if report else {})
    found = {
        name: {size: figures.figures(s, half, calibration) for size, s in scored.items()}
        for name, half in halves.items()
    }
    for name, by_size in found.items():
        for size, row in by_size.items():
            say(f"  {name}, {size:,} bases: AUROC {row['auroc']} {row['interval']}")
    for name, codes in dna.items():
        parts = {size: figures.score(judge.pieces_of_hosts(codes, size, length), judged) for size in figures.SIZES}
        called = {f"{size} bases": figures.called_virus(s.shifted(shift)) for size, s in parts.items()}
        found.setdefault("called_virus", {})[name] = called
        say(f"  DNA of {name}, called virus: {called}")
    network, text = bundle.joined(members, shift), card(length, found)
    half = REPORT if report else CHOOSE
    text["thresholds"] = figures.thresholds(scored, half)
    screening = figures.screening(scored, calibration)
    text |= {"screening": screening, "calibration": asdict(calibration)}
    found["rates"] = figures.rates(scored, half, calibration)
    found["screened"] = figures.screened(scored, screening, half, calibration)
    bundle.write_classifier(folder / "classifiers" / f"compact_{length}", network, length, text)
    return found | {"shift": shift, "calibration": asdict(calibration)}
