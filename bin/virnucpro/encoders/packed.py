"""Rows packed one after another, computed by own Triton kernels: the way of GPUs, in half precision.

No padding whatever the lengths, no mask, no bias; the residual stream in half precision too, which costs no accuracy
that shows (docs/performance.md). The operations are those of rows.PaddedRows, with a few sums made in place.
"""

from itertools import accumulate

import torch
from torch import Tensor, nn

from virnucpro.encoders import kernels
from virnucpro.encoders.rows import Attend

# Cosine between an embedding computed this way and PyTorch's: .99999 is usual; a kernel that is wrong has none.
LEAST_COSINE = 0.999
TRIAL_LENGTHS = (3, 64, 65, 200)  # below, at and beyond the edges of blocks


class PackedRows:
    """Rows of any lengths, N tokens in all; `starts` is int32 [rows + 1] on the device."""

    def __init__(self, starts: Tensor, longest: int, dtype: torch.dtype):
        self.starts, self.longest, self.residual = starts, longest, dtype

    def rotary(self, rotation: Tensor, heads: int) -> Attend:
        """As PaddedRows.rotary."""
        cos, sin = (part.contiguous() for part in rotation.unbind(-1))
        return lambda qkv_NC: kernels.rotary_attention(qkv_NC, self.starts, self.longest, heads, cos, sin)

    def alibi(self, slopes_H: Tensor, dtype: torch.dtype) -> Attend:
        """As PaddedRows.alibi; the distances are counted in fp32 all the way."""
        return lambda qkv_NC: kernels.alibi_attention(qkv_NC, self.starts, self.longest, slopes_H)

    def add_norm(self, x_ND: Tensor, y_ND: Tensor | None, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
        """x + y, made in place, and its norm."""
        return x_ND, kernels.add_norm(x_ND, y_ND, norm)

    def norm_of_sum(self, x_ND: Tensor, y_ND: Tensor | None, norm: nn.Module) -> Tensor:
        """The norm of x + y alone, in place of x."""
        if isinstance(norm, nn.Identity):
            return x_ND if y_ND is None else x_ND + y_ND
        return kernels.norm_of_sum(x_ND, y_ND, norm)

    def gate(self, gu_NF: Tensor) -> Tensor:
        """As PaddedRows.gate."""
        return kernels.gelu_gate(gu_NF)

    def mean(self, x_ND: Tensor, skip: int = 0) -> Tensor:
        """As PaddedRows.mean."""
        return kernels.row_means(x_ND, self.starts, skip)


@torch.inference_mode()
def difference(encoder: nn.Module, device: torch.device) -> str:
    """Compute a few rows this way and by plain PyTorch: "" where they agree, else in what they do not.

    Triton compiles its kernels for this GPU meanwhile, and raises what it likes where it cannot.
    """
    ends = list(accumulate(TRIAL_LENGTHS, initial=0))
    tokens_N = torch.arange(ends[-1], device=device, dtype=torch.int32) % encoder.config.vocabulary
    ours = encoder.packed(tokens_N, torch.tensor(ends, device=device, dtype=torch.int32), max(TRIAL_LENGTHS))
    theirs = torch.cat([encoder(row[None]) for row in tokens_N.split(TRIAL_LENGTHS)])
    cosine = torch.cosine_similarity(ours, theirs, dim=1).min().item()
    return "" if cosine > LEAST_COSINE else f"the kernels' embeddings differ from PyTorch's (cosine {cosine:.4g})"
