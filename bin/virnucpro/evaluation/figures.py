"""How well scores tell viruses from others, with intervals over genomes.

Pieces of one genome are alike, so a set of many pieces from few genomes says less than its size suggests. Intervals
therefore come from drawing genomes, not pieces, with replacement (bootstrap), viral ones and others apart.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

DRAWS = 500
PERCENTILES = (2.5, 97.5)
FALSE_POSITIVES = (0.01, 0.05)  # at which sensitivity is told
BINS = 10  # of probabilities, for their reliability


@dataclass(frozen=True)
class Judged:
    """Sequences with their truth, what a caller made of them, and the genome that each is of.

    score: float64, the higher the more viral; where there is no answer it is the caller's threshold, neither way.
    called: bool, as virus. answered: bool. label: int8, 1 virus. genome: int64, any numbers.
    """

    score: np.ndarray
    called: np.ndarray
    answered: np.ndarray
    label: np.ndarray
    genome: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, rows: np.ndarray) -> "Judged":
        return Judged(*(getattr(self, name)[rows] for name in ("score", "called", "answered", "label", "genome")))

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows by descending score, and where runs of equal scores end."""
        order = np.argsort(-self.score, kind="stable")
        score = self.score[order]
        return order, np.flatnonzero(np.r_[score[1:] != score[:-1], True]) if len(score) else np.zeros(0, dtype=int)

    def counted(self, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Viruses and others at or above each different score, from the highest on; each row counts `weight`."""
        order, ends = self._steps
        label = self.label[order]
        w = np.ones(len(label)) if weight is None else weight[order]
        return np.cumsum(w * label)[ends], np.cumsum(w * (1 - label))[ends]


def auroc(viruses: np.ndarray, others: np.ndarray) -> float:
    """Area under the ROC curve, ties counting half, from `Judged.counted`; NaN where a class is absent."""
    if not len(viruses) or not viruses[-1] or not others[-1]:
        return float("nan")
    v, o = np.r_[0, viruses], np.r_[0, others]
    return float(((o[1:] - o[:-1]) * (v[1:] + v[:-1])).sum() / (2 * v[-1] * o[-1]))


def auprc(viruses: np.ndarray, others: np.ndarray) -> float:
    """Average precision: precision at each score, weighted by the recall that it adds; NaN where a class is absent."""
    if not len(viruses) or not viruses[-1] or not others[-1]:
        return float("nan")
    precision = viruses / np.maximum(viruses + others, 1e-300)
    return float((np.diff(viruses, prepend=0) * precision).sum() / viruses[-1])


def sensitivity_at(viruses: np.ndarray, others: np.ndarray, share: float) -> float:
    """Highest share of viruses above a threshold that at most `share` of the others pass."""
    if not len(viruses) or not viruses[-1] or not others[-1]:
        return float("nan")
    passed = np.flatnonzero(others <= share * others[-1])
    return float(viruses[passed[-1]] / viruses[-1]) if len(passed) else 0.0


def of_calls(judged: Judged, weight: np.ndarray | None = None) -> dict[str, float]:
    """Sensitivity, specificity, precision, F1, Matthews' correlation of the calls. What has no answer is not called."""
    w = np.ones(len(judged)) if weight is None else weight
    virus = judged.label == 1
    tp, fn = (w * (virus & judged.called)).sum(), (w * (virus & ~judged.called)).sum()
    fp, tn = (w * (~virus & judged.called)).sum(), (w * (~virus & ~judged.called)).sum()

    def share(part: float, whole: float) -> float:
        return float(part / whole) if whole else float("nan")

    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "sensitivity": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
        "precision": share(tp, tp + fp),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "mcc": float((tp * tn - fp * fn) / spread) if spread else float("nan"),
    }


def all_of(judged: Judged, weight: np.ndarray | None = None) -> dict[str, float]:
    """Every figure, NaN where it has no meaning."""
    counts = judged.counted(weight)
    found = {"auroc": auroc(*counts), "auprc": auprc(*counts)}
    found |= {f"sensitivity_at_{round(100 * f)}_percent": sensitivity_at(*counts, f) for f in FALSE_POSITIVES}
    found |= of_calls(judged, weight)
    w = np.ones(len(judged)) if weight is None else weight
    return found | {"no_answer": float((w * ~judged.answered).sum() / w.sum()) if w.sum() else float("nan")}


