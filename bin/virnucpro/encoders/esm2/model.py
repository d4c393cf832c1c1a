"""ESM-2, the protein language model (Lin et al., Science 2023, doi:10.1126/science.ade2574), for embedding only.

A pre-norm transformer with rotary positions. Every published size (8M to 15B) loads from a folder with config.json (as
on the Hugging Face hub) and model.safetensors (fair-esm's key names). What is thrown away is not computed: no
language-model head, no layers beyond the one asked for. `forward` computes rows filled up to one length, `packed` rows
that lie one after another (a GPU's way); the layers are the same. Shapes: B rows, T tokens a row, N tokens, D width.

Half precision: matrix products and attention in fp16 or bf16, sums within them, norms and the mean in fp32; the sum
over layers in fp32 where rows are padded.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from virnucpro.encoders.esm2.description import MAX_RESIDUES, esm2_config, esm2_tensors
from virnucpro.encoders.kind import CONFIG, Shapes
from virnucpro.encoders.linear import GeluLinear, Linear, for_inference
from virnucpro.encoders.ragged import Ragged, ragged
from virnucpro.encoders.rows import Attend, Rows
from virnucpro.encoders.transformer import Transformer
from virnucpro.encoders.weights import Weights, assign, choose_layer, open_weights
from virnucpro.errors import ModelError
from virnucpro.files import read_object

# Tokens in fair-esm's order (esm.data.Alphabet, "ESM-1b"); ids are positions.
TOKENS = ("<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>")
BOS, PAD, EOS, UNKNOWN = 0, 1, 2, 3
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
    tensors: Shapes = field(default_factory=dict)  # of the file

    @classmethod
    def read(cls, folder: Path, layer: int | str = "last") -> "Config":
        """From the folder's config.json. Raises ModelError on a missing key or a layer that does not exist."""
        raw = read_object(folder / CONFIG)
        sizes = esm2_config(folder / CONFIG, raw)
        number = choose_layer(layer, sizes.num_hidden_layers, folder)
        vocabulary, pad = sizes.vocab_size, raw.get("pad_token_id", PAD)
        if vocabulary < len(TOKENS) or not 0 <= pad < vocabulary:
            raise ModelError(
                f"{folder / CONFIG}: vocab_size {vocabulary} and pad_token_id {pad} do not fit ESM-2's "
                f"{len(TOKENS)} tokens"
            )
        return cls(
            layers=number,
            dim=sizes.hidden_size,
            heads=sizes.num_attention_heads,
            hidden=sizes.intermediate_size,
            vocabulary=vocabulary,
            pad=pad,
            epsilon=raw.get("layer_norm_eps", 1e-5),
            scale=TOKEN_DROPOUT_SCALE if raw.get("token_dropout", True) else 1.0,
            final_norm=number == sizes.num_hidden_layers,
            tensors=esm2_tensors(sizes),
        )


class Block(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, c: Config):
        super().__init__()
        self.attention_norm = nn.LayerNorm(c.dim, c.epsilon)
        self.qkv = Linear(c.dim, 3 * c.dim)
        self.out = Linear(c.dim, c.dim)
        self.mlp_norm = nn.LayerNorm(c.dim, c.epsilon)
        self.gelu_up = GeluLinear(c.dim, c.hidden)
        self.down = Linear(c.hidden, c.dim)

    def forward(self, x_ND: Tensor, y_ND: Tensor | None, rows: Rows, attend: Attend) -> tuple[Tensor, Tensor]:
        """x: the sum over layers so far; y: what the layer before adds to it. Gives the same for the next layer."""
        x_ND, h_ND = rows.add_norm(x_ND, y_ND, self.attention_norm)
        a_ND = attend(self.qkv(h_ND))
        x_ND, h_ND = rows.add_norm(x_ND, self.out(a_ND), self.mlp_norm)
        return x_ND, self.down(self.gelu_up(h_ND))


class ESM2(Transformer):
    """Peptides in, embeddings out: `tokenize`, then call it batch by batch.

    An embedding is the mean over the residues; a row has at most MAX_TOKENS tokens.
    """

    kind = "esm2"
    left_out = 1  # BOS and EOS

    def __init__(self, c: Config):
        super().__init__()
        self.config = c
        self.dim, self.layer, self.pad = c.dim, c.layers, c.pad
        self.embed = nn.Embedding(c.vocabulary, c.dim)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.dim, c.epsilon) if c.final_norm else nn.Identity()
        self.register_buffer("rotation", torch.empty(MAX_TOKENS, c.dim // c.heads // 2, 2))

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

    def layers(self, tokens_N: Tensor, rows: Rows) -> Tensor:
        attend = rows.rotary(self.rotation, self.config.heads)
        x_ND, y_ND = (self.embed(tokens_N) * self.config.scale).to(rows.residual), None
        for block in self.blocks:
            x_ND, y_ND = block(x_ND, y_ND, rows, attend)
        return rows.norm_of_sum(x_ND, y_ND, self.norm)


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
    with open_weights(folder, device, config.tensors) as weights:
        return build(weights, config, dtype)


def build(weights: Weights, config: Config, dtype: torch.dtype) -> ESM2:
    """An encoder of `config`'s sizes with these weights, on their device. Raises ModelError where they do not fit."""
    with torch.device("meta"):
        model = ESM2(config)
    assign(model, dict(_state(weights, config, dtype)), weights.path)
    return for_inference(model)


def _state(w: Weights, c: Config, dtype: torch.dtype):
    """Our names and tensors from fair-esm's; queries, keys and values become one matrix."""
    fp32 = torch.float32
    yield "embed.weight", w.get("embed_tokens.weight", fp32)
    for i in range(c.layers):
        theirs, ours = f"layers.{i}.", f"blocks.{i}."
        for part in ("weight", "bias"):
            q, k, v = (w.get(f"{theirs}self_attn.{x}_proj.{part}", dtype) for x in "qkv")
            yield f"{ours}qkv.{part}", torch.cat((_pair(q, c.heads), _pair(k, c.heads), v))
            yield f"{ours}out.{part}", w.get(f"{theirs}self_attn.out_proj.{part}", dtype)
            yield f"{ours}gelu_up.{part}", w.get(f"{theirs}fc1.{part}", dtype)
            yield f"{ours}down.{part}", w.get(f"{theirs}fc2.{part}", dtype)
            yield f"{ours}attention_norm.{part}", w.get(f"{theirs}self_attn_layer_norm.{part}", fp32)
            yield f"{ours}mlp_norm.{part}", w.get(f"{theirs}final_layer_norm.{part}", fp32)
    if c.final_norm:
        for part in ("weight", "bias"):
            yield f"norm.{part}", w.get(f"emb_layer_norm_after.{part}", fp32)
    angle = torch.outer(torch.arange(MAX_TOKENS, device=w.device).float(), _rotary_frequencies(w, c))
    yield "rotation", torch.stack((angle.cos(), angle.sin()), dim=-1).to(dtype)


def _pair(x: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a query or key projection [D, ...]: what fair-esm turns together, x[j] and x[j + d/2], become
    neighbours, as rows.rotate wants them. Their products stay the same."""
    return x.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _rotary_frequencies(w: Weights, c: Config) -> Tensor:
    """From the checkpoint, which may hold rounded ones; by the formula only where it holds none."""
    key = "layers.0.self_attn.rot_emb.inv_freq"
    d = c.dim // c.heads
    if key in w:
        return w.get(key, torch.float32)
    return 1.0 / 10000 ** (torch.arange(0, d, 2, device=w.device).float() / d)
