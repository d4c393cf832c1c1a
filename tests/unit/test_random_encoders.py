"""The GPU benchmark's own parts, as far as they run without a GPU."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from random_encoders import peptide_tokens, random_dnabert_s, random_esm2, varlen_hidden

CPU = torch.device("cpu")


def attention_by_loop(q, k, v, ends, ends_k, longest, longest_k):
    """What torch.nn.attention.varlen.varlen_attn does on a GPU: each packed row attends to itself."""
    rows = []
    for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        parts = [x[start:stop].transpose(0, 1)[None] for x in (q, k, v)]
        rows.append(F.scaled_dot_product_attention(*parts)[0].transpose(0, 1))
    return torch.cat(rows)


def test_packed_rows_equal_padded_ones(monkeypatch):
    from torch.nn.attention import varlen

    monkeypatch.setattr(varlen, "varlen_attn", attention_by_loop)
    model = random_esm2("tiny", CPU, torch.float32)
    tokens = peptide_tokens(5, np.array([3, 17, 40]))
    length = torch.from_numpy(tokens.length)
    packed = varlen_hidden(model, torch.from_numpy(tokens.flat), length)
    rows = torch.from_numpy(tokens.rows(np.arange(5), int(length.max()), 1))
    padded = model.hidden(rows, length)[torch.arange(rows.shape[1]) < length[:, None]]
    assert (packed - padded).abs().max() < 1e-5


def test_random_encoders_compute_something():
    ids = torch.randint(5, 30, (2, 9))
    for model in (random_esm2("tiny", CPU, torch.bfloat16), random_dnabert_s(CPU, torch.bfloat16, small=True)):
        pooled = model(ids)
        assert pooled.isfinite().all()
        assert (pooled[0] - pooled[1]).abs().max() > 0.1
