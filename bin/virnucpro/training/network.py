"""VirNucPro's classifier as a torch module, and its way into a classifier folder."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from virnucpro.models.layout import HIDDEN_UNITS


class Network(nn.Module):
    """Linear(in, 512), BatchNorm1d, ReLU, Dropout(0.5), Linear(512, 2): VirNucPro's MLPClassifier, without softmax."""

    def __init__(self, features: int, dropout: float = 0.5):
        super().__init__()
        self.hidden_layer = nn.Linear(features, HIDDEN_UNITS)
        self.bn1 = nn.BatchNorm1d(HIDDEN_UNITS)
        self.dropout = nn.Dropout(dropout)
        self.output_layer = nn.Linear(HIDDEN_UNITS, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 2] of features [B, in]."""
        return self.output_layer(self.dropout(torch.relu(self.bn1(self.hidden_layer(x)))))


@torch.inference_mode()
def probabilities(network: Network, features: Tensor, batch: int = 4096) -> np.ndarray:
    """float32 [frames, 2] of standardised features."""
    network.eval()
    parts = [torch.softmax(network(part), dim=1) for part in features.split(batch)]
    return torch.cat(parts).cpu().numpy()


def save(network: Network, mean: np.ndarray, deviation: np.ndarray, path: Path) -> None:
    """Write the weights as they read features that are not standardised: (x - mean) / deviation goes into the first
    layer, in float64."""
    state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items() if not k.endswith("tracked")}
    weight, bias = state["hidden_layer.weight"].double(), state["hidden_layer.bias"].double()
    weight = weight / torch.from_numpy(deviation.astype(np.float64))
    state["hidden_layer.bias"] = (bias - weight @ torch.from_numpy(mean.astype(np.float64))).float()
    state["hidden_layer.weight"] = weight.float()
    save_file({k: v.contiguous() for k, v in state.items()}, path)
