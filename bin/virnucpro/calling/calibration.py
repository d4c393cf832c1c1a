"""From scores to probabilities and false discovery rates, for a classifier whose card has a calibration.

A score says which of two sequences looks more like a virus, not how often such a sequence is one. The calibration is a
logistic regression on the score's log-odds and on how much was read, flatter where scores are high, fitted on genomes
that the classifier has not seen, with as many viruses as others (training/calibration_fit.py). A sample's own share of
viruses is then estimated from the sample itself (Saerens, Latinne & Decaestecker 2002,
doi:10.1162/089976602753284446) or given, and shifts every probability.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from virnucpro.bundle.manifest import numbers

TERMS = ("intercept", "log_odds", "log_odds_by_weight", "weight")
TAIL = ("tail", "tail_by_weight")
BEND = 2.0  # log-odds about which the curve begins to flatten
MOST = 30.0  # log-odds; beyond, float64 has nothing left to say
ROWS = 1 << 20  # looked up together
SHARES = (1e-4, 1 - 1e-4)  # of viruses, that are believed at all


@dataclass(frozen=True)
class Calibration:
    """Coefficients of the log-odds of being a virus, where viruses are as many as others (`prevalence` 0.5).

    log_odds: of a sequence's score; log_odds_by_weight: times log(weight / unit); weight: log(weight / unit) alone.
    unit: the weight at which both are nothing. Weights (calls.py) are bases or residues, as the classifier's rule says.
    tail, tail_by_weight: the log-odds of the share of its slope that the curve keeps above BEND, and what
    log(weight / unit) adds to it. By chance a short piece of a host looks as viral as any virus: without this the
    highest scores would be trusted too far.
    """

    intercept: float
    log_odds: float
    log_odds_by_weight: float
    weight: float
    unit: float
    tail: float = math.inf  # cards of before have none
    tail_by_weight: float = 0.0

    def __call__(self, log_odds: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Calibrated log-odds, float64 [sequences]."""
        # Term by term: a product of matrices would round a row as those beside it have it.
        columns = design(log_odds, weight, self.unit).T
        line = sum(getattr(self, term) * column for term, column in zip(TERMS, columns, strict=True))
        kept = 1 / (1 + np.exp(-self.tail - self.tail_by_weight * columns[-1]))
        return np.clip(line - (1 - kept) * above_bend(line), -MOST, MOST)


def design(log_odds: np.ndarray, weight: np.ndarray, unit: float) -> np.ndarray:
    """What each of TERMS is multiplied by, float64 [sequences, 4]."""
    much = np.log(np.maximum(np.asarray(weight, dtype=np.float64), 1) / unit)
    odds = np.asarray(log_odds, dtype=np.float64)
    return np.stack([np.ones(len(odds)), odds, odds * much, much], axis=1)


def above_bend(line: np.ndarray) -> np.ndarray:
    """By how much log-odds exceed BEND, without a corner there; 0 at 0, so that a bent curve still passes there."""
    return np.logaddexp(0, line - BEND) - np.logaddexp(0, -BEND)


def read_calibration(card: object) -> Calibration | None:
    """From the field `calibration` of a classifier's card; None where there is none, ValueError where it cannot be."""
    if not card:
        return None
    values = numbers(card, (*TERMS, "unit"))
    if any(term in card for term in TAIL):
        values |= numbers(card, TAIL)
    if values["unit"] <= 0:
        raise ValueError("unit must be above 0")
    return Calibration(**values)


def probabilities(calibrated: np.ndarray, prevalence: float) -> np.ndarray:
    """Probability of being a virus where a share `prevalence` of the sequences are, float64 [sequences]."""
    p = calibrated + (np.log(prevalence) - np.log1p(-prevalence))
    for step in (np.negative, np.exp):  # in place: ten million sequences have 80 MB
        step(p, out=p)
    p += 1
    return np.divide(1, p, out=p)


def estimated_prevalence(calibrated: np.ndarray) -> float:
    """The share of viruses under which the sample's scores are the likeliest (expectation maximisation).

    As if one virus and one other had been seen besides: 0.5 of no sequence, and a few phages do not make all viral.

    It is as good as the calibration fits the sample: hosts of another kind than those it was fitted on shift it.
    """
    share = 0.5
    for _ in range(1000):
        seen = probabilities(calibrated, share).sum() + 1
        new = float(np.clip(seen / (len(calibrated) + 2), *SHARES))
        if abs(new - share) < 1e-6:
            return new
        share = new
    return share


