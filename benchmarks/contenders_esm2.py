"""ESM-2 embedded in four ways. Each function takes a size, loads, and gives a function that embeds `peptides()` once:
tokens without padding, and float32 [peptides, width]. Weights are random, and the same in all of them.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from encoder_folders import save_esm2

from virnucpro.embedding.batching import plan
from virnucpro.embedding.device import OVERHEAD, choose_budget, choose_device
from virnucpro.embedding.embedder import Embedder
from virnucpro.encoders.esm2 import model as esm2

SIZES = {"8M": (6, 320, 20), "35M": (12, 480, 20)}  # layers, width, heads
RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")

# fair-esm's module names and those of transformers
HUB_NAMES = {
    "self_attn_layer_norm": "attention.LayerNorm",
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "LayerNorm",
}

Run = Callable[[], tuple[int, np.ndarray]]


def peptides(copies: int = 1) -> list[str]:
    """600: 70 % of 166 residues, 10 % of 100, 20 % of 20 to 165, in random order. `copies` times as many likewise."""
    rng = np.random.default_rng(0)
    lengths = np.concatenate([np.full(420, 166), np.full(60, 100), rng.integers(20, 166, 120)])
    lengths = np.tile(lengths, copies)
    rng.shuffle(lengths)
    return ["".join(rng.choice(RESIDUES, n)) for n in lengths]


def ours(size: str) -> Run:
    """nf-virnucpro: tokens, batches, embedding, mean."""
    encoder = our_encoder(size)
    embedder = cpu_embedder(encoder)

    def run() -> tuple[int, np.ndarray]:
        tokens = encoder.tokenize(peptides())
        return int(tokens.length.sum()), embedder.embed(tokens)[0]

    return run


def virnucpro(size: str) -> Run:
    """fair-esm as VirNucPro runs it: batches of 2,048 tokens sorted by length; the language-model head runs too."""
    import esm

    model = fair_esm(size)
    layer, everything = model.num_layers, peptides()
    dataset = esm.FastaBatchedDataset([str(i) for i in range(len(everything))], everything)

    def run() -> tuple[int, np.ndarray]:
        batches = dataset.get_batch_indices(2048, extra_toks_per_seq=1)
        convert = model.alphabet.get_batch_converter(1024)
        loader = torch.utils.data.DataLoader(dataset, collate_fn=convert, batch_sampler=batches)
        rows = {}
        with torch.no_grad():
            for labels, strings, tokens in loader:
                hidden = model(tokens, repr_layers=[layer], return_contacts=False)["representations"][layer].to("cpu")
                for i, (label, string) in enumerate(zip(labels, strings, strict=True)):
                    rows[int(label)] = hidden[i, 1 : min(1024, len(string)) + 1].mean(0).clone()
        return count(everything), np.stack([rows[i].numpy() for i in range(len(rows))])

    return run


def file_order(size: str) -> Run:
    """fair-esm by 32 sequences in the order of the file, as its README shows."""
    model = fair_esm(size)
    layer, everything = model.num_layers, peptides()
    convert = model.alphabet.get_batch_converter()

    def run() -> tuple[int, np.ndarray]:
        rows = []
        with torch.no_grad():
            for start in range(0, len(everything), 32):
                data = [(str(i), p) for i, p in enumerate(everything[start : start + 32])]
                hidden = model(convert(data)[2], repr_layers=[layer], return_contacts=False)["representations"][layer]
                rows += [hidden[i, 1 : len(p) + 1].mean(0) for i, (_, p) in enumerate(data)]
        return count(everything), torch.stack(rows).numpy()

    return run


def transformers(size: str) -> Run:
    """transformers' EsmModel with sdpa on our batches, a mask only where there is padding."""
    from transformers import EsmConfig, EsmModel

    layers, dim, heads = SIZES[size]
    config = EsmConfig(
        vocab_size=33,
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=dim,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * dim,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )
    model = EsmModel(config, add_pooling_layer=False).eval()
    model.load_state_dict(hub_state(fair_esm(size).state_dict(), model), strict=False)
    encoder = our_encoder(size)
    settings = cpu_embedder(encoder)

    @torch.inference_mode()
    def run() -> tuple[int, np.ndarray]:
        tokens = encoder.tokenize(peptides())
        out = np.empty((len(tokens.length), dim), dtype=np.float32)
        for batch in plan(tokens.length, settings.budget, settings.overhead):
            ids = torch.from_numpy(tokens.rows(batch.rows, batch.width, 1)).long()
            hidden = model(ids, attention_mask=(ids != 1).long() if batch.padding else None).last_hidden_state
            length = torch.from_numpy(tokens.length[batch.rows])[:, None]
            place = torch.arange(batch.width)
            residue = ((place >= 1) & (place < length - 1))[:, :, None]
            out[batch.rows] = ((hidden * residue).sum(1) / (length - 2)).numpy()
        return int(tokens.length.sum()), out

    return run


def fair_esm(size: str):
    """fair-esm's own model."""
    import esm

    torch.manual_seed(0)
    return esm.ESM2(*SIZES[size]).eval()


def our_encoder(size: str) -> esm2.ESM2:
    """Ours with the same weights."""
    with tempfile.TemporaryDirectory() as folder:
        return esm2.load(save_esm2(fair_esm(size), Path(folder)))


def cpu_embedder(encoder) -> Embedder:
    """As a task on a CPU sets it up."""
    device = choose_device("cpu")
    return Embedder(encoder, device.torch, choose_budget(None, device, encoder.dim, "fp32"), OVERHEAD["cpu"])


def hub_state(state: dict, model) -> dict:
    """fair-esm's tensors under the names of transformers; every weight of the model must be among them."""
    renamed = {}
    for key, tensor in state.items():
        for old, new in HUB_NAMES.items():
            key = key.replace(f".{old}.", f".{new}.")
        key = key.replace("layers.", "encoder.layer.").replace("embed_tokens", "embeddings.word_embeddings")
        renamed[key.replace("emb_layer_norm_after", "encoder.emb_layer_norm_after")] = tensor
    missing = {k for k in model.state_dict() if "inv_freq" not in k and "position" not in k} - set(renamed)
    if missing:
        raise ValueError(f"transformers names its weights otherwise: {sorted(missing)[:3]}")
    return {k: v for k, v in renamed.items() if k in model.state_dict()}


def count(sequences: list[str]) -> int:
    """Tokens of peptides, BOS and EOS with them."""
    return sum(map(len, sequences)) + 2 * len(sequences)


CONTENDERS = {f.__name__: f for f in (ours, virnucpro, file_order, transformers)}
