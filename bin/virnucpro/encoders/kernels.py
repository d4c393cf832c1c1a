"""Triton kernels for rows packed one after another: attention, norm of a sum, gate, mean.

N tokens in all, D the width, H heads, d = D / H. `starts`, int32 [rows + 1], says where each row begins; the last
number is N. No padding is computed, no mask or bias is made, queries, keys and values are read where the product left
them. Sums and exponentials are in fp32 whatever the precision of the operands; nothing here waits for the GPU.
Attention goes over keys block by block with a running maximum (Dao et al. 2022, arXiv:2205.14135).

Block sizes, warps and stages are those that were fastest on an H100 (docs/performance.md). The tests run these kernels
in Triton's interpreter (TRITON_INTERPRET=1), which needs no GPU.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

_LOG2_E = 1.4426950408889634  # the kernel's exponentials have base 2
_BLOCK = 64  # queries, and keys, that are looked at together
_LOWEST = -1e30  # in place of minus infinity, whose difference to itself is no number


def rotary_attention(qkv_NC: Tensor, starts: Tensor, longest: int, heads: int, cos: Tensor, sin: Tensor) -> Tensor:
    """Softmax attention of each row to itself, queries and keys turned by their places (esm2.rotate); [N, D].

    qkv_NC: [N, 3 D]. cos, sin: [at least `longest`, d / 2], contiguous.
    """
    return _attend(qkv_NC, starts, longest, heads, cos, sin, None, stages=2)


def alibi_attention(qkv_NC: Tensor, starts: Tensor, longest: int, slopes_H: Tensor) -> Tensor:
    """The same without turning, and with slope * distance taken off the scores; [N, D]. slopes_H: fp32."""
    return _attend(qkv_NC, starts, longest, len(slopes_H), None, None, slopes_H, stages=3)


def _attend(
    qkv_NC: Tensor,
    starts: Tensor,
    longest: int,
    heads: int,
    cos: Tensor | None,
    sin: Tensor | None,
    slopes_H: Tensor | None,
    stages: int,
) -> Tensor:
    N, C = qkv_NC.shape
    d = C // 3 // heads
    out_ND = torch.empty(N, C // 3, dtype=qkv_NC.dtype, device=qkv_NC.device)
    unused = starts  # a kernel takes no None in a pointer's place
    _attention[(triton.cdiv(longest, _BLOCK), heads, len(starts) - 1)](
        qkv_NC,
        out_ND,
        starts,
        unused if cos is None else cos,
        unused if sin is None else sin,
        unused if slopes_H is None else slopes_H,
        d**-0.5 * _LOG2_E,
        H=heads,
        d=d,
        P=max(16, triton.next_power_of_2(d)),
        ROTARY=cos is not None,
        ALIBI=slopes_H is not None,
        M=_BLOCK,
        LOWEST=_LOWEST,
        LOG2_E=_LOG2_E,
        num_warps=4,
        num_stages=stages,
    )
    return out_ND


def add_norm(x_ND: Tensor, y_ND: Tensor | None, norm: nn.LayerNorm) -> Tensor:
    """x += y in place, and its layer norm, in the precision of x; [N, D]."""
    h_ND = torch.empty_like(x_ND)
    _add_norm_into(h_ND, x_ND, y_ND, norm, keep_sum=y_ND is not None)
    return h_ND


def norm_of_sum(x_ND: Tensor, y_ND: Tensor | None, norm: nn.LayerNorm) -> Tensor:
    """x becomes the layer norm of x + y, in place."""
    _add_norm_into(x_ND, x_ND, y_ND, norm, keep_sum=False)
    return x_ND


def _add_norm_into(out_ND: Tensor, x_ND: Tensor, y_ND: Tensor | None, norm: nn.LayerNorm, keep_sum: bool) -> None:
    N, D = x_ND.shape
    y = x_ND if y_ND is None else y_ND
    _add_norm[(N,)](
        x_ND,
        y,
        norm.weight,
        norm.bias,
        out_ND,
        norm.eps,
        D=D,
        P=triton.next_power_of_2(D),
        ADD=y_ND is not None,
        KEEP_SUM=keep_sum,
        num_warps=4,
    )


def gelu_gate(gu_NF: Tensor) -> Tensor:
    """gelu(g) * u of the halves g, u of each token's values; [N, F / 2]. The exact GELU, by the error function."""
    N, width = gu_NF.shape
    out = torch.empty(N, width // 2, dtype=gu_NF.dtype, device=gu_NF.device)
    _gelu_gate[(triton.cdiv(out.numel(), 2048),)](gu_NF, out, out.numel(), H=width // 2, BLOCK=2048, num_warps=8)
    return out


def row_means(x_ND: Tensor, starts: Tensor, skip: int) -> Tensor:
    """Mean over each row's tokens without `skip` at either end; fp32 [rows, D]."""
    rows, D = len(starts) - 1, x_ND.shape[1]
    out = torch.empty(rows, D, dtype=torch.float32, device=x_ND.device)
    _row_mean[(rows, triton.cdiv(D, 128))](x_ND, starts, out, skip, D=D, COLUMNS=128, TOKENS=32, num_warps=4)
    return out


@triton.jit
def _tile(at, row: tl.constexpr, place, T, c, d: tl.constexpr, P: tl.constexpr):
    """[places, P] of the values at `at`, whose rows lie `row` apart; 0 beyond T and beyond d."""
    inside = place[:, None] < T
    if d != P:
        inside = inside & (c[None, :] < d)
    return tl.load(at + place[:, None] * row + c[None, :], mask=inside, other=0.0)


@triton.jit
def _turned(x, cos, sin, place, T, d: tl.constexpr, P: tl.constexpr):
    """Neighbours of x [places, P] turned as real and imaginary part; each fp32 [places, P / 2]."""
    re, im = tl.split(tl.reshape(x, (x.shape[0], P // 2, 2)))
    re, im = re.to(tl.float32), im.to(tl.float32)
    j = tl.arange(0, P // 2)
    c = _tile(cos, d // 2, place, T, j, d // 2, P // 2).to(tl.float32)
    s = _tile(sin, d // 2, place, T, j, d // 2, P // 2).to(tl.float32)
    return re * c - im * s, im * c + re * s


@triton.jit
def _attention(
    qkv,
    out,
    starts,
    cos,
    sin,
    slopes,
    scale,
    H: tl.constexpr,
    d: tl.constexpr,
    P: tl.constexpr,  # d rounded up to a power of two
    ROTARY: tl.constexpr,
    ALIBI: tl.constexpr,
    M: tl.constexpr,
    LOWEST: tl.constexpr,
    LOG2_E: tl.constexpr,
):
    """One block of M queries of one head of one row."""
    block, h, b = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    start = tl.load(starts + b)
    T = tl.load(starts + b + 1) - start
    if block * M >= T:
        return
    row: tl.constexpr = 3 * H * d
    base = qkv + start.to(tl.int64) * row + h * d
    dtype = qkv.dtype.element_ty
    m, c = block * M + tl.arange(0, M), tl.arange(0, P)
    q = _tile(base, row, m, T, c, d, P)
    if ROTARY:
        re, im = _turned(q, cos, sin, m, T, d, P)
        q_re, q_im = (re * scale).to(dtype), (im * scale).to(dtype)
        if P == 16:  # a product on tensor cores takes 16 values or more, so not half of them
            q = tl.reshape(tl.join(q_re, q_im), (M, P))
    else:
        q = (q.to(tl.float32) * scale).to(dtype)
    acc = tl.zeros((M, P), tl.float32)
    top = tl.full((M,), LOWEST, tl.float32)
    total = tl.zeros((M,), tl.float32)
    for first in range(0, T, M):
        n = first + tl.arange(0, M)
        k = _tile(base + H * d, row, n, T, c, d, P)
        if ROTARY:
            re, im = _turned(k, cos, sin, n, T, d, P)
            k_re, k_im = re.to(dtype), im.to(dtype)
            if P == 16:
                k = tl.reshape(tl.join(k_re, k_im), (M, P))
                s = tl.dot(q, tl.trans(k), input_precision="ieee")
            else:
                s = tl.dot(q_re, tl.trans(k_re), input_precision="ieee")
                s += tl.dot(q_im, tl.trans(k_im), input_precision="ieee")
        else:
            s = tl.dot(q, tl.trans(k), input_precision="ieee")
        if ALIBI:
            s -= tl.load(slopes + h) * LOG2_E * tl.abs(m[:, None] - n[None, :]).to(tl.float32)
        s = tl.where(n[None, :] < T, s, LOWEST)
        new = tl.maximum(top, tl.max(s, 1))
        p = tl.exp2(s - new[:, None])
        fade = tl.exp2(top - new)
        total = total * fade + tl.sum(p, 1)
        v = _tile(base + 2 * H * d, row, n, T, c, d, P)
        acc = acc * fade[:, None] + tl.dot(p.to(dtype), v, input_precision="ieee")
        top = new
    inside = m[:, None] < T
    if d != P:
        inside = inside & (c[None, :] < d)
    to = out + (start + m[:, None]).to(tl.int64) * (H * d) + h * d + c[None, :]
    tl.store(to, (acc / total[:, None]).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _add_norm(
    x, y, weight, bias, out, eps, D: tl.constexpr, P: tl.constexpr, ADD: tl.constexpr, KEEP_SUM: tl.constexpr
):
    """One token. The sum is rounded to x's precision before the norm, as what is kept of it."""
    at = tl.program_id(0).to(tl.int64) * D
    c = tl.arange(0, P)
    inside = c < D
    v = tl.load(x + at + c, mask=inside, other=0.0).to(tl.float32)
    if ADD:
        v += tl.load(y + at + c, mask=inside, other=0.0).to(tl.float32)
    if KEEP_SUM:
        rounded = v.to(x.dtype.element_ty)
        tl.store(x + at + c, rounded, mask=inside)
        v = rounded.to(tl.float32)
    centred = tl.where(inside, v - tl.sum(v, 0) / D, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred, 0) / D + eps)
    w = tl.load(weight + c, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(bias + c, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + at + c, (centred * scale * w + b).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gelu_gate(gu, out, n, H: tl.constexpr, BLOCK: tl.constexpr):
    """BLOCK values of the result, which has H for each token."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    at = i // H * 2 * H + i % H
    g = tl.load(gu + at, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(gu + at + H, mask=inside, other=0.0).to(tl.float32)
    gelu = 0.5 * g * (1 + tl.erf(g * 0.7071067811865476))
    tl.store(out + i, (gelu * u).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _row_mean(x, starts, out, skip, D: tl.constexpr, COLUMNS: tl.constexpr, TOKENS: tl.constexpr):
    """COLUMNS values of one row's mean."""
    b = tl.program_id(0)
    first, stop = tl.load(starts + b) + skip, tl.load(starts + b + 1) - skip
    c = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((COLUMNS,), tl.float32)
    for block in range(first, stop, TOKENS):
        t = block + tl.arange(0, TOKENS)
        inside = (t[:, None] < stop) & (c[None, :] < D)
        values = tl.load(x + t[:, None].to(tl.int64) * D + c[None, :], mask=inside, other=0.0)
        total += tl.sum(values.to(tl.float32), 0)
    tl.store(out + b.to(tl.int64) * D + c, total / (stop - first), mask=c < D)