def q_values(probability: np.ndarray) -> np.ndarray:
    """For each sequence the expected share of others among all that are as probably viruses as it, or more so.

    float64 [sequences], between 0 and 1; it never falls as the probability falls. Sequences that are equally probable
    have one value. Of a single sequence it is one minus its probability (Storey 2003, doi:10.1214/aos/1074290335).
    """
    rising = np.sort(probability)
    first = np.r_[True, rising[1:] != rising[:-1]] if len(rising) else np.zeros(0, dtype=bool)
    count = np.diff(np.flatnonzero(first), append=len(rising))[::-1]
    rising = rising[first]
    wrong = 1 - rising[::-1]  # in place from here: ten million sequences have 80 MB
    wrong *= count
    np.cumsum(wrong, out=wrong)
    wrong /= np.cumsum(count)
    least = np.minimum.accumulate(wrong[::-1], out=wrong[::-1])
    values = np.empty(len(probability))
    for begin in range(0, len(probability), ROWS):
        rows = slice(begin, begin + ROWS)
        values[rows] = least[np.searchsorted(rising, probability[rows])]
    return values


def calibrated_odds(sequences: pl.DataFrame, calibrations: Sequence[Calibration | None]) -> np.ndarray:
    """Calibrated log-odds of all that were scored, float64 [sequences]; NaN for others, and where the classifier of
    their cut has no calibration. calibrations: of the classifier of each cut."""
    scored = (sequences["state"].is_in(["virus", "other"]) & sequences["virus_score"].is_not_null()).to_numpy()
    odds = np.full(sequences.height, np.nan)
    for cut, calibration in enumerate(calibrations):
        if calibration is not None:
            mine = scored & (sequences["cut"] == cut).fill_null(False).to_numpy()
            score = np.clip(sequences["virus_score"].to_numpy()[mine], 1e-7, 1 - 1e-7)
            odds[mine] = calibration(np.log(score) - np.log1p(-score), sequences["weight"].to_numpy()[mine])
    return odds


class Rates:
    """Probabilities and q-values of a whole sample. `prevalence` is the share of viruses that they rest on, None where
    no classifier has a calibration: then there are none."""

    def __init__(self, parts: list[np.ndarray], prevalence: float | None, is_calibrated: bool):
        """parts: of `calibrated_odds`, of all sequences, block by block; the list is emptied. prevalence: None to
        estimate it from these."""
        self.prevalence = None
        self.probability = self.q_value = None
        if is_calibrated:
            odds = np.concatenate(parts)
            parts.clear()
            known = ~np.isnan(odds)
            odds = odds[known]
            self.prevalence = estimated_prevalence(odds) if prevalence is None else prevalence
            odds = probabilities(odds, self.prevalence)
            self.q_value = _at(known, q_values(odds))
            self.probability = _at(known, odds)

    def of(self, sequences: pl.DataFrame, first: int) -> pl.DataFrame:
        """The sequence table with `virus_probability` and `q_value`; `first`: the row of the first one of them."""
        rows = slice(first, first + sequences.height)
        empty = np.full(sequences.height, np.nan)
        values = {"virus_probability": self.probability, "q_value": self.q_value}
        return sequences.with_columns(
            pl.Series(name, empty if all_ is None else all_[rows]).fill_nan(None) for name, all_ in values.items()
        )


def _at(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64 [sequences]: the values where they are known (bool), NaN elsewhere."""
    if known.all():
        return values
    everywhere = np.full(len(known), np.nan)
    everywhere[known] = values
    return everywhere


def call_by_rate(sequences: pl.DataFrame, max_fdr: float) -> pl.DataFrame:
    """Sequences that were scored are viruses where their q-value is at most `max_fdr`, whatever their score."""
    scored = pl.col("state").is_in(["virus", "other"]) & pl.col("q_value").is_not_null()
    state = pl.when(pl.col("q_value") <= max_fdr).then(pl.lit("virus")).otherwise(pl.lit("other"))
    return sequences.with_columns(pl.when(scored).then(state).otherwise(pl.col("state")).alias("state"))
