#!/usr/bin/env python3
"""The encoders on one GPU: what is fastest, how near it comes to the GPU's peak, and what precision costs.

    benchmarks/gpu_encoders.py [--esm2 3B] [--seconds 10] [--peak TFLOPS] [--device cuda]

Random weights in the published shapes (ESM-2 3B, DNABERT-S), sequences of 500-base chunks: 166 residues, or 98 to 120
byte-pair tokens. Each way runs for some seconds after warming up: fp16 against bf16, eager against compiled (with a
graph per length, or one for all), dense batches of equal length against packed rows of mixed lengths (varlen
attention), several token budgets. Needs no files and no network, and 16 GB of GPU memory for 3B.
`--device cpu --esm2 tiny --seconds 0` tries the script itself.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
import torch
from encoders_drift import drift
from random_encoders import ESM2, peptide_tokens, random_dnabert_s, random_esm2, varlen_hidden

from virnucpro.embedding.compiled import FrequentLengths
from virnucpro.embedding.device import configure_gpu
from virnucpro.embedding.embedder import Embedder
from virnucpro.encoders.ragged import Ragged, ragged

# Dense 16-bit TFLOP/s by the makers' data sheets
PEAKS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "RTX 4090": 165, "RTX 3090": 71}
BUDGETS = (8192, 16384, 32768, 65536)
SMALL_BUDGETS = (256, 512)  # to try the script itself
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@torch.inference_mode()
def speed(run: Callable[[], int], seconds: float, device: torch.device) -> float:
    """Tokens per second: `run` computes once and gives its tokens; the first runs, which compile, are not counted."""
    for _ in range(3 if seconds else 1):
        run()
    synchronise(device)
    tokens, began = 0, time.perf_counter()
    while tokens == 0 or time.perf_counter() - began < seconds:
        tokens += run()
        synchronise(device)
    return tokens / (time.perf_counter() - began)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


Ways = Iterator[tuple[str, Callable[[], int]]]


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


def esm2_table(size: str, device: torch.device, seconds: float, peak: float | None, budgets: tuple[int, ...]) -> None:
    table = None
    for precision, dtype in DTYPES.items():
        model = random_esm2(size, device, dtype)
        if table is None:
            table = Table(f"ESM-2 {size}, 166 residues", flops_per_token(model), peak, "peptides", 168)
        for name, run in esm2_ways(model, device, budgets):
            table.add(f"{precision}, {name}", run, seconds, device)
        model = run = None
        free_memory()


def esm2_ways(model: torch.nn.Module, device: torch.device, budgets: tuple[int, ...]) -> Ways:
    """Ways to run one model, each with its name."""
    rows = 10 * budgets[-1] // 168
    exact, mixed = peptide_tokens(rows, np.array([166])), peptide_tokens(rows, np.arange(100, 167))
    for budget in budgets:
        ids = torch.from_numpy(exact.rows(np.arange(budget // 168), 168, 1)).to(device)
        yield f"eager, {budget:,} tokens", partial(compute, model, ids)
    some = np.arange(budgets[-1] // 168)
    length = torch.from_numpy(mixed.length[some]).to(device)
    wide = torch.from_numpy(mixed.rows(some, 168, 1)).to(device)
    packed = wide[torch.arange(168, device=device) < length[:, None]]
    yield "eager, 100 to 166 residues, padded", partial(compute, model, wide, length)
    yield "eager, 100 to 166 residues, packed (varlen)", partial(varlen, model, packed, length)
    yield "eager, as a task without compiling", task(model, exact, device, budgets[-1])
    yield from compiled_ways(model, ids, None)
    yield "as a task runs it", compiled_task(model, exact, device, budgets[-1])


def compiled_ways(model: torch.nn.Module, ids: torch.Tensor, length: torch.Tensor | None) -> Ways:
    """For the largest of the eager batches; the model is left as it was."""
    for name, one_graph in (("a graph per length", False), ("one graph", True)):
        frequent = FrequentLengths(model, worth=1, one_graph=one_graph)
        yield f"compiled, {name}, {ids.numel():,} tokens", partial(compiled, frequent, model, ids, length)
        release(model)


def compiled(frequent: FrequentLengths, model: torch.nn.Module, ids: torch.Tensor, length: torch.Tensor | None) -> int:
    """The first call compiles, for another length too: one graph serves all lengths once it has met two."""
    if not frequent.lengths:
        width = ids.shape[1] - 8
        frequent.count(len(ids), width)
        model(ids[:, :width].contiguous(), None if length is None else length.clamp(max=width))
        frequent.count(*ids.shape)
    return unless_failed(frequent, partial(compute, model, ids, length))


def unless_failed(frequent: FrequentLengths, run: Callable[[], int]) -> int:
    """Where compiling failed, the eager speed must not stand in its place."""
    tokens = run()
    if frequent.failure:
        raise RuntimeError(f"not compiled: {frequent.failure}")
    return tokens


def release(model: torch.nn.Module) -> None:
    """Undo what FrequentLengths did."""
    for block in model.blocks:
        del block.forward
    torch._dynamo.reset()


def free_memory() -> None:
    """Of a model that is done with: compiled blocks refer to themselves, so that only the collector finds them."""
    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def dnabert_s_table(device: torch.device, seconds: float, peak: float | None, budgets: tuple[int, ...]) -> None:
    length = np.random.default_rng(0).integers(98, 121, 10 * budgets[-1] // 120)
    table = None
    for precision, dtype in DTYPES.items():
        model = random_dnabert_s(device, dtype, budgets == SMALL_BUDGETS)
        if table is None:
            mean = float(length.mean())
            table = Table("DNABERT-S, 98 to 120 tokens", flops_per_token(model), peak, "frames", mean)
        for name, run in dnabert_s_ways(model, device, length, budgets):
            table.add(f"{precision}, {name}", run, seconds, device)
        model = run = None
        free_memory()


def dnabert_s_ways(model: torch.nn.Module, device: torch.device, length: np.ndarray, budgets: tuple[int, ...]) -> Ways:
    tokens = ragged(np.random.default_rng(0).integers(5, 4096, length.sum()), length)
    for budget in budgets:
        some = np.argsort(-length, kind="stable")[: budget // 120]
        ids = torch.from_numpy(tokens.rows(some, 120, 0)).to(device)
        real = torch.from_numpy(length[some]).to(device)
        yield f"eager, {budget:,} tokens", partial(compute, model, ids, real)
    yield "eager, as a task without compiling, exact lengths", task(model, tokens, device, budgets[-1])
    yield "eager, as a task without compiling, multiples of 8", task(model, tokens, device, budgets[-1], multiple=8)
    yield from compiled_ways(model, ids, real)
    yield "as a task runs it", compiled_task(model, tokens, device, budgets[-1], multiple=8)


def compute(model: torch.nn.Module, ids: torch.Tensor, length: torch.Tensor | None = None) -> int:
    model(ids, length)
    return ids.numel() if length is None else int(length.sum())


def varlen(model: torch.nn.Module, packed: torch.Tensor, length: torch.Tensor) -> int:
    varlen_hidden(model, packed, length)
    return len(packed)


def task(model: torch.nn.Module, tokens: Ragged, device: torch.device, budget: int, **settings) -> Callable[[], int]:
    """Batches from host memory and results back to it, as in an embedding task."""
    embedder = Embedder(model, device, budget, 1024, **settings)

    def run() -> int:
        embedder.embed(tokens)
        return int(tokens.length.sum())

    return run


def compiled_task(
    model: torch.nn.Module, tokens: Ragged, device: torch.device, budget: int, **settings
) -> Callable[[], int]:
    """Likewise, with every length compiled: a task does so for lengths that occur often."""
    frequent = FrequentLengths(model, worth=1)
    return partial(unless_failed, frequent, task(model, tokens, device, budget, frequent=frequent, **settings))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--esm2", choices=ESM2, default="3B")
    p.add_argument("--seconds", type=float, default=10.0, help="for each way")
    p.add_argument("--peak", type=float, help="TFLOP/s of 16-bit matrix products, if not known by the GPU's name")
    p.add_argument("--device", default="cuda")
    a = p.parse_args()
    device = torch.device(a.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no GPU")
    configure_gpu()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    peak = a.peak or next((tflops for part, tflops in PEAKS.items() if part in name), None)
    print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, peak {peak} TFLOP/s")
    budgets = SMALL_BUDGETS if a.esm2 == "tiny" else BUDGETS
    esm2_table(a.esm2, device, a.seconds, peak, budgets)
    dnabert_s_table(device, a.seconds, peak, budgets)
    print("\n### Cosine to fp32, random weights (benchmarks/encoders_drift.py)\n")
    drift(a.esm2, device, rows=4 if a.esm2 == "tiny" else 64)


if __name__ == "__main__":
    main()
