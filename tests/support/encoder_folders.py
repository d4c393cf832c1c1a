"""Encoder folders with random weights and shards with random sequences, for the tests of embedding."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from virnucpro import formats

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
    (folder / "config.json").write_text(json.dumps(raw | config), encoding="utf-8")
    return folder


def save_dnabert_s(
    folder: Path,
    layers: int = 2,
    dim: int = 24,
    heads: int = 3,
    hidden: int = 48,
    vocabulary: int = 64,
    text: list[str] | None = None,
    seed: int = 0,
) -> Path:
    """Write a random DNABERT-S as an encoder folder, with a tokenizer trained on `text` (else on random sequence)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    text = text or ["".join(rng.choice(list("ACGT"), 2000)) for _ in range(20)]
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    )
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_truncation(100)  # as the published file carries 2,000: it has to be switched off
    tokenizer.enable_padding(length=100)
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab_size()
    generator = torch.Generator().manual_seed(seed)
    scale = min(0.3, dim**-0.5)  # as wide models have it: values stay about 1

    def tensor(*shape: int, mean: float = 0.0) -> torch.Tensor:
        return mean + scale * torch.randn(shape, generator=generator)

    state = {
        "embeddings.word_embeddings.weight": tensor(vocabulary, dim),
        "embeddings.token_type_embeddings.weight": tensor(2, dim),
        "embeddings.LayerNorm.weight": tensor(dim, mean=1),
        "embeddings.LayerNorm.bias": tensor(dim),
        "pooler.dense.weight": tensor(dim, dim),
    }
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        state |= {
            layer + "attention.self.Wqkv.weight": tensor(3 * dim, dim),
            layer + "attention.self.Wqkv.bias": tensor(3 * dim),
            layer + "attention.output.dense.weight": tensor(dim, dim),
            layer + "attention.output.dense.bias": tensor(dim),
            layer + "attention.output.LayerNorm.weight": tensor(dim, mean=1),
            layer + "attention.output.LayerNorm.bias": tensor(dim),
            layer + "mlp.gated_layers.weight": tensor(2 * hidden, dim),
            layer + "mlp.wo.weight": tensor(dim, hidden),
            layer + "mlp.wo.bias": tensor(dim),
            layer + "mlp.layernorm.weight": tensor(dim, mean=1),
            layer + "mlp.layernorm.bias": tensor(dim),
        }
    save_file(state, folder / "model.safetensors")
    raw = {
        "model_type": "bert",
        "num_hidden_layers": layers,
        "hidden_size": dim,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "layer_norm_eps": 1e-12,
        "vocab_size": vocabulary,
    }
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    return folder


def random_peptides(count: int, rng: np.random.Generator, longest: int = 60) -> list[str]:
    """Most of one length, as the frames of equal chunks are, the rest shorter."""
    lengths = np.where(rng.random(count) < 0.7, longest, rng.integers(1, longest, count))
    return ["".join(rng.choice(list(RESIDUES), n)) for n in lengths]


def write_shard(folder: Path, number: int, peptides: list[str], nucleotides: list[str] | None = None) -> Path:
    """A shard of sample `s` as EXTRACT_FRAMES writes it; keys go on from shard to shard."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    if nucleotides is None:
        nucleotides = ["".join(rng.choice(list("ACGT"), 3 * len(p) + 1)) for p in peptides]
    keys = 1000 * number + np.arange(len(peptides))
    path = folder / f"s.shard_{number:05d}.parquet"
    columns = {
        "frame_key": keys,
        "frame_id": [f"x_chunk_{k}F1" for k in keys],
        "nucleotides": nucleotides,
        "peptide": peptides,
    }
    formats.write(pa.table(columns).cast(formats.SHARD), path)
    return path
