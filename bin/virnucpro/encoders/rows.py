"""How the token sequences of a batch lie in memory, and the operations that depend on it.

An encoder's layers are written once, over N tokens; which of them belong together only attention and the mean know.
`PaddedRows` (here) is plain PyTorch and runs anywhere. `PackedRows` (packed.py) needs a GPU that Triton knows; it has
the same operations. Shapes: N tokens, B rows, T tokens a row, D the width, H heads, d = D / H, C = 3 D.
"""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Attend = Callable[[Tensor], Tensor]  # qkv_NC -> [N, D]


class Rows(Protocol):
    """What an encoder's layers ask of either; PaddedRows says what each does."""

    residual: torch.dtype

    def rotary(self, rotation: Tensor, heads: int) -> Attend: ...
    def alibi(self, slopes_H: Tensor, dtype: torch.dtype) -> Attend: ...
    def add_norm(self, x_ND: Tensor, y_ND: Tensor | None, norm: nn.Module) -> tuple[Tensor, Tensor]: ...
    def norm_of_sum(self, x_ND: Tensor, y_ND: Tensor | None, norm: nn.Module) -> Tensor: ...
    def gate(self, gu_NF: Tensor) -> Tensor: ...
    def mean(self, x_ND: Tensor, skip: int = 0) -> Tensor: ...


class PaddedRows:
    """Rows filled up to one length, N = B * T."""

    residual = torch.float32  # precision of the sums over layers

    def __init__(self, tokens_BT: Tensor, length_B: Tensor | None):
        """length_B: tokens of each row; None where every row fills all of T."""
        self.B, self.T = tokens_BT.shape
        self.length_B = length_B
        self.place_T = torch.arange(self.T, device=tokens_BT.device)
        self.real_BT = None if length_B is None else self.place_T < length_B[:, None]

    def rotary(self, rotation: Tensor, heads: int) -> Attend:
        """Attention between queries and keys that are turned by their places.

        rotation: [at least T, d / 2, 2], cosines and sines.
        """
        turns = rotation[None, : self.T, None, None]  # [1, T, 1, 1, d / 2, 2]
        mask = None if self.real_BT is None else self.real_BT[:, None, None, :]  # [B, 1, 1, T]

        def attend(qkv_NC: Tensor) -> Tensor:
            qkv = qkv_NC.view(self.B, self.T, 3, heads, -1)
            q_BHTd, k_BHTd = rotate(qkv[:, :, :2], turns).transpose(1, 3).unbind(2)
            v_BHTd = qkv[:, :, 2].transpose(1, 2)
            return self._joined(F.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, attn_mask=mask))

        return attend

    def alibi(self, slopes_H: Tensor, dtype: torch.dtype) -> Attend:
        """Attention whose scores fall with distance; the bias is made in fp32, as half precision cannot count far."""
        place_T = self.place_T.float()
        distance_TT = (place_T[None, :] - place_T[:, None]).abs()
        bias = (-slopes_H[:, None, None] * distance_TT)[None].to(dtype)  # [1, H, T, T]
        if self.real_BT is not None:
            bias = bias.masked_fill(~self.real_BT[:, None, None, :], -torch.inf)  # [B, H, T, T]

        def attend(qkv_NC: Tensor) -> Tensor:
            qkv = qkv_NC.view(self.B, self.T, 3, len(slopes_H), -1)
            q_BHTd, k_BHTd, v_BHTd = qkv.permute(2, 0, 3, 1, 4)
            return self._joined(F.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, attn_mask=bias))

        return attend

    def _joined(self, a_BHTd: Tensor) -> Tensor:
        return a_BHTd.transpose(1, 2).reshape(self.B * self.T, -1)

    def add_norm(self, x_ND: Tensor, y_ND: Tensor | None, norm: nn.Module) -> tuple[Tensor, Tensor]:
        """x + y, and its norm. None stands for zeros."""
        x_ND = x_ND if y_ND is None else x_ND + y_ND
        return x_ND, norm(x_ND)

    def norm_of_sum(self, x_ND: Tensor, y_ND: Tensor | None, norm: nn.Module) -> Tensor:
        """The norm of x + y alone."""
        return self.add_norm(x_ND, y_ND, norm)[1]

    def gate(self, gu_NF: Tensor) -> Tensor:
        """gelu(g) * u of the halves g, u of each token's values."""
        g, u = gu_NF.chunk(2, dim=-1)
        return F.gelu(g) * u

    def mean(self, x_ND: Tensor, skip: int = 0) -> Tensor:
        """Over each row's tokens, without padding and without `skip` tokens at either end; fp32 [B, D]."""
        x_BTD = x_ND.view(self.B, self.T, -1)
        if self.real_BT is None:
            return x_BTD[:, skip : self.T - skip].mean(dim=1)
        place_T, length_B1 = self.place_T, self.length_B[:, None]
        counted_BT = (place_T >= skip) & (place_T < length_B1 - skip)
        return torch.where(counted_BT[:, :, None], x_BTD, 0.0).sum(dim=1) / (length_B1 - 2 * skip)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021, arXiv:2104.09864) of x [B, T, 2, H, d]; rotation [1, T, 1, 1, d/2, 2].

    Neighbours x[2j], x[2j + 1] are turned together, as real and imaginary part.
    """
    pairs = x.unflatten(-1, (-1, 2))
    if x.device.type == "cpu" and x.dtype is torch.float32:  # one pass over memory: 6 to 10 times faster than below
        turned = torch.view_as_complex(pairs) * torch.view_as_complex(rotation)
        return torch.view_as_real(turned).flatten(-2)
    real, imaginary = pairs.unbind(-1)
    cos, sin = rotation.unbind(-1)
    return torch.stack((real * cos - imaginary * sin, imaginary * cos + real * sin), dim=-1).flatten(-2)
