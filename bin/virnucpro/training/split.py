"""Group-wise split: all sequences of one genome stand on one side, or the measured AUC is that of a memory."""

from dataclasses import dataclass

import numpy as np

from virnucpro.errors import InputError
from virnucpro.models.classifier import CLASSES
from virnucpro.training.data import Dataset
from virnucpro.training.labels import SPLITS


@dataclass(frozen=True)
class Split:
    """The side of each sequence: int8 [sequences], positions in SPLITS."""

    side: np.ndarray

    def frames(self, data: Dataset, name: str) -> np.ndarray:
        """Rows of the frames on the side `name`, ascending, int64."""
        return np.flatnonzero(self.side[data.frame_sequence] == SPLITS.index(name))


def split_groups(data: Dataset, validation: float, test: float, seed: int) -> Split:
    """Give each group one side, class by class, so that each side gets about its fraction of a class's sequences.

    Groups in name order are shuffled with `seed` and dealt to test, then validation, then training: the outcome depends
    on names, sizes and seed alone. A split given with the labels stays. InputError where a side lacks a class.
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
        of_group = np.empty(len(names), dtype=np.int8)
        of_group[order] = np.select([before < test, before < round(test + validation, 9)], [2, 1], 0)
        side[rows] = of_group[member]
    split = Split(side)
    for name in SPLITS:
        for label, text in enumerate(CLASSES):
            if not (data.frame_label[split.frames(data, name)] == label).any():
                raise InputError(
                    f"the {name} set has no open frame of a sequence labelled {text}: there are too few genomes of it, "
                    "or its fraction is 0; add genomes, change the fractions or give the split with the labels"
                )
    return split
