"""ESM-2, the protein language model (Lin et al., Science 2023, doi:10.1126/science.ade2574), for embedding only.

A pre-norm transformer with rotary positions. Every published size (8M to 15B) loads from a folder with config.json (as
on the Hugging Face hub) and model.safetensors (fair-esm's key names). What is thrown away is not computed: no
language-model head, no layers beyond the one asked for. In the comments B is the batch, T tokens, D the width, H heads,
d = D / H.

Half precision: matrix products and attention in fp16 or bf16; the residual stream, layer norms and the mean in fp32.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from virnucpro.encoders.linear import Linear, for_inference
from virnucpro.encoders.ragged import Ragged, ragged
from virnucpro.encoders.weights import Weights, assign, choose_layer, open_weights, read_config, take
from virnucpro.errors import ModelError

# Tokens in fair-esm's order (esm.data.Alphabet, "ESM-1b"); ids are positions.
TOKENS = ("<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>")
BOS, PAD, EOS, UNKNOWN = 0, 1, 2, 3
MAX_RESIDUES = 1024  # VirNucPro and fair-esm's extract.py cut peptides here
MAX_TOKENS = MAX_RESIDUES + 64  # with BOS, EOS and padding

# In training 15 % of the tokens were chosen and 80 % of those masked; the input is scaled by what was left of it.
TOKEN_DROPOUT_SCALE = 1 - 0.15 * 0.8

_TOKEN_OF_BYTE = np.full(256, UNKNOWN, dtype=np.int32)
for _token, _name in enumerate(TOKENS):
    if len(_name) == 1:
        _TOKEN_OF_BYTE[ord(_name)] = _token


@dataclass(frozen=True)
class Config:
    """Sizes of an ESM-2. `layers` counts those that are run: up to the one whose output is the embedding."""

    layers: int
    dim: int
    heads: int
    hidden: int
    vocabulary: int
    pad: int
    epsilon: float
    scale: float  # of the token embeddings
    final_norm: bool  # the last layer's output is normalised, those of earlier layers are not

    @classmethod
    def read(cls, folder: Path, layer: int | str = "last") -> "Config":
        """From the folder's config.json. Raises ModelError on a missing key or a layer that does not exist."""
        raw = read_config(folder)
        layers = take(raw, "num_hidden_layers", folder)
        number = choose_layer(layer, layers, folder)
        dim = take(raw, "hidden_size", folder)
        vocabulary, pad = take(raw, "vocab_size", folder, len(TOKENS)), take(raw, "pad_token_id", folder, PAD)
        if vocabulary < len(TOKENS) or not 0 <= pad < vocabulary:
            raise ModelError(
                f"{folder / 'config.json'}: vocab_size {vocabulary} and pad_token_id {pad} do not fit ESM-2's "
                f"{len(TOKENS)} tokens"
            )
        return cls(
            layers=number,
            dim=dim,
            heads=take(raw, "num_attention_heads", folder),
            hidden=take(raw, "intermediate_size", folder, 4 * dim),
            vocabulary=vocabulary,
            pad=pad,
            epsilon=take(raw, "layer_norm_eps", folder, 1e-5),
            scale=TOKEN_DROPOUT_SCALE if take(raw, "token_dropout", folder, True) else 1.0,
            final_norm=number == layers,
        )


