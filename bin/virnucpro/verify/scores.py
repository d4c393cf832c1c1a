"""Scores of a classifier from what the encoders gave here."""

import numpy as np

from virnucpro.bundle.classifier import Classifier
from virnucpro.verify.measuring import Bench
from virnucpro.verify.subjects import Subject, subject_of


def features_of(
    classifier: Classifier, subjects: list[Subject], precisions: dict[str, str], name: str, bench: Bench
) -> np.ndarray:
    """The classifier's features for the set `name`, float32 [frames, features]. precisions: by the encoder's name.

    Raises what went wrong with an encoder.
    """
    parts = [subject_of(use, subjects) for use in classifier.encoders]
    return np.concatenate([bench.measured(s, precisions[s.name]).vectors[name] for s in parts], axis=1)
