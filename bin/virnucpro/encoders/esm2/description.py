"""ESM-2 as the rest of the pipeline knows it (the encoder itself: model.py)."""

from pathlib import Path

import numpy as np

from virnucpro.encoders.kind import CONFIG, WEIGHTS, Kind, Layout, Shapes, linear, norm
from virnucpro.encoders.transformer_config import TransformerConfig, transformer_config

TOKENS = 33  # fair-esm's alphabet, ESM-1b flavour
MAX_RESIDUES = 1024  # VirNucPro and fair-esm's extract.py cut peptides here


def esm2_config(path: Path, raw: dict) -> TransformerConfig:
    """The sizes in the config.json at `path`, parsed as `raw`; ModelError where it is no ESM-2."""
    # Queries and keys are turned in pairs of values, so each head needs an even number.
    return transformer_config(path, raw, "esm2", "esm", per_head=2, vocab_size=TOKENS)


def esm2_layout(path: Path, raw: dict) -> Layout:
    c = esm2_config(path, raw)
    return Layout(c.num_hidden_layers, c.hidden_size, esm2_tensors(c))


def esm2_tensors(c: TransformerConfig) -> Shapes:
    """ESM-2 in fair-esm's names, without language-model and contact heads."""
    d, f = c.hidden_size, c.intermediate_size
    shapes: Shapes = {"embed_tokens.weight": (c.vocab_size, d)}
    for i in range(c.num_hidden_layers):
        at = f"layers.{i}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= linear(f"{at}.self_attn.{part}", d, d)
        shapes[f"{at}.self_attn.rot_emb.inv_freq"] = (d // c.num_attention_heads // 2,)
        shapes |= linear(f"{at}.fc1", d, f) | linear(f"{at}.fc2", f, d)
        shapes |= norm(f"{at}.self_attn_layer_norm", d) | norm(f"{at}.final_layer_norm", d)
    return shapes | norm("emb_layer_norm_after", d)


def esm2_tokens(_nucleotides: np.ndarray, residues: np.ndarray) -> np.ndarray:
    """A token for each residue that is read, and two special ones."""
    return (np.minimum(residues, MAX_RESIDUES) + 2).astype(np.int32)


ESM2 = Kind(
    name="esm2",
    label="ESM-2",
    reads="peptide",
    files=(CONFIG, WEIGHTS),
    needs_torch=True,
    colour="#56b4e9",
    citation="Lin Z et al. Evolutionary-scale prediction of atomic-level protein structure with a language model. "
    "Science 379:1123-1130, 2023. doi:10.1126/science.ade2574",
    tokens=esm2_tokens,
    layout=esm2_layout,
)
