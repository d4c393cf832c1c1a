#!/usr/bin/env python3
"""The encoders on one GPU: whether the kernels are right there, how fast they are, how near the GPU's peak they come.

    benchmarks/gpu_encoders.py [--esm2 3B] [--seconds 5] [--peak TFLOPS] [--device cuda]

First correctness: embeddings of packed rows against plain PyTorch in fp32, in published head sizes. Then speed, with
random weights in the published shapes (ESM-2 3B, DNABERT-S) and sequences of 500-base chunks, 166 residues or 98 to 120
byte-pair tokens: packed rows against padded ones and plain PyTorch, the bare encoder against a task's batches from host
memory, one length against 20 to 166 residues, fp16 against bf16. Last the loading of weights from a file. Needs no
network, 16 GB of GPU memory for 3B, some 3 GB of disk, and at most five minutes on an H100.
`--device cpu --esm2 tiny --seconds 0` tries the script itself, without the kernels.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
import torch
from encoders_drift import drift
from random_encoders import ESM2, peptide_tokens, random_dnabert_s, random_esm2
from safetensors.torch import save_file

from virnucpro.embedding.device import configure_gpu
from virnucpro.embedding.embedder import Embedder
from virnucpro.encoders.ragged import Ragged, ragged
from virnucpro.encoders.weights import open_weights
from virnucpro.verify.speed import peak_of

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
# What the packed way has to reach on an H100 in fp16 (tokens/s; frames/s)
BARS = {"ESM-2 3B": 100_000, "DNABERT-S": 17_000}


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


@torch.inference_mode()
def speed(run: Callable[[], int], seconds: float, device: torch.device) -> float:
    """Tokens per second: `run` computes once and gives its tokens; the first runs are not counted."""
    for _ in range(2 if seconds else 1):
        run()
    synchronise(device)
    tokens, began = 0, time.perf_counter()
    while tokens == 0 or time.perf_counter() - began < seconds:
        tokens += run()
        synchronise(device)
    return tokens / (time.perf_counter() - began)


class Table:
    """Lines of a Markdown table, printed as they come."""

    def __init__(self, title: str, per_token: float, peak: float | None, unit: str, tokens_per_unit: float):
        self.per_token, self.peak, self.tokens_per_unit = per_token, peak, tokens_per_unit
        print(f"\n### {title}, {per_token / 1e9:.2f} GFLOP per token\n")
        print(f"| way | tokens / s | {unit} / s | TFLOP/s | of peak |\n| --- | --- | --- | --- | --- |", flush=True)

    def add(self, name: str, run: Callable[[], int], seconds: float, device: torch.device) -> None:
        try:
            rate = speed(run, seconds, device)
        except Exception as e:  # one way that does not run must not cost the figures of the others
            print(f"| {name} | {type(e).__name__}: {str(e).splitlines()[0][:80]} | | | |", flush=True)
            return
        flops = rate * self.per_token
        share = f"{flops / 1e12 / self.peak:.0%}" if self.peak else ""
        units = rate / self.tokens_per_unit
        print(f"| {name} | {rate:,.0f} | {units:,.0f} | {flops / 1e12:.1f} | {share} |", flush=True)


def flops_per_token(model: torch.nn.Module) -> float:
    """Two for each weight of a linear layer; attention adds about 1 % at 166 residues and is not counted."""
    return 2.0 * sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear))


@torch.inference_mode()
def correctness(device: torch.device) -> None:
    """Least cosine of packed rows in half precision to plain PyTorch in fp32, as it is and centred."""
    print("\n### Packed rows against plain PyTorch in fp32, 64 sequences of 1 to 1,022 residues or tokens\n")
    print("| encoder | precision | least cosine | less the mean embedding |\n| --- | --- | --- | --- |", flush=True)
    for size in ("8M", "35M", "150M", "650M", "DNABERT-S"):
        encoder = partial(random_dnabert_s, small=False) if size == "DNABERT-S" else partial(random_esm2, size)
        tokens = peptide_tokens(64, np.concatenate((np.arange(1, 200), [500, 1022])))
        exact = run_packed(encoder(device=device, dtype=torch.float32), tokens, device, packed=False)
        for name, dtype in DTYPES.items():
            found = run_packed(encoder(device=device, dtype=dtype), tokens, device, packed=True)
            least = [torch.cosine_similarity(found - m, exact - m, dim=1).min().item() for m in (0, exact.mean(0))]
            print(f"| {size} | {name} | {least[0]:.7f} | {least[1]:.6f} |", flush=True)


def run_packed(model: torch.nn.Module, tokens: Ragged, device: torch.device, packed: bool) -> torch.Tensor:
    vectors, failed = Embedder(model, device, 16384, 1024, packed).embed(tokens)
    assert not failed, failed
    return torch.from_numpy(vectors)


def ways(table: Table, name: str, model: torch.nn.Module, sets: dict[str, Ragged], budget: int, *how) -> None:
    """The bare encoder, a task, and plain PyTorch, for each set of sequences. how: seconds, device."""
    device = how[1]
    for kind, tokens in sets.items():
        if device.type == "cuda":
            rows = np.flatnonzero(np.cumsum(tokens.length) <= budget)
            flat, starts = (torch.from_numpy(part).to(device) for part in tokens.pack(rows))
            longest = int(tokens.length[rows].max())
            table.add(f"{name}, {kind}, packed, bare", partial(bare, model, flat, starts, longest), *how)
            table.add(f"{name}, {kind}, packed, a task", task(model, tokens, device, budget, True), *how)
        table.add(f"{name}, {kind}, padded, a task", task(model, tokens, device, budget, False), *how)


def bare(model: torch.nn.Module, flat: torch.Tensor, starts: torch.Tensor, longest: int) -> int:
    model.packed(flat, starts, longest)
    return len(flat)


def task(model: torch.nn.Module, tokens: Ragged, device: torch.device, budget: int, packed: bool) -> Callable[[], int]:
    """Batches from host memory and results back to it, as in an embedding task."""
    embedder = Embedder(model, device, budget, 1024, packed)

    def run() -> int:
        embedder.embed(tokens)
        return int(tokens.length.sum())

    return run


def loading(device: torch.device) -> None:
    """Weights from a file in the page cache to the device, as `load` takes them."""
    with tempfile.TemporaryDirectory() as folder:
        tensors = {f"t{i}": torch.zeros(10240, 2560, dtype=torch.float16) for i in range(48)}
        save_file(tensors, Path(folder) / "model.safetensors")
        began = time.perf_counter()
        with open_weights(Path(folder), device) as weights:
            kept = [weights.get(name, torch.float16) for name in tensors]
        synchronise(device)
        gigabytes, seconds = sum(t.nbytes for t in kept) / 1e9, time.perf_counter() - began
        whole = 5.7 * seconds / gigabytes  # ESM-2 3B
        print(f"\nWeights: {gigabytes:.1f} GB in {seconds:.2f} s; the 5.7 GB of ESM-2 3B take {whole:.1f} s")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--esm2", choices=ESM2, default="3B")
    p.add_argument("--seconds", type=float, default=5.0, help="for each way")
    p.add_argument("--peak", type=float, help="TFLOP/s of 16-bit matrix products, if not known by the GPU's name")
    p.add_argument("--device", default="cuda")
    a = p.parse_args()
    device = torch.device(a.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no GPU")
    configure_gpu()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    peak = a.peak or peak_of(name)
    print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, peak {peak} TFLOP/s; bars: {BARS}")
    small = a.esm2 == "tiny"
    budget = 512 if small else 65536
    if device.type == "cuda":
        correctness(device)
    rows = 8 * budget // 168
    peptides = {
        "166 residues": peptide_tokens(rows, np.array([166])),
        "20 to 166 residues": peptide_tokens(2 * rows, np.arange(20, 167)),
    }
    length = np.random.default_rng(0).integers(98, 121, rows)
    frames = {"98 to 120 tokens": ragged(np.random.default_rng(0).integers(5, 4096, length.sum()), length)}
    for title, unit, mean, sets, make in (
        (f"ESM-2 {a.esm2}", "peptides", 168, peptides, partial(random_esm2, a.esm2)),
        ("DNABERT-S", "frames", float(length.mean()), frames, partial(random_dnabert_s, small=small)),
    ):
        table = None
        for precision, dtype in DTYPES.items():
            model = make(device=device, dtype=dtype)
            table = table or Table(title, flops_per_token(model), peak, unit, mean)
            ways(table, precision, model, sets, budget, a.seconds, device)
            del model
    print("\n### Cosine to fp32, random weights, padded rows (benchmarks/encoders_drift.py)\n")
    drift(a.esm2, device, rows=4 if small else 16)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        loading(device)


if __name__ == "__main__":
    main()
