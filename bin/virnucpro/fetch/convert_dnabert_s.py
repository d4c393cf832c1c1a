"""DNABERT-S into a bundle's layout, from the files of its hub repository: config.json, tokenizer.json, weights.

The repository's Python files are never looked at. https://huggingface.co/zhihan1996/DNABERT-S
"""

from pathlib import Path

from virnucpro.encoders.dnabert_s.description import dnabert_s_config, dnabert_s_tensors
from virnucpro.errors import ModelError
from virnucpro.fetch.convert import hub_tensors, pick
from virnucpro.fetch.stored import StoredTensor
from virnucpro.files import read_object

PREFIX = "bert."
CODE = ("auto_map", "_name_or_path")  # where a hub's loader would look for code to run


def from_hub(folder: Path, weights: list[str]) -> tuple[dict, dict[str, StoredTensor], bytes]:
    """(config.json's content, tensors, tokenizer.json as it is) of a folder with the hub's files.

    Pooler and language-model head are left out. ModelError where a file is missing or they do not fit one another.
    """
    path = folder / "config.json"
    raw = {k: v for k, v in read_object(path).items() if k not in CODE}
    config = dnabert_s_config(path, raw)
    if raw.get("hidden_act") != "gelu" or "alibi_starting_size" not in raw:
        raise ModelError(f"{path}: is a BERT without ALiBi positions or with another activation, not DNABERT-S.")
    tokenizer = folder / "tokenizer.json"
    vocabulary = read_object(tokenizer).get("model", {}).get("vocab")
    ids = set(vocabulary.values()) if isinstance(vocabulary, dict) else set()
    if not ids or not ids <= set(range(config.vocab_size)):
        raise ModelError(f"{tokenizer}: has no vocabulary that fits the model's {config.vocab_size:,} tokens.")
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in hub_tensors(folder, weights).items()}
    return raw, pick(folder, tensors, dnabert_s_tensors(config)), tokenizer.read_bytes()
