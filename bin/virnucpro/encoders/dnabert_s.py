"""DNABERT-S, the DNA language model (Zhou et al. 2024, arXiv:2402.08777), for embedding only.

A post-norm transformer in the manner of MosaicBERT: no position embeddings but a bias on attention that falls with
distance (ALiBi), and gated linear units. It loads from a folder with config.json, model.safetensors (DNABERT-S's own
key names) and tokenizer.json. In the comments B is the batch, T tokens, D the width, H heads, d = D / H.

Half precision: matrix products and attention in fp16 or bf16; the residual stream, layer norms and the mean in fp32.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from virnucpro.encoders.linear import GatedLinear, Linear, for_inference
from virnucpro.encoders.ragged import Ragged, ragged
from virnucpro.encoders.weights import Weights, assign, choose_layer, open_weights, read_config, take
from virnucpro.errors import ModelError


@dataclass(frozen=True)
class Config:
    """Sizes of a DNABERT-S. `layers` counts those that are run: up to the one whose output is the embedding."""

    layers: int
    dim: int
    heads: int
    hidden: int
    vocabulary: int
    epsilon: float

    @classmethod
    def read(cls, folder: Path, layer: int | str = "last") -> "Config":
        """From the folder's config.json. Raises ModelError on a missing key or a layer that does not exist."""
        raw = read_config(folder)
        return cls(
            layers=choose_layer(layer, take(raw, "num_hidden_layers", folder), folder),
            dim=take(raw, "hidden_size", folder),
            heads=take(raw, "num_attention_heads", folder),
            hidden=take(raw, "intermediate_size", folder),
            vocabulary=take(raw, "vocab_size", folder),
            epsilon=take(raw, "layer_norm_eps", folder, 1e-12),
        )


def alibi_slopes(heads: int) -> list[float]:
    """How fast each head's attention falls with distance (Press et al. 2022, arXiv:2108.12409, and its released code).

    For a power of two the slopes are a geometric series from 2^(-8/heads); else those of the next lower power of two,
    filled up with every second one of the next higher.
    """
    lower = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / lower) for i in range(lower)]
    return slopes + [2 ** (-8 * (i + 1) / (2 * lower)) for i in range(0, 2 * lower, 2)][: heads - lower]


class Block(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, c: Config):
        super().__init__()
        self.heads = c.heads
        self.qkv = Linear(c.dim, 3 * c.dim)
        self.out = Linear(c.dim, c.dim)
        self.attention_norm = nn.LayerNorm(c.dim, c.epsilon)
        self.gated = GatedLinear(c.dim, 2 * c.hidden, bias=False)
        self.down = Linear(c.hidden, c.dim)
        self.mlp_norm = nn.LayerNorm(c.dim, c.epsilon)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, D] fp32; bias [1 or B, H, T, T], added to the attention scores."""
        B, T, D = x.shape
        dtype = self.qkv.dtype
        qkv = self.qkv(x.to(dtype)).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, d]
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2)  # [B, T, H, d]
        x = self.attention_norm(self.out.plus(a.reshape(B, T, D), x))
        return self.mlp_norm(self.down.plus(self.gated(x.to(dtype)), x))


class DNABERTS(nn.Module):
    """Nucleotides in, embeddings out: `tokenize`, then call it batch by batch."""

    kind = "dnabert_s"

    def __init__(self, c: Config, tokenizer: Tokenizer | None = None):
        super().__init__()
        self.config, self.tokenizer = c, tokenizer
        self.dim, self.layer = c.dim, c.layers
        self.pad = 0  # never looked at; any id of the vocabulary does
        self.word = nn.Embedding(c.vocabulary, c.dim)
        self.token_type = nn.Parameter(torch.empty(c.dim))  # row 0: there is only one segment
        self.norm = nn.LayerNorm(c.dim, c.epsilon)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.register_buffer("slopes", torch.empty(c.heads))

    def tokenize(self, nucleotides: list[str]) -> Ragged:
        """[CLS], byte-pair tokens, [SEP]; nothing is cut."""
        ids = [e.ids for e in self.tokenizer.encode_batch_fast(nucleotides)]
        length = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        flat = np.fromiter((t for row in ids for t in row), dtype=np.int32, count=int(length.sum()))
        return ragged(flat, length)

    def forward(self, tokens: Tensor, length: Tensor | None = None) -> Tensor:
        """Mean over all tokens, [CLS] and [SEP] with them but no padding, fp32 [B, D].

        tokens: int [B, T]. length: int [B], tokens of each row; None where every row fills all of T.
        """
        x = self.hidden(tokens, length)  # [B, T, D]
        if length is None:
            return x.mean(dim=1)
        real = torch.arange(tokens.shape[1], device=tokens.device) < length[:, None]  # [B, T]
        return torch.where(real[:, :, None], x, 0.0).sum(dim=1) / length[:, None]

    def hidden(self, tokens: Tensor, length: Tensor | None = None) -> Tensor:
        """The layer's output for every token, fp32 [B, T, D]; rows of padding are meaningless."""
        T = tokens.shape[1]
        bias = self.alibi(T)
        if length is not None:
            padding = torch.arange(T, device=tokens.device) >= length[:, None]  # [B, T]
            bias = bias.masked_fill(padding[:, None, None, :], -torch.inf)  # [1, H, T, T] -> [B, H, T, T]
        x = self.norm(self.word(tokens) + self.token_type)  # [B, T] -> [B, T, D]
        for block in self.blocks:
            x = block(x, bias)
        return x

    def alibi(self, T: int) -> Tensor:
        """-slope * distance, [1, H, T, T]; made in fp32, since half precision cannot count far."""
        dtype = self.blocks[0].qkv.dtype if len(self.blocks) else torch.float32
        place = torch.arange(T, device=self.slopes.device, dtype=torch.float32)
        distance = (place[None, :] - place[:, None]).abs()  # [T, T]
        return (-self.slopes[:, None, None] * distance)[None].to(dtype)