class Block(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, c: Config):
        super().__init__()
        self.heads = c.heads
        self.attention_norm = nn.LayerNorm(c.dim, c.epsilon)
        self.qkv = Linear(c.dim, 3 * c.dim)
        self.out = Linear(c.dim, c.dim)
        self.mlp_norm = nn.LayerNorm(c.dim, c.epsilon)
        self.up = Linear(c.dim, c.hidden)
        self.down = Linear(c.hidden, c.dim)

    def forward(self, x: Tensor, rotation: Tensor, mask: Tensor | None) -> Tensor:
        """x [B, T, D] fp32; rotation [1, T, 1, 1, d/2, 2]; mask None or bool [B, 1, 1, T], False on padding."""
        B, T, D = x.shape
        dtype = self.qkv.dtype
        qkv = self.qkv(self.attention_norm(x).to(dtype)).view(B, T, 3, self.heads, D // self.heads)
        q, k = rotate(qkv[:, :, :2], rotation).transpose(1, 3).unbind(2)  # [B, T, 2, H, d] -> each [B, H, T, d]
        v = qkv[:, :, 2].transpose(1, 2)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)  # [B, T, H, d]
        x = self.out.plus(a.reshape(B, T, D), x)
        return self.down.plus(self.up.gelu(self.mlp_norm(x).to(dtype)), x)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021, arXiv:2104.09864) of x [B, T, 2, H, d]; rotation [1, T, 1, 1, d/2, 2].

    Neighbours x[2j], x[2j + 1] are turned together, as real and imaginary part. fair-esm pairs x[j] with x[j + d/2];
    `load` reorders the weights of queries and keys to suit, which leaves their products the same.
    """
    pairs = x.unflatten(-1, (-1, 2))
    if x.device.type == "cpu" and x.dtype is torch.float32:  # one pass over memory: 6 to 10 times faster than below
        turned = torch.view_as_complex(pairs) * torch.view_as_complex(rotation)
        return torch.view_as_real(turned).flatten(-2)
    real, imaginary = pairs.unbind(-1)
    cos, sin = rotation.unbind(-1)
    return torch.stack((real * cos - imaginary * sin, imaginary * cos + real * sin), dim=-1).flatten(-2)


class ESM2(nn.Module):
    """Peptides in, embeddings out: `tokenize`, then call it batch by batch."""

    kind = "esm2"

    def __init__(self, c: Config):
        super().__init__()
        self.config = c
        self.dim, self.layer, self.pad = c.dim, c.layers, c.pad
        self.embed = nn.Embedding(c.vocabulary, c.dim)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.dim, c.epsilon) if c.final_norm else nn.Identity()
        self.register_buffer("rotation", torch.empty(1, MAX_TOKENS, 1, 1, c.dim // c.heads // 2, 2))

    def tokenize(self, peptides: list[str]) -> Ragged:
        """BOS, one token per residue (at most 1,024), EOS. A letter ESM-2 has no token for becomes <unk>."""
        cut = [p[:MAX_RESIDUES].encode("ascii", "replace") for p in peptides]
        length = np.fromiter(map(len, cut), dtype=np.int64, count=len(cut)) + 2
        end = np.cumsum(length)
        flat = np.empty(int(length.sum()), dtype=np.int32)
        special = np.zeros(len(flat), dtype=bool)
        special[end - length] = special[end - 1] = True
        flat[end - length], flat[end - 1] = BOS, EOS
        flat[~special] = _TOKEN_OF_BYTE[np.frombuffer(b"".join(cut), dtype=np.uint8)]
        return ragged(flat, length)

    def forward(self, tokens: Tensor, length: Tensor | None = None) -> Tensor:
        """Mean over the residues (not BOS, not EOS), fp32 [B, D].

        tokens: int [B, T], T at most MAX_TOKENS. length: int [B], tokens of each row with BOS and EOS; None where every
        row fills all of T.
        """
        x = self.hidden(tokens, length)  # [B, T, D]
        if length is None:
            return x[:, 1:-1].mean(dim=1)
        place = torch.arange(tokens.shape[1], device=tokens.device)
        residue = (place >= 1) & (place < length[:, None] - 1)  # [B, T]
        return torch.where(residue[:, :, None], x, 0.0).sum(dim=1) / (length[:, None] - 2)

    def hidden(self, tokens: Tensor, length: Tensor | None = None) -> Tensor:
        """The layer's output for every token, fp32 [B, T, D]; rows of padding are meaningless."""
        T = tokens.shape[1]
        mask = None
        if length is not None:
            mask = (torch.arange(T, device=tokens.device) < length[:, None])[:, None, None, :]  # [B, 1, 1, T]
        x = self.embed(tokens) * self.config.scale  # [B, T] -> [B, T, D]
        for block in self.blocks:
            x = block(x, self.rotation[:, :T], mask)
        return self.norm(x)


def load(
    folder: Path,
    layer: int | str = "last",
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> ESM2:
    """Load the encoder in `folder` to `device`, tensor by tensor; `dtype` is that of the matrix products.

    Raises ModelError where a file is missing or damaged, or where the tensors do not fit the config.
    """
    device = torch.device(device)
    config = Config.read(folder, layer)
    with torch.device("meta"):
        model = ESM2(config)
    with open_weights(folder, device) as weights:
        assign(model, dict(_state(weights, config, dtype)), weights.path)
    return for_inference(model)


def _state(w: Weights, c: Config, dtype: torch.dtype):
    """Our names and tensors from fair-esm's; queries, keys and values become one matrix."""
    fp32, D = torch.float32, c.dim
    yield "embed.weight", w.get("embed_tokens.weight", fp32, (c.vocabulary, D))
    for i in range(c.layers):
        theirs, ours = f"layers.{i}.", f"blocks.{i}."
        for part in ("weight", "bias"):
            q, k, v = (w.get(f"{theirs}self_attn.{x}_proj.{part}", dtype) for x in "qkv")
            yield f"{ours}qkv.{part}", torch.cat((_pair(q, c.heads), _pair(k, c.heads), v))
            yield f"{ours}out.{part}", w.get(f"{theirs}self_attn.out_proj.{part}", dtype)
            yield f"{ours}up.{part}", w.get(f"{theirs}fc1.{part}", dtype)
            yield f"{ours}down.{part}", w.get(f"{theirs}fc2.{part}", dtype)
            yield f"{ours}attention_norm.{part}", w.get(f"{theirs}self_attn_layer_norm.{part}", fp32, (D,))
            yield f"{ours}mlp_norm.{part}", w.get(f"{theirs}final_layer_norm.{part}", fp32, (D,))
    if c.final_norm:
        for part in ("weight", "bias"):
            yield f"norm.{part}", w.get(f"emb_layer_norm_after.{part}", fp32, (D,))
    angle = torch.outer(torch.arange(MAX_TOKENS, device=w.device).float(), _rotary_frequencies(w, c))
    yield "rotation", torch.stack((angle.cos(), angle.sin()), dim=-1)[None, :, None, None].to(dtype)


def _pair(x: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a query or key projection [D, ...]: what fair-esm turns together become neighbours."""
    return x.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _rotary_frequencies(w: Weights, c: Config) -> Tensor:
    """From the checkpoint, which may hold rounded ones; by the formula only where it holds none."""
    key = "layers.0.self_attn.rot_emb.inv_freq"
    d = c.dim // c.heads
    if key in w:
        return w.get(key, torch.float32, (d // 2,))
    return 1.0 / 10000 ** (torch.arange(0, d, 2, device=w.device).float() / d)
