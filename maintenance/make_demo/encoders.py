"""The demo's encoders: small, in the real layouts, with weights that are drawn once from a seed and never trained."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from virnucpro.encoders.kinds import KINDS

SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]  # ids 0 to 4, as in DNABERT-S's tokenizer

CONFIG = {
    "esm2": {
        "model_type": "esm",
        "num_hidden_layers": 2,
        "hidden_size": 128,
        "num_attention_heads": 8,
        "intermediate_size": 512,  # four times the width, as in every ESM-2
        "vocab_size": 33,
        "pad_token_id": 1,
        "token_dropout": True,
        "layer_norm_eps": 1e-5,
    },
    "dnabert_s": {
        "model_type": "bert",
        "num_hidden_layers": 2,
        "hidden_size": 48,
        "num_attention_heads": 12,
        "intermediate_size": 96,
        "vocab_size": 4096,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    },
}

# Of the matrices, relative to what keeps a vector's length. At 0.5 the order of the tokens changes an embedding, but
# what a random network cannot tell viruses by does not drown what it can: composition.
GAIN = 0.5
SEED = {"esm2": 2, "dnabert_s": 1}


def write_encoder(folder: Path, kind: str, sequences: Iterable[str]) -> None:
    """Write an encoder's folder. `sequences`: nucleotides, from which DNABERT-S's tokenizer is learnt.

    Matrices are N(0, GAIN² / fan-in), biases N(0, 0.1²), layer norms the identity, token embeddings N(0, 1).
    Stored in fp16: random numbers need no more digits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG[kind], indent=1) + "\n", encoding="utf-8")
    random = np.random.default_rng(SEED[kind])
    tensors = {}
    for name, shape in sorted(KINDS[kind].layout(path, CONFIG[kind]).tensors.items()):
        if name.endswith("inv_freq"):
            d = 2 * shape[0]
            tensors[name] = (1 / 10000 ** (np.arange(0, d, 2) / d)).astype(np.float32)
        else:
            tensors[name] = random_tensor(name, shape, random).astype(np.float16)
    if kind == "dnabert_s":
        write_tokenizer(folder / "tokenizer.json", sequences, CONFIG[kind]["vocab_size"])
    save_file(tensors, folder / "model.safetensors")


def random_tensor(name: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Values of one tensor, by its name in the encoder's layout."""
    if "norm" in name.lower():
        return np.full(shape, float(name.endswith("weight")))
    if "token_type" in name:
        return np.zeros(shape)
    if "embed" in name:
        return random.normal(0, 1, shape)
    if len(shape) == 2:
        return random.normal(0, GAIN / np.sqrt(shape[1]), shape)
    return random.normal(0, 0.1, shape)


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
