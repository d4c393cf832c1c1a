"""The calibration of a classifier, fitted on labelled sequences of genomes that it has not seen.

A logistic regression (Platt 1999) whose curve may flatten above log-odds of 2 (calling/calibration.py). Without that
2.5 times as many calls of 500 bases were wrong as had been asked for: hosts look like viruses by chance more often than
a straight line has it, and the shorter the piece the more so.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from virnucpro.calling.calibration import BEND, TAIL, TERMS, Calibration, above_bend, design

# What the coefficients are held near, and how firmly: plain log-odds; above BEND half of what they say, at any length.
ANCHOR = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
PENALTY = np.array([1e-6, 1.0, 1.0, 1.0, 0.2, 1.0])


def fit(log_odds: np.ndarray, weight: np.ndarray, label: np.ndarray) -> Calibration:
    """Fit on labelled sequences: log-odds of their scores, weights read, labels (1 virus, 0 other).

    Both classes count alike, whatever their numbers. ValueError where one is absent.
    """
    label = np.asarray(label, dtype=np.float64)
    if not 0 < label.mean() < 1:
        raise ValueError("sequences of both classes are needed")
    unit = float(np.exp(np.mean(np.log(np.maximum(weight, 1)))))
    x = design(log_odds, weight, unit)
    share = np.where(label == 1, 0.5 / label.mean(), 0.5 / (1 - label.mean()))

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        """Weighted negative log-likelihood with the penalty, and its gradient."""
        line = x @ beta[: len(TERMS)]
        kept, over = expit(beta[-2] + beta[-1] * x[:, -1]), above_bend(line)
        odds = line - (1 - kept) * over
        value = (share * (np.logaddexp(0, odds) - label * odds)).sum() + (PENALTY * (beta - ANCHOR) ** 2).sum() / 2
        by_odds = share * (expit(odds) - label)
        by_line = by_odds * (1 - (1 - kept) * expit(line - BEND))
        by_tail = by_odds * over * kept * (1 - kept)
        slope = np.r_[x.T @ by_line, by_tail.sum(), by_tail @ x[:, -1]]
        return value, slope + PENALTY * (beta - ANCHOR)

    beta = minimize(loss, ANCHOR, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 500}).x
    return Calibration(
        **{term: round(float(b), 6) for term, b in zip((*TERMS, *TAIL), beta, strict=True)}, unit=round(unit, 3)
    )