def with_intervals(judged: Judged, seed: int, draws: int = DRAWS) -> dict[str, list[float | None] | int]:
    """Of each figure [value, low, high], 95 % between the last two, None where it has no meaning; how many sequences
    and genomes there are.

    Equal data and seed give equal draws, so that callers judged on the same sequences are compared draw by draw.
    """
    values = all_of(judged)
    drawn = np.array([list(all_of(judged, weight).values()) for weight in weights(judged, seed, draws)])
    found: dict[str, list[float | None] | int] = {
        "viruses": int((judged.label == 1).sum()),
        "others": int((judged.label == 0).sum()),
        "genomes": len(np.unique(judged.genome)),
    }
    for i, (name, value) in enumerate(values.items()):
        found[name] = _with_ends(value, drawn[:, i] if len(drawn) else drawn)
    return found


def _with_ends(value: float, drawn: np.ndarray) -> list[float | None]:
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(drawn):
        return [None if np.isnan(value) else value, None, None]
    return [value, *(float(end) for end in np.percentile(drawn, PERCENTILES))]


def difference(a: Judged, b: Judged, seed: int, draws: int = DRAWS) -> list[float | None]:
    """[AUROC of a less that of b, low, high] on the same sequences, both judged by the same draws of genomes."""
    value = auroc(*a.counted()) - auroc(*b.counted())
    return _with_ends(value, np.array([auroc(*a.counted(w)) - auroc(*b.counted(w)) for w in weights(a, seed, draws)]))


def weights(judged: Judged, seed: int, draws: int):
    """How often each sequence counts when genomes are drawn with replacement, float64 [sequences], draw by draw.

    A genome with viruses and others (a host and its prophage) is drawn as one, among those that it has more of.
    """
    random = np.random.default_rng(seed)
    _, member = np.unique(judged.genome, return_inverse=True)
    size = np.bincount(member)
    viral = 2 * np.bincount(member, judged.label) > size
    pools = [np.flatnonzero(viral == which) for which in (False, True)]
    for _ in range(draws):
        count = np.zeros(len(size))
        for pool in pools:
            if len(pool):
                count += np.bincount(random.choice(pool, len(pool)), minlength=len(size))
        yield count[member]


def reliability(probability: np.ndarray, label: np.ndarray, bins: int = BINS) -> tuple[list[dict], float]:
    """[{"low", "high", "sequences", "mean_probability", "share_of_viruses"}, ...] of bins of equal width that hold any,
    and the expected calibration error: the mean distance of the last two, weighted by sequences (Naeini 2015)."""
    at = np.minimum((bins * probability).astype(int), bins - 1)
    rows, error = [], 0.0
    for b in range(bins):
        here = at == b
        if here.any():
            mean, share = float(probability[here].mean()), float(label[here].mean())
            rows.append(
                {"low": b / bins, "high": (b + 1) / bins, "sequences": int(here.sum())}
                | {"mean_probability": mean, "share_of_viruses": share}
            )
            error += here.sum() * abs(mean - share)
    return rows, float(error / len(label)) if len(label) else float("nan")


def thinned(x: np.ndarray, y: np.ndarray, most: int = 200) -> list[list[float]]:
    """At most about `most` points [x, y] of a curve, evenly along its length; first and last are kept."""
    if len(x) <= most:
        return [[round(float(a), 5), round(float(b), 5)] for a, b in zip(x, y, strict=True)]
    along = np.r_[0, np.cumsum(np.hypot(np.diff(x), np.diff(y)))]
    at = np.unique(np.searchsorted(along, np.linspace(0, along[-1], most)).clip(0, len(x) - 1))
    return thinned(x[at], y[at], len(at))


def curves(judged: Judged) -> dict[str, list[list[float]]]:
    """ "roc": [false positives, sensitivity], "precision_recall": [recall, precision]; points of curves to be drawn."""
    viruses, others = judged.counted()
    if not len(viruses) or not viruses[-1] or not others[-1]:
        return {"roc": [], "precision_recall": []}
    precision = viruses / (viruses + others)
    return {
        "roc": thinned(np.r_[0, others] / others[-1], np.r_[0, viruses] / viruses[-1]),
        "precision_recall": thinned(viruses / viruses[-1], precision),
    }