def load(
    folder: Path,
    layer: int | str = "last",
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> DNABERTS:
    """Load the encoder in `folder` to `device`, tensor by tensor; `dtype` is that of the matrix products.

    Raises ModelError where a file is missing or damaged, or where the tensors do not fit the config.
    """
    device = torch.device(device)
    config = Config.read(folder, layer)
    tokenizer = load_tokenizer(folder, config.vocabulary)
    with torch.device("meta"):
        model = DNABERTS(config, tokenizer)
    with open_weights(folder, device) as weights:
        assign(model, dict(_state(weights, config, dtype)), weights.path)
    return for_inference(model)


def load_tokenizer(folder: Path, vocabulary: int) -> Tokenizer:
    """The folder's tokenizer, without the truncation and padding to 2,000 that DNABERT-S's file carries."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{path}: is missing; fetch the model bundle again")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as e:  # the library raises bare Exception
        raise ModelError(f"{path}: cannot be read as a tokenizer ({e}); fetch the model bundle again") from e
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= vocabulary:
        raise ModelError(f"{path}: has a token of number {highest}, config.json allows {vocabulary} tokens")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _state(w: Weights, c: Config, dtype: torch.dtype):
    """Our names and tensors from DNABERT-S's."""
    fp32, D = torch.float32, c.dim
    yield "word.weight", w.get("embeddings.word_embeddings.weight", fp32, (c.vocabulary, D))
    yield "slopes", torch.tensor(alibi_slopes(c.heads), device=w.device)
    yield "token_type", w.get("embeddings.token_type_embeddings.weight", fp32)[0].clone()
    for part in ("weight", "bias"):
        yield f"norm.{part}", w.get(f"embeddings.LayerNorm.{part}", fp32, (D,))
    for i in range(c.layers):
        theirs, ours = f"encoder.layer.{i}.", f"blocks.{i}."
        yield f"{ours}gated.weight", w.get(f"{theirs}mlp.gated_layers.weight", dtype, (2 * c.hidden, D))
        for part in ("weight", "bias"):
            yield f"{ours}qkv.{part}", w.get(f"{theirs}attention.self.Wqkv.{part}", dtype)
            yield f"{ours}out.{part}", w.get(f"{theirs}attention.output.dense.{part}", dtype)
            yield f"{ours}attention_norm.{part}", w.get(f"{theirs}attention.output.LayerNorm.{part}", fp32, (D,))
            yield f"{ours}down.{part}", w.get(f"{theirs}mlp.wo.{part}", dtype)
            yield f"{ours}mlp_norm.{part}", w.get(f"{theirs}mlp.layernorm.{part}", fp32, (D,))
