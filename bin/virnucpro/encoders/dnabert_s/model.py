"""DNABERT-S, the DNA language model (Zhou et al. 2024, arXiv:2402.08777), for embedding only.

A post-norm transformer in the manner of MosaicBERT: no position embeddings but a bias on attention that falls with
distance (ALiBi), and gated linear units. It loads from a folder with config.json, model.safetensors (DNABERT-S's own
key names) and tokenizer.json. `forward` computes rows filled up to one length, `packed` rows that lie one after another
(a GPU's way); the layers are the same. Shapes: B rows, T tokens a row, N tokens, D the width.

Half precision: matrix products and attention in fp16 or bf16, sums within them, norms and the mean in fp32; what passes
from layer to layer in fp32 where rows are padded.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from virnucpro.encoders.dnabert_s.description import dnabert_s_config, dnabert_s_tensors
from virnucpro.encoders.kind import CONFIG, Shapes
from virnucpro.encoders.linear import GatedLinear, Linear, for_inference, product_dtype
from virnucpro.encoders.ragged import Ragged, ragged
from virnucpro.encoders.rows import Attend, Rows
from virnucpro.encoders.transformer import Transformer
from virnucpro.encoders.weights import Weights, assign, choose_layer, open_weights
from virnucpro.errors import ModelError
from virnucpro.files import read_object


@dataclass(frozen=True)
class Config:
    """Sizes of a DNABERT-S. `layers` counts those that are run: up to the one whose output is the embedding."""

    layers: int
    dim: int
    heads: int
    hidden: int
    vocabulary: int
    epsilon: float
    tensors: Shapes = field(default_factory=dict)  # of the file

    @classmethod
    def read(cls, folder: Path, layer: int | str = "last") -> "Config":
        """From the folder's config.json. Raises ModelError on a missing key or a layer that does not exist."""
        raw = read_object(folder / CONFIG)
        sizes = dnabert_s_config(folder / CONFIG, raw)
        return cls(
            layers=choose_layer(layer, sizes.num_hidden_layers, folder),
            dim=sizes.hidden_size,
            heads=sizes.num_attention_heads,
            hidden=sizes.intermediate_size,
            vocabulary=sizes.vocab_size,
            epsilon=raw.get("layer_norm_eps", 1e-12),
            tensors=dnabert_s_tensors(sizes),
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
        self.qkv = Linear(c.dim, 3 * c.dim)
        self.out = Linear(c.dim, c.dim)
        self.attention_norm = nn.LayerNorm(c.dim, c.epsilon)
        self.gated = GatedLinear(c.dim, 2 * c.hidden, bias=False)
        self.down = Linear(c.hidden, c.dim)
        self.mlp_norm = nn.LayerNorm(c.dim, c.epsilon)

    def forward(self, x_ND: Tensor, rows: Rows, attend: Attend) -> Tensor:
        """x: the layer's input; gives its output."""
        a_ND = attend(self.qkv(x_ND))
        x_ND = rows.norm_of_sum(x_ND, self.out(a_ND), self.attention_norm)
        return rows.norm_of_sum(x_ND, self.down(self.gated(x_ND, rows.gate)), self.mlp_norm)


class DNABERTS(Transformer):
    """Nucleotides in, embeddings out: `tokenize`, then call it batch by batch.

    An embedding is the mean over all tokens, [CLS] and [SEP] with them.
    """

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

    def layers(self, tokens_N: Tensor, rows: Rows) -> Tensor:
        attend = rows.alibi(self.slopes, product_dtype(self))
        x_ND = self.norm(self.word(tokens_N) + self.token_type).to(rows.residual)
        for block in self.blocks:
            x_ND = block(x_ND, rows, attend)
        return x_ND


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
    with open_weights(folder, device, config.tensors) as weights:
        return build(weights, config, tokenizer, dtype)


def build(weights: Weights, config: Config, tokenizer: Tokenizer, dtype: torch.dtype) -> DNABERTS:
    """An encoder of `config`'s sizes with these weights, on their device. Raises ModelError where they do not fit."""
    with torch.device("meta"):
        model = DNABERTS(config, tokenizer)
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
    fp32 = torch.float32
    yield "word.weight", w.get("embeddings.word_embeddings.weight", fp32)
    yield "slopes", torch.tensor(alibi_slopes(c.heads), device=w.device)
    yield "token_type", w.get("embeddings.token_type_embeddings.weight", fp32)[0].clone()
    for part in ("weight", "bias"):
        yield f"norm.{part}", w.get(f"embeddings.LayerNorm.{part}", fp32)
    for i in range(c.layers):
        theirs, ours = f"encoder.layer.{i}.", f"blocks.{i}."
        yield f"{ours}gated.weight", w.get(f"{theirs}mlp.gated_layers.weight", dtype)
        for part in ("weight", "bias"):
            yield f"{ours}qkv.{part}", w.get(f"{theirs}attention.self.Wqkv.{part}", dtype)
            yield f"{ours}out.{part}", w.get(f"{theirs}attention.output.dense.{part}", dtype)
            yield f"{ours}attention_norm.{part}", w.get(f"{theirs}attention.output.LayerNorm.{part}", fp32)
            yield f"{ours}down.{part}", w.get(f"{theirs}mlp.wo.{part}", dtype)
            yield f"{ours}mlp_norm.{part}", w.get(f"{theirs}mlp.layernorm.{part}", fp32)
