"""DNABERT-S (117M parameters, random weights) embedded in three ways; see contenders_esm2.py."""

import gzip
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from contenders_esm2 import cpu_embedder
from encoder_folders import save_dnabert_s
from safetensors.torch import load_file
from torch import Tensor

from virnucpro.encoders.dnabert_s import model as dnabert_s

GENOME = Path(__file__).resolve().parent.parent / "assets" / "example" / "ecoli.fa.gz"
SHAPE = {"layers": 12, "dim": 768, "heads": 12, "hidden": 3072}
VOCABULARY = 1200  # trained on the genome itself, it cuts 500 bases into about as many tokens as DNABERT-S's 4,096 do

Run = Callable[[], tuple[int, np.ndarray]]


def chunks(count: int = 80) -> list[str]:
    """500 bases each, from a bacterial genome, so that the number of byte-pair tokens varies as it does in use."""
    genome = bases()
    return [genome[i * 500 : (i + 1) * 500] for i in range(count)]


def bases() -> str:
    with gzip.open(GENOME, "rt", encoding="utf-8") as lines:
        return "".join(line.strip().upper() for line in lines if not line.startswith(">"))


def ours(_: str) -> Run:
    """nf-virnucpro: tokens, sorted batches, embedding, mean."""
    with folder() as encoder_folder:
        encoder = dnabert_s.load(encoder_folder)
    embedder = cpu_embedder(encoder)

    def run() -> tuple[int, np.ndarray]:
        tokens = encoder.tokenize(chunks())
        return int(tokens.length.sum()), embedder.embed(tokens)[0]

    return run


def one_at_a_time(_: str) -> Run:
    """As VirNucPro runs DNABERT-S: one sequence after another, attention written out as in the model's own code."""
    with folder() as encoder_folder:
        model = WrittenOut(encoder_folder)
        tokenizer = dnabert_s.load_tokenizer(encoder_folder, VOCABULARY)

    def run() -> tuple[int, np.ndarray]:
        rows, tokens = [], 0
        with torch.no_grad():
            for sequence in chunks():
                ids = torch.tensor([tokenizer.encode(sequence).ids])
                tokens += ids.numel()
                rows.append(model(ids)[0].mean(dim=0))
        return tokens, torch.stack(rows).numpy()

    return run


def ours_one_at_a_time(_: str) -> Run:
    """Our encoder, one sequence after another: what is left when batches are taken away."""
    with folder() as encoder_folder:
        encoder = dnabert_s.load(encoder_folder)

    @torch.inference_mode()
    def run() -> tuple[int, np.ndarray]:
        rows = [torch.from_numpy(encoder.tokenize([s]).flat)[None] for s in chunks()]
        return sum(r.numel() for r in rows), np.concatenate([encoder(r).numpy() for r in rows])

    return run


class WrittenOut:
    """The operations of DNABERT-S's published code in PyTorch, without Triton: scores, bias and softmax one by one."""

    def __init__(self, encoder_folder: Path):
        self.state = load_file(encoder_folder / "model.safetensors")
        self.slopes = torch.tensor(dnabert_s.alibi_slopes(SHAPE["heads"]))

    def __call__(self, ids: Tensor) -> Tensor:
        n = ids.shape[1]
        place = torch.arange(n)
        bias = -(place[None] - place[:, None]).abs() * self.slopes[:, None, None]  # [H, T, T]
        s, name = self.state, "embeddings."
        x = s[name + "word_embeddings.weight"][ids] + s[name + "token_type_embeddings.weight"][0]
        x = self.norm(x, name + "LayerNorm")
        for i in range(SHAPE["layers"]):
            layer = f"encoder.layer.{i}."
            qkv = self.linear(x, layer + "attention.self.Wqkv").view(1, n, 3, SHAPE["heads"], -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [1, H, T, d]
            weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + bias, dim=-1)
            attended = (weights @ v).permute(0, 2, 1, 3).reshape(1, n, -1)
            x = self.norm(
                self.linear(attended, layer + "attention.output.dense") + x, layer + "attention.output.LayerNorm"
            )
            gate, up = (x @ s[layer + "mlp.gated_layers.weight"].T).chunk(2, dim=-1)
            x = self.norm(self.linear(F.gelu(gate) * up, layer + "mlp.wo") + x, layer + "mlp.layernorm")
        return x

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-12)


@contextmanager
def folder() -> Iterator[Path]:
    """An encoder folder in DNABERT-S's shape."""
    genome = bases()
    text = [genome[i : i + 2000] for i in range(0, len(genome), 2000)]
    with tempfile.TemporaryDirectory() as name:
        yield save_dnabert_s(Path(name), **SHAPE, vocabulary=VOCABULARY, text=text)


CONTENDERS = {f.__name__: f for f in (ours, one_at_a_time, ours_one_at_a_time)}
