"""ESM-2 into a bundle's layout: from fair-esm's own checkpoint, or from the Hugging Face hub's EsmModel files.

Names: https://github.com/facebookresearch/esm (esm/pretrained.py, esm/model/esm2.py), and transformers'
models/esm/modeling_esm.py with its convert_esm.py. The language-model and contact heads are left out: no embedding
depends on them, so fair-esm's separate regression file is not needed either.
"""

import re
from pathlib import Path

from virnucpro.encoders.esm2.description import TOKENS, esm2_config, esm2_tensors
from virnucpro.encoders.transformer_config import TransformerConfig
from virnucpro.errors import ModelError
from virnucpro.fetch.checkpoint import Placeholder, read_checkpoint
from virnucpro.fetch.convert import hub_tensors, pick, state_dict
from virnucpro.fetch.stored import StoredTensor
from virnucpro.files import read_object

PREFIXES = ("encoder.sentence_encoder.", "sentence_encoder.", "encoder.")

# The hub's name of a layer's part, and fair-esm's.
HUB_LAYER = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.self.rotary_embeddings": "self_attn.rot_emb",
    "attention.output.dense": "self_attn.out_proj",
    "attention.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "LayerNorm": "final_layer_norm",
}
OLD_ENDS = {"gamma": "weight", "beta": "bias"}  # of layer norms, as some versions of transformers write them
HUB_ENDS = {"embeddings.word_embeddings": "embed_tokens", "encoder.emb_layer_norm_after": "emb_layer_norm_after"}


def from_fair_esm(path: Path) -> tuple[dict, dict[str, StoredTensor]]:
    """(config.json's content, tensors) of a fair-esm checkpoint such as esm2_t36_3B_UR50D.pt.

    Its head counts and settings stand in a Namespace, at `cfg.model` or `args`; the rest follows from the tensors.
    """
    content = read_checkpoint(path)
    if not isinstance(content, dict) or "model" not in content:
        raise ModelError(f"{path}: is no fair-esm checkpoint: it holds no `model`.")
    settings = namespace(path, content)
    tensors = {}
    for name, tensor in state_dict(path, content["model"]).items():
        prefix = next((p for p in PREFIXES if name.startswith(p)), "")
        tensors[name.removeprefix(prefix)] = tensor
    stated = {"layers": settings.get("encoder_layers"), "dim": settings.get("encoder_embed_dim")}
    return finish(path, tensors, settings.get("encoder_attention_heads"), settings.get("token_dropout", True), stated)


def namespace(path: Path, content: dict) -> dict:
    cfg = content.get("cfg")
    cfg = cfg.state if isinstance(cfg, Placeholder) else cfg
    found = cfg.get("model") if isinstance(cfg, dict) else None
    found = content.get("args") if found is None else found
    found = found.state if isinstance(found, Placeholder) else found
    if not isinstance(found, dict):
        raise ModelError(f"{path}: is no fair-esm checkpoint: it holds neither `cfg` nor `args`.")
    return found


def from_hub(folder: Path, weights: list[str]) -> tuple[dict, dict[str, StoredTensor]]:
    """(config.json's content, tensors) of a folder with the hub's config.json and these weight files.

    They may be those of an EsmModel or of an EsmForMaskedLM.
    """
    path = folder / "config.json"
    raw = read_object(path)
    config = esm2_config(path, raw)
    if raw.get("position_embedding_type") != "rotary" or raw.get("emb_layer_norm_before"):
        raise ModelError(f"{path}: is an ESM model without rotary positions: ESM-1, not ESM-2.")
    tensors = {}
    for name, tensor in hub_tensors(folder, weights).items():
        if renamed := fair_esm_name(name):
            tensors[renamed] = tensor
    stated = {"layers": config.num_hidden_layers, "dim": config.hidden_size}
    return finish(folder, tensors, config.num_attention_heads, raw.get("token_dropout"), stated)


def fair_esm_name(name: str) -> str | None:
    """fair-esm's name of a tensor of the hub's; None for heads and for what ESM-2 does not use."""
    part, _, end = name.removeprefix("esm.").rpartition(".")
    end = OLD_ENDS.get(end, end)
    if part in HUB_ENDS:
        return f"{HUB_ENDS[part]}.{end}"
    layer = re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)", part)
    if layer and layer[2] in HUB_LAYER:
        return f"layers.{layer[1]}.{HUB_LAYER[layer[2]]}.{end}"
    return None


def finish(path: Path, tensors: dict, heads: object, token_dropout: object, stated: dict) -> tuple[dict, dict]:
    """Check the tensors against one another and what the file states of itself, and leave out what is not needed."""
    embed, fc1 = tensors.get("embed_tokens.weight"), tensors.get("layers.0.fc1.weight")
    if embed is None or fc1 is None or len(embed.shape) != 2 or len(fc1.shape) != 2:
        raise ModelError(f"{path}: lacks ESM-2's embed_tokens.weight or layers.0.fc1.weight: it is another model.")
    layers = 1 + max(int(m[1]) for m in map(re.compile(r"layers\.(\d+)\.").match, tensors) if m)
    has = {"layers": layers, "dim": embed.shape[1]}
    if any(stated[k] is not None and stated[k] != has[k] for k in has):
        raise ModelError(f"{path}: says of itself {stated}, its tensors have {has}.")
    if not isinstance(heads, int) or heads < 1 or has["dim"] % (2 * heads) or not isinstance(token_dropout, bool):
        raise ModelError(f"{path}: {heads!r} attention heads and token_dropout {token_dropout!r} are no ESM-2's.")
    config = TransformerConfig(layers, has["dim"], heads, fc1.shape[0], TOKENS)
    raw = {
        "model_type": "esm",
        "num_hidden_layers": layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": heads,
        "intermediate_size": config.intermediate_size,
        "vocab_size": TOKENS,
        "pad_token_id": 1,
        "layer_norm_eps": 1e-5,
        "position_embedding_type": "rotary",
        "token_dropout": token_dropout,
    }
    return raw, pick(path, tensors, esm2_tensors(config))
