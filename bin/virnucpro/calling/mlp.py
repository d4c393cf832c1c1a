"""VirNucPro's classifier at inference, in numpy: a joined embedding in, probabilities out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from virnucpro.bundle.classifier import Classifier
from virnucpro.bundle.coding import Coding
from virnucpro.errors import ModelError

BATCH_NORM_EPS = 1e-5  # torch's default, with which the published classifiers were trained
ROWS = 2048  # computed together: 55 MB in float64 for VirNucPro's 3,328 features


class Mlp:
    """Linear(in, 512), BatchNorm1d, ReLU, (Dropout), Linear(512, classes), softmax.

    Two classes are (others, virus). Of more, `viral` says which columns are viruses; their probabilities are summed.
    `coding` names a class that is neither (bundle/coding.py): (others, virus) are what the rest says.

    At inference batch normalisation is an affine map, so it is folded into the first layer. Computed in float64 and
    rounded at the end: in float32 the last digits would follow the threads, the processor and the frames beside.
    """

    def __init__(self, folder: Path, viral: Sequence[int] = (1,), coding: Coding | None = None):
        """Read `folder`/model.safetensors; ModelError where it is absent or not such a classifier."""
        path = folder / "model.safetensors"
        try:
            w = {name: tensor.astype(np.float64) for name, tensor in load_file(path).items()}
            scale = w["bn1.weight"] / np.sqrt(w["bn1.running_var"] + BATCH_NORM_EPS)
            shift = (w["hidden_layer.bias"] - w["bn1.running_mean"]) * scale + w["bn1.bias"]
            self._hidden = (w["hidden_layer.weight"] * scale[:, None]).T  # float64 [in, 512]
            self._shift = shift  # [512]
            self._output = w["output_layer.weight"].T  # [512, classes]
            self._bias = w["output_layer.bias"]  # [classes]
            self._viral = np.isin(np.arange(len(self._bias)), viral)
            self._others = ~self._viral
            if coding is not None:
                self._others[coding.column] = False
        except (OSError, SafetensorError, KeyError) as e:
            raise ModelError(f"{path}: not a classifier's weights ({e}); check the bundle with check_models.py") from e

    @classmethod
    def of(cls, card: Classifier) -> "Mlp":
        """The network of a classifier, as its card says what its classes are."""
        return cls(card.folder, [card.classes.index(name) for name in card.viral], card.coding)

    @property
    def classes(self) -> int:
        """How many probabilities it gives."""
        return len(self._bias)

    @property
    def features(self) -> int:
        """Values per frame: the widths of the encoders added up."""
        return self._hidden.shape[0]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Probabilities of (others, virus), float32 [frames, 2], for float32 features [frames, in]."""
        return self.both(features)[0]

    def both(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of (others, virus) and of each class, float32 [frames, 2] and [frames, classes]."""
        blocks = [features[i : i + ROWS].astype(np.float64) for i in range(0, len(features), ROWS)]
        p = np.concatenate([self._probabilities(b) for b in blocks] or [np.empty((0, len(self._bias)))])
        two = np.stack([p[:, self._others].sum(axis=1), p[:, self._viral].sum(axis=1)], axis=1)
        if not (self._others | self._viral).all():
            two /= two.sum(axis=1, keepdims=True)
        return two.astype(np.float32), p.astype(np.float32)

    def _probabilities(self, features: np.ndarray) -> np.ndarray:
        hidden = np.maximum(features @ self._hidden + self._shift, 0)
        logits = hidden @ self._output + self._bias
        logits -= logits.max(axis=1, keepdims=True)
        e = np.exp(logits)
        return e / e.sum(axis=1, keepdims=True)
