"""The demo's encoders: real layouts, small, with fixed random weights; and a byte-pair tokenizer learnt from real DNA."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from virnucpro.models.layout import encoder_config, encoder_tensors

SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]  # ids 0 to 4, as in DNABERT-S's tokenizer

ESM2 = {
    "model_type": "esm",
    "num_hidden_layers": 3,
    "hidden_size": 128,
    "num_attention_heads": 8,
    "intermediate_size": 256,
    "vocab_size": 33,
    "pad_token_id": 1,
    "token_dropout": True,
    "layer_norm_eps": 1e-5,
}
DNABERT_S = {
    "model_type": "bert",
    "num_hidden_layers": 2,
    "hidden_size": 192,
    "num_attention_heads": 12,
    "intermediate_size": 192,
    "vocab_size": 1024,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
GAIN = {"esm2": 1.0, "dnabert_s": 1.0}


def write_encoder(folder: Path, kind: str, config: dict, gain: float, seed: int) -> None:
    """Write config.json and model.safetensors (fp16: random numbers need no more) of an encoder with random weights.

    Token embeddings are N(0, 1), matrices N(0, gain² / fan-in), biases N(0, 0.1²), layer norms the identity.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(config, indent=1) + "\n")
    random = np.random.default_rng(seed)
    tensors = {}
    for name, shape in sorted(encoder_tensors(kind, encoder_config(path, kind, config)).items()):
        if name.endswith("inv_freq"):
            d = 2 * shape[0]
            tensors[name] = (1 / 10000 ** (np.arange(0, d, 2) / d)).astype(np.float32)
            continue
        norm = "norm" in name.lower()
        if "embed" in name and not norm:
            value = random.normal(0, 1, shape)
        elif len(shape) == 2:
            value = random.normal(0, gain / np.sqrt(shape[1]), shape)
        elif norm:
            value = np.full(shape, float(name.endswith("weight")))
        else:
            value = random.normal(0, 0.1, shape)
        tensors[name] = value.astype(np.float16)
    save_file(tensors, folder / "model.safetensors")


def write_tokenizer(path: Path, sequences: Iterable[str], vocabulary: int) -> None:
    """Learn byte pairs from nucleotide sequences; layout, special tokens and template are DNABERT-S's."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=list("ACGTN"), show_progress=False
    )
    tokenizer.train_from_iterator(sequences, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, SPECIAL.index(t)) for t in ("[CLS]", "[SEP]")],
    )
    tokenizer.save(str(path), pretty=False)
