"""What a threshold costs: which share of the viruses a classifier finds from a score on, and which share of the others
it calls virus. Its card has both, by length, of genomes that it has not seen."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCORES = (*(round(0.05 * i, 2) for i in range(1, 20)), 0.97, 0.98, 0.99)
LISTS = ("score", "sensitivity", "specificity")


@dataclass(frozen=True)
class Curve:
    """Measured on `virus` and `others` sequences of about `length` bases. `score` ascends."""

    length: int
    virus: int
    others: int
    score: tuple[float, ...]
    sensitivity: tuple[float, ...]  # share of the viruses with at least that score
    specificity: tuple[float, ...]  # share of the others with less

    def at(self, score: float) -> tuple[float, float]:
        """Sensitivity and specificity at a score: between two that were measured, on the straight line."""
        x = (0.0, *self.score, 1.0)
        right = min(max(bisect_left(x, score), 1), len(x) - 1)
        part = (score - x[right - 1]) / (x[right] - x[right - 1])
        ends = ((1.0, *self.sensitivity, 0.0), (0.0, *self.specificity, 1.0))
        return tuple(y[right - 1] + part * (y[right] - y[right - 1]) for y in ends)

    def share_right(self, score: float, prevalence: float) -> float:
        """Of the sequences called virus the share that are, where a share `prevalence` of all sequences are viruses.

        Where no other was called virus, one more than were measured is taken for it: none is not never.
        """
        sensitivity, specificity = self.at(score)
        right = prevalence * sensitivity
        wrong = (1 - prevalence) * max(1 - specificity, 1 / (self.others + 1))
        return right / (right + wrong)


def measured(scores: Sequence[float | None], is_virus: Sequence[bool]) -> dict[str, object]:
    """The card's entry for sequences of one length: their scores, None where there is no answer, which calls none."""
    sides = [sorted(s for s, v in zip(scores, is_virus, strict=True) if v == side and s is not None) for side in (1, 0)]
    viruses, others = (sum(bool(v) == side for v in is_virus) for side in (True, False))
    if not viruses or not others:
        raise ValueError("sequences of both classes are needed")
    reached = [[len(side) - bisect_left(side, score) for score in SCORES] for side in sides]
    return {
        "virus": viruses,
        "others": others,
        "score": list(SCORES),
        "sensitivity": [round(n / viruses, 4) for n in reached[0]],
        "specificity": [round(1 - n / others, 4) for n in reached[1]],
    }


def read_curves(card: object) -> tuple[Curve, ...]:
    """From the field `thresholds` of a classifier's card, by length; ValueError where it cannot be."""
    if not isinstance(card or {}, Mapping):
        raise ValueError("a mapping by length is needed")
    return tuple(_curve(length, entry) for length, entry in sorted((card or {}).items(), key=lambda item: int(item[0])))


def _curve(length: object, entry: object) -> Curve:
    try:
        lists = [tuple(float(x) for x in entry[name]) for name in LISTS]
        curve = Curve(int(length), int(entry["virus"]), int(entry["others"]), *lists)
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"{length}: virus, others, and lists of {', '.join(LISTS)} are needed") from e
    ascends = all(a < b for a, b in zip((0, *curve.score), (*curve.score, 1), strict=True))
    if not ascends or len({len(x) for x in lists}) > 1 or not all(0 <= y <= 1 for x in lists[1:] for y in x):
        raise ValueError(f"{length}: scores between 0 and 1 that ascend, and a share for each, are needed")
    return curve
