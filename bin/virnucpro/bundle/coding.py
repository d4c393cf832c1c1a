"""Whether what was read codes for proteins at all, for a classifier that has a class for DNA that does not.

Most of an animal's or a plant's genome codes for nothing. Its chance stretches look neither like genes of hosts nor
like genes of viruses, so the odds between the two say nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from virnucpro.bundle.manifest import numbers


@dataclass(frozen=True)
class Coding:
    """A sequence that codes with log-odds c is a virus's at most with log-odds slope * c + intercept.

    column: of the classifier's classes, the one of DNA that codes for nothing.
    """

    column: int
    slope: float
    intercept: float

    def evidence(self, classes: np.ndarray) -> np.ndarray:
        """Log-odds of coding, float64 [frames], of float32 [frames, classes]; at most 16 either way."""
        p = classes[:, self.column].astype(np.float64)
        return np.log(np.clip(1 - p, 1e-7, 1)) - np.log(np.clip(p, 1e-7, 1))

    def bounded(self, odds: np.ndarray, coding: np.ndarray) -> np.ndarray:
        """Log-odds of virus, float64, from those against hosts (`odds`) and those of coding. A sequence is a virus's, a
        host's or codes for nothing: 1, exp(-odds) and exp(-(slope * coding + intercept)) to one another."""
        with np.errstate(invalid="ignore"):  # NaN stays NaN
            return -np.logaddexp(-odds, -(self.slope * coding + self.intercept))


def read_coding(card: object, classes: Sequence[str], viral: Sequence[str]) -> Coding | None:
    """From the field `coding` of a classifier's card; None where there is none, ValueError where it cannot be."""
    if not card:
        return None
    values, name = numbers(card, ("slope", "intercept")), card.get("class")
    if name not in classes or name in viral:
        raise ValueError(f"class is {name!r}; one of the classes that are no virus is needed")
    if values["slope"] <= 0:
        raise ValueError("slope must be above 0")
    return Coding(classes.index(name), **values)
