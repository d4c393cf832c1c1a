"""Encoder folders with random weights, made with the reference implementations."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def fair_esm(layers: int, dim: int, heads: int, seed: int = 0):
    """fair-esm's ESM2 with random weights; norms and biases random too, so that none of them goes untested."""
    import esm

    torch.manual_seed(seed)
    model = esm.ESM2(layers, dim, heads).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and "layer_norm" in name and name.endswith("weight"):
            parameter.normal_(1.0, 0.1)
        elif parameter.ndim == 1:
            parameter.normal_(0.0, 0.1)
    return model


def save_esm2(model, folder: Path, **config) -> Path:
    """Write fair-esm's model as an encoder folder."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.clone() for k, v in model.state_dict().items() if not k.startswith(("lm_head", "contact_head"))}
    save_file(state, folder / "model.safetensors")
    raw = {
        "model_type": "esm",
        "num_hidden_layers": model.num_layers,
        "hidden_size": model.embed_dim,
        "num_attention_heads": model.attention_heads,
        "intermediate_size": 4 * model.embed_dim,
        "token_dropout": True,
        "vocab_size": model.alphabet_size,
        "pad_token_id": model.padding_idx,
        "layer_norm_eps": 1e-5,
    }
    (folder / "config.json").write_text(json.dumps(raw | config))
    return folder
