"""ESM-2 by the libraries that published it, with a bundle's weights: fair-esm, and transformers' EsmModel."""

from collections.abc import Callable

import torch
from torch import Tensor

Hidden = Callable[[str], Tensor]  # of a peptide: the layer's output for each residue, [residues, width]

# transformers' names for the parts of fair-esm's
NAMES = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "LayerNorm",
}
WHOLE_NAMES = {"emb_layer_norm_after": "encoder.emb_layer_norm_after", "embed_tokens": "embeddings.word_embeddings"}


def fair_esm(state: dict[str, Tensor], config: dict, layer: int, device: torch.device) -> Hidden:
    """By fair-esm, its own tokens included."""
    import esm

    with torch.device("meta"):
        model = esm.ESM2(config["num_hidden_layers"], config["hidden_size"], config["num_attention_heads"])
    model.lm_head = torch.nn.Identity()  # what is thrown away needs no weights
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    _none_missing([name for name in missing if not name.startswith("contact_head")], unexpected)
    model.eval()
    convert = model.alphabet.get_batch_converter()

    @torch.inference_mode()
    def hidden(peptide: str) -> Tensor:
        tokens = convert([("", peptide)])[2].to(device)
        return model(tokens, repr_layers=[layer])["representations"][layer][0, 1:-1]

    return hidden


def transformers(state: dict[str, Tensor], config: dict, layer: int, device: torch.device) -> Hidden:
    """By transformers, with the attention that it writes out (eager)."""
    from transformers import EsmConfig, EsmModel

    its_config = EsmConfig(
        vocab_size=config.get("vocab_size", 33),
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=config["hidden_size"],
        num_hidden_layers=config["num_hidden_layers"],
        num_attention_heads=config["num_attention_heads"],
        intermediate_size=config.get("intermediate_size", 4 * config["hidden_size"]),
        position_embedding_type="rotary",
        token_dropout=config.get("token_dropout", True),
        emb_layer_norm_before=False,
        layer_norm_eps=config.get("layer_norm_eps", 1e-5),
        attn_implementation="eager",
    )
    with torch.device("meta"):
        model = EsmModel(its_config, add_pooling_layer=False)
    named = {_its_name(name): tensor for name, tensor in state.items() if not name.endswith("inv_freq")}
    missing, unexpected = model.load_state_dict(named, strict=False, assign=True)
    may_miss = ("inv_freq", "position_ids", "position_embeddings.weight")
    _none_missing([name for name in missing if not name.endswith(may_miss) and "contact_head" not in name], unexpected)
    _fill(model, state["layers.0.self_attn.rot_emb.inv_freq"], device)
    model.eval()
    number = {name: token for token, name in enumerate(TOKENS)}

    @torch.inference_mode()
    def hidden(peptide: str) -> Tensor:
        ids = torch.tensor(
            [[number["<cls>"], *(number[residue] for residue in peptide), number["<eos>"]]], device=device
        )
        out = model(ids, output_hidden_states=True)
        last = layer == config["num_hidden_layers"]
        return (out.last_hidden_state if last else out.hidden_states[layer])[0, 1:-1]

    return hidden


# vocab.txt of the hub's ESM-2 models: a token a line
TOKENS = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]


def _its_name(name: str) -> str:
    first, _, rest = name.partition(".")
    if first in WHOLE_NAMES:
        return f"{WHOLE_NAMES[first]}.{rest}"
    _, number, part = name.split(".", 2)
    stem, _, end = part.rpartition(".")
    return f"encoder.layer.{number}.{NAMES[stem]}.{end}"


def _fill(model: torch.nn.Module, inv_freq: Tensor, device: torch.device) -> None:
    """What no file holds: numbers of places, frequencies; what is never used stays empty."""
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if name.endswith("inv_freq"):
                setattr(module, name, inv_freq)
            elif name == "position_ids":
                setattr(module, name, torch.arange(buffer.shape[-1], device=device)[None])
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                setattr(
                    module, name, torch.nn.Parameter(torch.zeros(parameter.shape, device=device), requires_grad=False)
                )


def _none_missing(missing: list[str], unexpected: list[str]) -> None:
    if missing or unexpected:
        raise RuntimeError(f"the reference has other tensors: {', '.join([*missing, *unexpected][:3])}, ...")
