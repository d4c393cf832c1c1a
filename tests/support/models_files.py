"""Makes files in the layouts in which models are published, with random values, by the libraries that publish them."""

import argparse
import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

import __main__

SHAPE = {"layers": 2, "dim": 24, "heads": 4}
DNABERT_S = {"hidden": 24, "layers": 1, "vocabulary": 64}


def save(content: object, path: Path, legacy: bool = False) -> Path:
    """torch.save in today's zip layout, or in the one before torch 1.6."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def fair_esm(seed: int = 0, half: bool = False):
    """fair-esm's ESM2 with random weights; `half`: in 16 bits, as 3B and 15B are published."""
    import esm

    torch.manual_seed(seed)
    model = esm.ESM2(SHAPE["layers"], SHAPE["dim"], SHAPE["heads"]).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0, 0.2)
    return model.half() if half else model


def fair_esm_file(path: Path, model, prefix: str = "encoder.sentence_encoder.", key: str = "cfg", legacy: bool = False):
    """A checkpoint as fair-esm's esm/pretrained.py expects it: settings in a Namespace, prefixed names, an LM head."""
    settings = argparse.Namespace(
        encoder_layers=model.num_layers,
        encoder_embed_dim=model.embed_dim,
        encoder_attention_heads=model.attention_heads,
        token_dropout=True,
        arch="esm2",
        lr=[4e-4],
        seed=None,
    )
    state = OrderedDict()
    for name, tensor in model.state_dict().items():
        if not name.startswith("contact_head"):
            state[("encoder." if name.startswith("lm_head") else prefix) + name] = tensor
    head = {"cfg": {"model": settings}} if key == "cfg" else {"args": settings}
    return save(head | {"model": state}, path, legacy)


def hub_esm(folder: Path, masked_lm: bool, seed: int = 0, **how):
    """A folder that transformers' save_pretrained writes for an EsmModel or EsmForMaskedLM; the model."""
    from transformers import EsmConfig, EsmForMaskedLM, EsmModel

    torch.manual_seed(seed)
    config = EsmConfig(
        vocab_size=33,
        pad_token_id=1,
        mask_token_id=32,
        hidden_size=SHAPE["dim"],
        num_hidden_layers=SHAPE["layers"],
        num_attention_heads=SHAPE["heads"],
        intermediate_size=4 * SHAPE["dim"],
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
    )
    model = EsmForMaskedLM(config) if masked_lm else EsmModel(config, add_pooling_layer=False)
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0, 0.2)
    model.save_pretrained(folder, **how)
    return model


def dnabert_s(folder: Path, prefix: str = "bert.", weights: str = "pytorch_model.bin", seed: int = 0) -> dict:
    """A folder as DNABERT-S's hub repository: config with auto_map, tokenizer, code that must not run; the tensors."""
    from virnucpro.encoders.dnabert_s.description import dnabert_s_tensors
    from virnucpro.encoders.transformer_config import TransformerConfig

    d = DNABERT_S
    config = {
        "model_type": "bert",
        "auto_map": {"AutoModel": "bert_layers.BertModel"},
        "_name_or_path": "zhihan1996/DNABERT-2-117M",
        "alibi_starting_size": 512,
        "hidden_act": "gelu",
        "hidden_size": d["hidden"],
        "num_hidden_layers": d["layers"],
        "num_attention_heads": 12,
        "intermediate_size": 2 * d["hidden"],
        "vocab_size": d["vocabulary"],
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = {f"T{i}": i for i in range(d["vocabulary"])}
    (folder / "tokenizer.json").write_text(
        json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}), encoding="utf-8"
    )
    (folder / "bert_layers.py").write_text("raise SystemExit('code of a hub ran')\n", encoding="utf-8")
    torch.manual_seed(seed)
    shape = TransformerConfig(d["layers"], d["hidden"], 12, 2 * d["hidden"], d["vocabulary"])
    tensors = {name: torch.randn(s) for name, s in dnabert_s_tensors(shape).items()}
    extra = {"pooler.dense.weight": torch.randn(4, 4), "pooler.dense.bias": torch.randn(4)}
    state = OrderedDict((prefix + name, t) for name, t in (tensors | extra).items())
    if weights.endswith(".safetensors"):
        save_file(state, folder / weights)
    else:
        save(state, folder / weights)
    return tensors


class MLPClassifier(nn.Module):
    """As in VirNucPro's train.py."""

    def __init__(self, input_dim: int, hidden_dim: int = 512, num_class: int = 2):
        super().__init__()
        self.hidden_layer = nn.Linear(input_dim, hidden_dim)
        self.bn1 = nn.BatchNorm1d(hidden_dim)
        self.output_layer = nn.Linear(hidden_dim, num_class)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.output_layer(self.dropout(torch.relu(self.bn1(self.hidden_layer(x)))))


def virnucpro_classifier(path: Path, features: int = 3328, legacy: bool = False, epsilon: float = 1e-5) -> nn.Module:
    """A whole module saved as VirNucPro's train.py saves it, from a script: its class stands in __main__."""
    torch.manual_seed(0)
    model = MLPClassifier(features)
    model.bn1.eps = epsilon
    model(torch.randn(64, features))  # moves the running statistics away from 0 and 1
    MLPClassifier.__module__, before = "__main__", MLPClassifier.__module__
    __main__.MLPClassifier = MLPClassifier
    try:
        save(model, path, legacy)
    finally:
        MLPClassifier.__module__ = before
        del __main__.MLPClassifier
    return model.eval()


def classifier_by_hand(tensors: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The classifier's logits from its tensors, in numpy."""
    t = tensors
    h = x @ t["hidden_layer.weight"].T + t["hidden_layer.bias"]
    h = (h - t["bn1.running_mean"]) / np.sqrt(t["bn1.running_var"] + 1e-5) * t["bn1.weight"] + t["bn1.bias"]
    return np.maximum(h, 0) @ t["output_layer.weight"].T + t["output_layer.bias"]
