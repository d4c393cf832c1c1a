"""Group-wise split: all sequences of one genome stand on one side, or the measured AUC is that of a memory."""

from dataclasses import dataclass

import numpy as np

from virnucpro.errors import InputError
from virnucpro.models.classifier import CLASSES
from virnucpro.training.data import Dataset
from virnucpro.training.labels import SPLITS


@dataclass(frozen=True)
class Split:
    """Which side each sequence is on (position in SPLITS), int8 [sequences], and how many groups each side has."""

    side: np.ndarray
    groups: dict[str, int]

    def frames(self, data: Dataset, name: str) -> np.ndarray:
        """Rows of the frames on the side `name`, ascending."""
        return np.flatnonzero(self.side[data.frame_sequence] == SPLITS.index(name))


def split_groups(data: Dataset, validation: float, test: float, seed: int) -> Split:
    """Give each group one side, class by class, so that each side gets about its fraction of a class's sequences.

    Groups in name order are shuffled with `seed` and dealt to test, then validation, then training; the outcome
    depends on names, sizes and seed alone. A split given with the labels stays. InputError where a side stays empty.
    """
    side = np.full(len(data.sequence_label), -1, dtype=np.int8)
    for number, name in enumerate(SPLITS):
        side[data.sequence_split == name] = number
    random = np.random.default_rng(seed)
    for label in range(len(CLASSES)):
        rows = np.flatnonzero((data.sequence_label == label) & (side < 0))
        names, member = np.unique(data.sequence_group[rows].astype(str), return_inverse=True)
        sizes = np.bincount(member, minlength=len(names))
        order = random.permutation(len(names))
        before = (np.cumsum(sizes[order]) - sizes[order]) / max(1, len(rows))  # share dealt before each group
        dealt = np.select([before < test, before < test + validation], [2, 1], 0)
        if test + validation and len(names):
            of_group = np.empty(len(names), dtype=np.int8)
            of_group[order] = dealt
            side[rows] = of_group[member]
        else:
            side[rows] = 0
    groups = {}
    for number, name in enumerate(SPLITS):
        here = side == number
        groups[name] = len(set(data.sequence_group[here]))
        for label, text in enumerate(CLASSES):
            if not (data.frame_label[here[data.frame_sequence]] == label).any():
                raise InputError(
                    f"the {name} set has no open frame of {text}: too few groups of it ({groups[name]} groups in the "
                    "set), or a fraction of 0; add genomes, change the fractions or give the split with the labels"
                )
    return Split(side, groups)
