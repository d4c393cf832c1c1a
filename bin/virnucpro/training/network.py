"""VirNucPro's classifier as a torch module, and its way into a classifier folder."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from virnucpro.models.layout import HIDDEN_UNITS

BATCH = 4096  # frames at a time where nothing is learnt


class Network(nn.Module):
    """Linear(in, 512), BatchNorm1d, ReLU, Dropout(0.5), Linear(512, 2): VirNucPro's MLPClassifier, without softmax.

    It standardises its input first, by `mean` and `deviation` (float32 [in]) of the training set, since embeddings of
    different encoders differ in scale. `save` folds that into the first layer: what is published is VirNucPro's MLP.
    """

    def __init__(self, mean: np.ndarray, deviation: np.ndarray):
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean), persistent=False)
        self.register_buffer("deviation", torch.from_numpy(deviation), persistent=False)
        self.hidden_layer = nn.Linear(len(mean), HIDDEN_UNITS)
        self.bn1 = nn.BatchNorm1d(HIDDEN_UNITS)
        self.dropout = nn.Dropout(0.5)
        self.output_layer = nn.Linear(HIDDEN_UNITS, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 2] of features [B, in]."""
        x = (x - self.mean) / self.deviation
        return self.output_layer(self.dropout(torch.relu(self.bn1(self.hidden_layer(x)))))


@torch.inference_mode()
def probabilities(network: Network, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Probabilities of (others, virus), float32 [rows, 2], of some rows of features float32 [frames, in]."""
    network.eval()
    device = network.mean.device
    out = np.empty((len(rows), 2), dtype=np.float32)
    for first in range(0, len(rows), BATCH):
        x = torch.from_numpy(features[rows[first : first + BATCH]]).to(device)
        out[first : first + BATCH] = torch.softmax(network(x), dim=1).cpu().numpy()
    return out


def save(network: Network, path: Path) -> None:
    """Write the weights as they read features that are not standardised."""
    state = {k: v.detach().cpu().double() for k, v in network.state_dict().items() if k != "bn1.num_batches_tracked"}
    mean, deviation = network.mean.cpu().double(), network.deviation.cpu().double()
    weight = state["hidden_layer.weight"] / deviation
    state["hidden_layer.bias"] = state["hidden_layer.bias"] - weight @ mean
    state["hidden_layer.weight"] = weight
    save_file({k: v.float().contiguous() for k, v in state.items()}, path)
