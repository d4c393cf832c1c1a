"""Names and shapes of a classifier's tensors."""

from virnucpro.encoders.kind import Shapes, linear, norm

HIDDEN_UNITS = 512


def classifier_tensors(features: int, classes: int) -> Shapes:
    """VirNucPro's MLP: Linear(features, 512), BatchNorm1d(512), ReLU, Dropout, Linear(512, classes)."""
    shapes = linear("hidden_layer", features, HIDDEN_UNITS) | norm("bn1", HIDDEN_UNITS)
    shapes |= {"bn1.running_mean": (HIDDEN_UNITS,), "bn1.running_var": (HIDDEN_UNITS,)}
    return shapes | linear("output_layer", HIDDEN_UNITS, classes)
