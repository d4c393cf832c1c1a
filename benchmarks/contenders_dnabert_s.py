"""DNABERT-S (117M parameters, random weights) embedded in three ways; see contenders_esm2.py."""

import gzip
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from contenders_esm2 import cpu_embedder
from encoder_folders import save_dnabert_s
from torch import Tensor

from virnucpro.encoders import dnabert_s

GENOME = Path(__file__).resolve().parent.parent / "assets" / "example" / "ecoli.fa.gz"
VOCABULARY = 1200  # trained on the genome itself, it cuts 500 bases into about as many tokens as DNABERT-S's 4,096 do

Run = Callable[[], tuple[int, np.ndarray]]


def chunks(count: int = 80) -> list[str]:
    """500 bases each, from a bacterial genome, so that the number of byte-pair tokens varies as it does in use."""
    genome = bases()
    return [genome[i * 500 : (i + 1) * 500] for i in range(count)]


def bases() -> str:
    with gzip.open(GENOME, "rt") as lines:
        return "".join(line.strip().upper() for line in lines if not line.startswith(">"))


def ours(_: str) -> Run:
    """nf-virnucpro: tokens, sorted batches, embedding, mean."""
    encoder = our_encoder()
    embedder = cpu_embedder(encoder)

    def run() -> tuple[int, np.ndarray]:
        tokens = encoder.tokenize(chunks())
        return int(tokens.length.sum()), embedder.embed(tokens)[0]

    return run


def one_at_a_time(_: str) -> Run:
    """As VirNucPro runs DNABERT-S: one sequence after another, attention written out as in the model's own code."""
    encoder = our_encoder()
    model = WrittenOut(encoder)

    def run() -> tuple[int, np.ndarray]:
        rows, tokens = [], 0
        with torch.no_grad():
            for sequence in chunks():
                ids = torch.tensor([encoder.tokenizer.encode(sequence).ids])
                tokens += ids.numel()
                rows.append(model(ids)[0].mean(dim=0))
        return tokens, torch.stack(rows).numpy()

    return run


def ours_one_at_a_time(_: str) -> Run:
    """Our encoder, one sequence after another: what is left when batches are taken away."""
    encoder = our_encoder()

    @torch.inference_mode()
    def run() -> tuple[int, np.ndarray]:
        rows = [torch.from_numpy(encoder.tokenize([s]).flat)[None] for s in chunks()]
        return sum(r.numel() for r in rows), np.concatenate([encoder(r).numpy() for r in rows])

    return run


class WrittenOut:
    """The operations of DNABERT-S's published code in PyTorch, without Triton: scores, bias and softmax one by one."""

    def __init__(self, encoder: dnabert_s.DNABERTS):
        self.encoder = encoder
        self.heads = encoder.config.heads

    def __call__(self, ids: Tensor) -> Tensor:
        e = self.encoder
        n, dim = ids.shape[1], e.dim
        place = torch.arange(n)
        bias = -(place[None] - place[:, None]).abs() * e.slopes[:, None, None]  # [H, T, T]
        x = F.layer_norm(e.word(ids) + e.token_type, (dim,), e.norm.weight, e.norm.bias, 1e-12)
        for block in e.blocks:
            qkv = F.linear(x, block.qkv.weight, block.qkv.bias).view(1, n, 3, self.heads, -1)
            q, k, v = (
                qkv[:, :, 0].permute(0, 2, 1, 3),
                qkv[:, :, 1].permute(0, 2, 3, 1),
                qkv[:, :, 2].permute(0, 2, 1, 3),
            )
            weights = torch.softmax(torch.matmul(q, k) / math.sqrt(q.shape[-1]) + bias, dim=-1)
            attended = torch.matmul(weights, v).permute(0, 2, 1, 3).reshape(1, n, dim)
            x = block.attention_norm(block.out(attended) + x)
            gate, up = block.gated(x).chunk(2, dim=-1)
            x = block.mlp_norm(block.down(F.gelu(gate) * up) + x)
        return x


def our_encoder() -> dnabert_s.DNABERTS:
    """DNABERT-S's shape."""
    shape = {"layers": 12, "dim": 768, "heads": 12, "hidden": 3072, "vocabulary": VOCABULARY}
    genome = bases()
    text = [genome[i : i + 2000] for i in range(0, len(genome), 2000)]
    with tempfile.TemporaryDirectory() as folder:
        return dnabert_s.load(save_dnabert_s(Path(folder), **shape, text=text))


CONTENDERS = {f.__name__: f for f in (ours, one_at_a_time, ours_one_at_a_time)}
