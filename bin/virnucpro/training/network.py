"""VirNucPro's classifier as a torch module, and its way into a classifier folder."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from virnucpro.bundle.layout import HIDDEN_UNITS


class Network(nn.Module):
    """Linear(in, 512), BatchNorm1d, ReLU, Dropout, Linear(512, 2): VirNucPro's MLPClassifier, without softmax.

    It standardises its input first, by `mean` and `deviation` (float32 [in]) of the training set, since embeddings of
    different encoders differ in scale. Its hidden units can be shared out among `members`, networks that see the same
    and learn apart, from different first weights; the logits are then the mean of theirs. `save` folds both into the
    two linear layers: what is published is VirNucPro's MLP.
    """

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, members: int = 1, dropout: float = 0.5):
        super().__init__()
        self.members = members
        self.register_buffer("mean", torch.from_numpy(mean), persistent=False)
        self.register_buffer("deviation", torch.from_numpy(deviation), persistent=False)
        self.hidden_layer = nn.Linear(len(mean), HIDDEN_UNITS)
        self.bn1 = nn.BatchNorm1d(HIDDEN_UNITS)
        self.dropout = nn.Dropout(dropout)
        self.output_layers = nn.ModuleList(nn.Linear(HIDDEN_UNITS // members, 2) for _ in range(members))

    def of_members(self, x_BF: Tensor) -> Tensor:
        """Logits [B, members, 2] of features [B, in]."""
        x_BF = (x_BF - self.mean) / self.deviation
        h_BH = self.dropout(torch.relu(self.bn1(self.hidden_layer(x_BF))))
        parts = h_BH.chunk(self.members, dim=1)
        return torch.stack([layer(h) for layer, h in zip(self.output_layers, parts, strict=True)], dim=1)

    def forward(self, x_BF: Tensor) -> Tensor:
        """Logits [B, 2] of features [B, in]."""
        return self.of_members(x_BF).mean(dim=1)


def save(network: Network, path: Path) -> None:
    """Write the weights as they read features that are not standardised."""
    state = {k: v.detach().double() for k, v in network.state_dict().items() if k != "bn1.num_batches_tracked"}
    weight = state["hidden_layer.weight"] / network.deviation.double()
    outputs = [
        (state.pop(f"output_layers.{m}.weight"), state.pop(f"output_layers.{m}.bias")) for m in range(network.members)
    ]
    state |= {
        "hidden_layer.weight": weight,
        "hidden_layer.bias": state["hidden_layer.bias"] - weight @ network.mean.double(),
        "output_layer.weight": torch.cat([w for w, _ in outputs], dim=1) / network.members,
        "output_layer.bias": torch.stack([b for _, b in outputs]).mean(dim=0),
    }
    save_file({k: v.float().contiguous() for k, v in state.items()}, path)
