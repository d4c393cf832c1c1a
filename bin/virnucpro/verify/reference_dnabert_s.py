"""DNABERT-S written out plainly, apart from the pipeline's own encoder: one sequence at a time, a head at a time.

The architecture as published: a BERT without position embeddings whose scores fall with distance (ALiBi: Press et al.
2022, arXiv:2108.12409), gated linear units (Shazeer 2020, arXiv:2002.05202) in MosaicBERT's form (Portes et al. 2023,
arXiv:2312.17482), post-norm. No release of transformers holds it: its authors' code comes from a hub, and needs Triton.
"""

import math

import torch
from torch import Tensor

EPSILON = 1e-12  # of layer norms, as DNABERT-S's config.json has it


def slopes(heads: int) -> list[float]:
    """Of a power of two: the geometric series 2^(-8/heads), its square, ...; else those of the power of two below, then
    every second one of the power above."""
    if heads & (heads - 1) == 0:
        ratio = 2 ** (-8 / heads)
        return [ratio**k for k in range(1, heads + 1)]
    below = 1 << (heads.bit_length() - 1)
    return slopes(below) + slopes(2 * below)[::2][: heads - below]


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + EPSILON).sqrt() * weight + bias


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


@torch.inference_mode()
def hidden(tokens: Tensor, w: dict[str, Tensor], layers: int, heads: int) -> Tensor:
    """Output of layer `layers`, [tokens, width]. tokens: int [tokens], of one sequence; w: tensors
    by DNABERT-S's names.

    Attention is written out head by head, and no sequence is filled up."""
    x = w["embeddings.word_embeddings.weight"][tokens.long()] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, w["embeddings.LayerNorm.weight"], w["embeddings.LayerNorm.bias"])
    place = torch.arange(len(tokens), device=x.device, dtype=x.dtype)
    distance = (place[:, None] - place[None, :]).abs()
    d = x.shape[1] // heads
    for number in range(layers):

        def of(name: str, at: str = f"encoder.layer.{number}.") -> Tensor:
            return w[at + name]

        queries, keys, values = (x @ of("attention.self.Wqkv.weight").T + of("attention.self.Wqkv.bias")).split(
            x.shape[1], dim=1
        )
        parts = []
        for head, slope in enumerate(slopes(heads)):
            mine = slice(head * d, (head + 1) * d)
            scores = queries[:, mine] @ keys[:, mine].T / math.sqrt(d) - slope * distance
            parts.append(scores.softmax(dim=1) @ values[:, mine])
        attended = torch.cat(parts, dim=1) @ of("attention.output.dense.weight").T + of("attention.output.dense.bias")
        x = norm(x + attended, of("attention.output.LayerNorm.weight"), of("attention.output.LayerNorm.bias"))
        gate, up = (x @ of("mlp.gated_layers.weight").T).chunk(2, dim=1)
        out = (gelu(gate) * up) @ of("mlp.wo.weight").T + of("mlp.wo.bias")
        x = norm(x + out, of("mlp.layernorm.weight"), of("mlp.layernorm.bias"))
    return x
