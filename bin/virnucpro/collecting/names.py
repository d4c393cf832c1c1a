"""Ids of sequences that are unique over all samples of a run."""

from collections.abc import Iterable

JOINT = "__"
OTHER_JOINT = "@"  # no sample's name has it (workflows/support/samples.nf)


def joint_of(samples: Iterable[str]) -> str:
    """What stands between a sample's name and the id of a sequence, so that no two samples share an id.

    `__`, which every program takes; where a sample's name has it inside or ends with `_`, `@`. Ids are unique in their
    sample.
    """
    return OTHER_JOINT if any(JOINT in name or name.endswith(JOINT[0]) for name in samples) else JOINT
