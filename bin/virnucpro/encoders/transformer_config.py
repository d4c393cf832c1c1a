"""The part of a transformer's config.json that fixes its shape (names as on the Hugging Face hub)."""

from dataclasses import dataclass
from pathlib import Path

from virnucpro.errors import ModelError


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes as config.json states them."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    type_vocab_size: int = 2


def transformer_config(
    path: Path, raw: dict, kind: str, model_type: str, per_head: int = 1, **defaults: int
) -> TransformerConfig:
    """What the config.json at `path`, parsed as `raw`, says; ModelError if it cannot be.

    model_type: the hub's name for the architecture. per_head: what each head's width must be a multiple of. defaults:
    of fields that may be absent.
    """
    if raw.get("model_type") != model_type:
        has = raw.get("model_type")
        raise ModelError(f"{path}: model_type is {has!r}, an encoder of kind {kind} has {model_type!r}.")
    raw = defaults | {"type_vocab_size": 2} | raw
    values = {}
    for name in TransformerConfig.__dataclass_fields__:
        value = raw.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{path}: {name} is {value!r}, a positive whole number is needed.")
        values[name] = value
    config = TransformerConfig(**values)
    if config.hidden_size % (config.num_attention_heads * per_head):
        raise ModelError(
            f"{path}: hidden_size {config.hidden_size} cannot be split over {config.num_attention_heads} heads."
        )
    return config
