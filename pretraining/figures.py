"""How well the network tells the judging genomes, by length, and what its logits are worth as probabilities."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pretraining import judge
from pretraining.corpus import IS_VIRAL
from pretraining.judge import CHOOSE, CODING, Pieces, auroc, interval
from pretraining.network import logit_of_coding, logit_of_virus
from virnucpro.bundle.thresholds import measured
from virnucpro.calling.calibration import Calibration, probabilities
from virnucpro.calling.calls import as_probability
from virnucpro.evaluation.rates import achieved_rates

SIZES = (3000, 1000, 500, 300)
CALIBRATED_AT = (3000, 1000, 500)  # as many pieces of each
FALSE_POSITIVES = (0.01, 0.05)
SENSITIVITIES = (0.9, 0.95, 0.98, 0.99, 0.995)  # of a screening


@dataclass
class Scored:
    """Pieces of one size, what the network says of their stretches, and from it a score of each piece."""

    pieces: Pieces
    logits: np.ndarray  # float [chunks * 6, classes]
    log_odds: np.ndarray  # float [pieces], of virus
    residues: np.ndarray  # int64 [pieces], that it rests on

    def shifted(self, shift: float) -> "Scored":
        """With `shift` added to the logits of viruses."""
        return scored(self.pieces, self.logits + shift * IS_VIRAL)


def score(pieces: Pieces, logits: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Scored:
    """logits: of peptides and residues, float [n, classes]."""
    return scored(pieces, logits(pieces.peptide.reshape(-1, pieces.peptide.shape[2]), pieces.residues.ravel()))


def scored(p: Pieces, logits: np.ndarray) -> Scored:
    """Pieces with the logits of their stretches, scored as the pipeline does."""
    odds, coding = (
        judge.of_pieces(p, of(logits).reshape(p.residues.shape)) for of in (logit_of_virus, logit_of_coding)
    )
    residues = np.bincount(p.piece, p.residues.sum(axis=1), minlength=len(p.label)).astype(np.int64)
    return Scored(p, logits, np.where(residues > 0, CODING.bounded(odds, coding), 0), residues)


def points(scored: dict[int, Scored]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log-odds, residues and labels of the choosing half, as many pieces of each size of CALIBRATED_AT."""
    rng = np.random.default_rng(judge.SEED)
    rows = {size: np.flatnonzero(scored[size].pieces.half == CHOOSE) for size in CALIBRATED_AT}
    least = min(map(len, rows.values()))
    rows = {size: rng.choice(r, least, replace=False) for size, r in rows.items()}
    some = [(scored[size], r) for size, r in rows.items()]
    columns = ([s.log_odds[r], s.residues[r], s.pieces.label[r]] for s, r in some)
    return tuple(np.concatenate(column) for column in zip(*columns, strict=True))


