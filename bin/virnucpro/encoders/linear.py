"""Linear layers together with what follows them.

On a CPU in fp32 the oneDNN library does the activation, product or sum while the result is still in cache, and its
matrix product is faster than the one PyTorch takes by default (docs/performance.md); elsewhere they are PyTorch's own
operations, which torch.compile fuses on a GPU. Shapes: x [..., in], result [..., out].
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The operator behind torch.compile's own fusion on CPUs (torch._inductor.fx_passes.mkldnn_fusion). It is not part of
# PyTorch's public interface: where it is missing the plain operations are used.
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _fused(x: Tensor) -> bool:
    return _ONEDNN and x.device.type == "cpu" and x.dtype is torch.float32 and not torch.is_grad_enabled()


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """layer(x)."""
    if _fused(x):
        return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "none", [], "")
    return layer(x)


def linear_gelu(x: Tensor, layer: nn.Linear) -> Tensor:
    """gelu(layer(x)), the exact GELU (by the error function)."""
    if _fused(x):
        return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "gelu", [], "none")
    return F.gelu(layer(x))


def linear_add(x: Tensor, layer: nn.Linear, residual: Tensor) -> Tensor:
    """residual + layer(x), in the precision of the residual."""
    if _fused(x):
        return torch.ops.mkldnn._linear_pointwise.binary(x, residual, layer.weight, layer.bias, "add")
    return residual + layer(x)


def linear_gated(x: Tensor, layer: nn.Linear) -> Tensor:
    """gelu(g) * u where g, u are the halves of layer(x), which has no bias; [..., out / 2]."""
    if _fused(x):
        gate, up = layer.weight.chunk(2)
        gated = torch.ops.mkldnn._linear_pointwise(x, gate, None, "gelu", [], "none")
        return torch.ops.mkldnn._linear_pointwise.binary(x, gated, up, None, "mul")
    g, u = layer(x).chunk(2, dim=-1)
    return F.gelu(g) * u
