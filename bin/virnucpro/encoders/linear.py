"""Linear layers, alone or with the activation that follows.

On a CPU in fp32 the oneDNN library does the activation while the result is still in cache, and its matrix product, on
weights in a layout of its own, is faster than PyTorch's default (docs/performance.md has figures). Elsewhere these are
PyTorch's own operations. Shapes: x [..., in], result [..., out]; x is rounded to the precision of the weights.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The operators behind torch.compile's own fusion on CPUs (torch._inductor.fx_passes.mkldnn_fusion). They are not part
# of PyTorch's public interface: where they are missing the plain operations are used.
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class Linear(nn.Linear):
    """x W' + b."""

    packed: Tensor | None = None  # the weights in oneDNN's layout; `weight` is gone then

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrix product."""
        return torch.float32 if self.packed is not None else self.weight.dtype

    def pack(self) -> None:
        """Change to oneDNN's layout where that works: fp32 on a CPU. For inference only, and for good."""
        if _ONEDNN and self.weight.device.type == "cpu" and self.weight.dtype is torch.float32:
            self.packed = _packed(self.weight)
            self.weight = None

    def forward(self, x: Tensor) -> Tensor:
        if self.packed is None:
            return super().forward(x.to(self.weight.dtype))
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")


class GeluLinear(Linear):
    """gelu(x W' + b), the exact GELU (by the error function)."""

    def forward(self, x: Tensor) -> Tensor:
        if self.packed is None:
            return F.gelu(super().forward(x))
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "gelu", [], "none")


class GatedLinear(GeluLinear):
    """gelu(g) * u, where g and u are the halves of x W' (no bias); [..., out / 2]."""

    up: Tensor | None = None

    def pack(self) -> None:
        """As above, each half by itself."""
        halves = self.weight.chunk(2)
        super().pack()
        if self.packed is not None:
            self.packed, self.up = map(_packed, halves)

    def forward(self, x: Tensor, gate: Callable[[Tensor], Tensor]) -> Tensor:
        """gate: of both halves in one tensor; a CPU's library needs none."""
        if self.packed is None:
            return gate(F.linear(x.to(self.weight.dtype), self.weight))
        return torch.ops.mkldnn._linear_pointwise.binary(x, super().forward(x), self.up, None, "mul")


def _packed(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), None)


def for_inference(model: nn.Module) -> nn.Module:
    """A loaded model without gradients, its linear layers packed where that helps."""
    model.eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, Linear):
            module.pack()
    return model


def product_dtype(model: nn.Module) -> torch.dtype:
    """The precision of an encoder's matrix products."""
    return next((module.dtype for module in model.modules() if isinstance(module, Linear)), torch.float32)