def centred(log_odds: np.ndarray, label: np.ndarray) -> float:
    """What is added to the log-odds so that at 0 a piece is as likely a virus as not, with as many of either.

    From a logistic curve, by Newton's method.
    """
    weight = np.where(label == 1, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    beta, design = np.array([1.0, 0.0]), np.stack([log_odds, np.ones(len(log_odds))], axis=1)
    for _ in range(25):
        q = 1 / (1 + np.exp(-design @ beta))
        curvature = (design * (weight * q * (1 - q))[:, None]).T @ design
        beta += np.linalg.solve(curvature, design.T @ (weight * (label - q)))
    return float(beta[1] / beta[0])


def figures(scored: Scored, half: int, calibration: Calibration) -> dict[str, object]:
    """AUROC with its interval over genomes, sensitivity at given shares of false positives, error of calibration."""
    p = scored.pieces
    rows = p.half == half
    s, y, g = scored.log_odds[rows], p.label[rows], p.group[rows]
    low, high = interval(s, y, g)
    out = {"pieces": int(rows.sum()), "genomes": len(np.unique(g)), "auroc": round(auroc(s, y), 4)}
    out["interval"] = [round(low, 4), round(high, 4)]
    for share in FALSE_POSITIVES:
        threshold = np.quantile(s[y == 0], 1 - share)
        out[f"sensitivity_at_{round(100 * share)}_percent"] = round(float((s[y == 1] > threshold).mean()), 4)
    out["sensitivity"] = round(float((s[y == 1] >= 0).mean()), 4)
    out["specificity"] = round(float((s[y == 0] < 0).mean()), 4)
    read = scored.residues[rows]
    out["calibration_error"] = round(_calibration_error(probabilities(calibration(s, read), 0.5), y), 4)
    out["without_an_answer"] = round(float((read == 0).mean()), 4)
    return out


def called_virus(scored: Scored) -> float:
    """The share of the pieces whose score says virus."""
    return round(float(((scored.log_odds >= 0) & (scored.residues > 0)).mean()), 4)


def screening(scored: dict[int, Scored], calibration: Calibration) -> dict[float, dict[int, float]]:
    """For each sensitivity and length the probability that so many viral pieces of the choosing half reach."""
    found = {}
    for size, s in sorted(scored.items()):
        rows = (s.pieces.half == CHOOSE) & (s.pieces.label == 1) & (s.residues > 0)
        found[size] = probabilities(calibration(s.log_odds[rows], s.residues[rows]), 0.5)
    return {
        sensitivity: {size: float(f"{np.quantile(p, 1 - sensitivity):.4g}") for size, p in found.items()}
        for sensitivity in SENSITIVITIES
    }


def screened(
    scored: dict[int, Scored], thresholds: dict[float, dict[int, float]], half: int, calibration: Calibration
) -> dict[float, dict[int, dict[str, float]]]:
    """What `screening`'s thresholds do to the pieces of a half: the shares of viruses kept and of others left out."""
    found = {sensitivity: {} for sensitivity in thresholds}
    for size, s in sorted(scored.items()):
        rows = s.pieces.half == half
        read, virus = s.residues[rows] > 0, s.pieces.label[rows] == 1
        probability = probabilities(calibration(s.log_odds[rows], s.residues[rows]), 0.5)
        for sensitivity, by_size in thresholds.items():
            low = (probability < by_size[size]) & read
            shares = {"viruses_kept": 1 - low[virus].mean(), "others_left_out": low[~virus].mean()}
            found[sensitivity][size] = {name: round(float(share), 4) for name, share in shares.items()}
    return found


def thresholds(scored: dict[int, Scored], half: int) -> dict[int, dict]:
    """What each threshold costs, by length (bundle/thresholds.py): on the pieces of one half."""
    found = {}
    for size, s in sorted(scored.items()):
        rows = np.flatnonzero(s.pieces.half == half)
        scores = as_probability(s.log_odds[rows])
        given = [
            score if read else None for score, read in zip(scores.tolist(), s.residues[rows].tolist(), strict=True)
        ]
        found[size] = measured(given, s.pieces.label[rows].tolist())
    return found


def rates(scored: dict[int, Scored], half: int, calibration: Calibration) -> dict[int, list[dict]]:
    """False discovery rates asked for and achieved (evaluation/rates.py), by length: on the pieces of one half."""
    found = {}
    for size, s in sorted(scored.items()):
        rows = (s.pieces.half == half) & (s.residues > 0)
        score, label = as_probability(s.log_odds[rows]), s.pieces.label[rows]
        found[size] = achieved_rates(score, s.residues[rows], label, calibration, judge.SEED)
    return found


def _calibration_error(probability: np.ndarray, label: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    at = np.minimum((10 * probability).astype(int), 9)
    total = np.bincount(at, minlength=10)
    gap = np.abs(np.bincount(at, probability, minlength=10) - np.bincount(at, label, minlength=10))
    return float(gap[total > 0].sum() / len(label))
