"""Names and shapes of the tensors each model consists of, as they follow from its configuration."""

from dataclasses import dataclass
from pathlib import Path

from virnucpro.errors import ModelError

ESM2_TOKENS = 33  # fair-esm's alphabet, ESM-1b flavour
HIDDEN_UNITS = 512  # of the classifier

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class EncoderConfig:
    """The part of an encoder's config.json that fixes its shape (names as on the Hugging Face hub)."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    type_vocab_size: int = 2


def encoder_config(path: Path, kind: str, raw: object) -> EncoderConfig:
    """What the config.json at `path`, parsed as `raw`, says of an encoder of `kind`; ModelError if it cannot be."""
    model_type = {"esm2": "esm", "dnabert_s": "bert"}[kind]
    if not isinstance(raw, dict) or raw.get("model_type") != model_type:
        has = raw.get("model_type") if isinstance(raw, dict) else type(raw).__name__
        raise ModelError(f"{path}: model_type is {has!r}, an encoder of kind {kind} has {model_type!r}.")
    raw = ({"vocab_size": ESM2_TOKENS} if kind == "esm2" else {}) | {"type_vocab_size": 2} | raw
    values = {}
    for name in EncoderConfig.__dataclass_fields__:
        value = raw.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{path}: {name} is {value!r}, a positive whole number is needed.")
        values[name] = value
    config = EncoderConfig(**values)
    # ESM-2 turns its queries and keys in pairs of values, so each head needs an even number.
    if config.hidden_size % (config.num_attention_heads * (2 if kind == "esm2" else 1)):
        raise ModelError(
            f"{path}: hidden_size {config.hidden_size} cannot be split over {config.num_attention_heads} heads."
        )
    return config


def encoder_tensors(kind: str, config: EncoderConfig) -> Shapes:
    """Every tensor that an encoder of this kind and shape loads, with its shape."""
    return esm2_tensors(config) if kind == "esm2" else dnabert_s_tensors(config)


def esm2_tensors(c: EncoderConfig) -> Shapes:
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


def dnabert_s_tensors(c: EncoderConfig) -> Shapes:
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


def classifier_tensors(features: int, classes: int) -> Shapes:
    """VirNucPro's MLP: Linear(features, 512), BatchNorm1d(512), ReLU, Dropout, Linear(512, classes)."""
    shapes = linear("hidden_layer", features, HIDDEN_UNITS) | norm("bn1", HIDDEN_UNITS)
    shapes |= {"bn1.running_mean": (HIDDEN_UNITS,), "bn1.running_var": (HIDDEN_UNITS,)}
    return shapes | linear("output_layer", HIDDEN_UNITS, classes)


def linear(name: str, fan_in: int, fan_out: int) -> Shapes:
    return {f"{name}.weight": (fan_out, fan_in), f"{name}.bias": (fan_out,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
