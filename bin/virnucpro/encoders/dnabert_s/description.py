"""DNABERT-S as the rest of the pipeline knows it (the encoder itself: model.py)."""

from pathlib import Path

import numpy as np

from virnucpro.encoders.kind import CONFIG, WEIGHTS, Kind, Layout, Shapes, linear, norm
from virnucpro.encoders.transformer_config import TransformerConfig, transformer_config

BASES_PER_TOKEN = 4.7  # of its tokenizer on bacterial and viral genomes


def dnabert_s_config(path: Path, raw: dict) -> TransformerConfig:
    """The sizes in the config.json at `path`, parsed as `raw`; ModelError where it is no DNABERT-S."""
    return transformer_config(path, raw, "dnabert_s", "bert")


def dnabert_s_layout(path: Path, raw: dict) -> Layout:
    c = dnabert_s_config(path, raw)
    return Layout(c.num_hidden_layers, c.hidden_size, dnabert_s_tensors(c))


def dnabert_s_tensors(c: TransformerConfig) -> Shapes:
    """DNABERT-S (MosaicBERT: fused QKV, gated MLP without bias in its first layer, ALiBi), without pooler and heads."""
    d, f = c.hidden_size, c.intermediate_size
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (c.vocab_size, d),
        "embeddings.token_type_embeddings.weight": (c.type_vocab_size, d),
    }
    shapes |= norm("embeddings.LayerNorm", d)
    for i in range(c.num_hidden_layers):
        at = f"encoder.layer.{i}"
        shapes |= linear(f"{at}.attention.self.Wqkv", d, 3 * d) | linear(f"{at}.attention.output.dense", d, d)
        shapes |= norm(f"{at}.attention.output.LayerNorm", d)
        shapes[f"{at}.mlp.gated_layers.weight"] = (2 * f, d)
        shapes |= linear(f"{at}.mlp.wo", f, d) | norm(f"{at}.mlp.layernorm", d)
    return shapes


def dnabert_s_tokens(nucleotides: np.ndarray, _residues: np.ndarray) -> np.ndarray:
    """About as many as the tokenizer makes, which runs in the embedding task only, and two special ones."""
    return (nucleotides / BASES_PER_TOKEN).astype(np.int32) + 2


DNABERT_S = Kind(
    name="dnabert_s",
    label="DNABERT-S",
    reads="nucleotides",
    files=(CONFIG, WEIGHTS, "tokenizer.json"),
    needs_torch=True,
    colour="#009e73",
    citation="Zhou Z et al. DNABERT-S: pioneering species differentiation with species-aware DNA embeddings. "
    "Bioinformatics 41(Supplement 1):i255-i264, 2025; arXiv:2402.08777",
    tokens=dnabert_s_tokens,
    layout=dnabert_s_layout,
)
