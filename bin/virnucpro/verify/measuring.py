"""Running an encoder in one precision over all sequences that the checks compare; what came out is kept.

An encoder is loaded once for each precision, and only one is in memory at a time: so the largest fits where a task of
a run fits.
"""

import gc
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import NamedTuple

import numpy as np

from virnucpro.errors import REMEDY, CudaFault
from virnucpro.verify.results import (
    MORE_MEMORY,
    OTHER_DEVICE,
    NotChecked,
    first_line,
    is_fault_of_gpu,
    is_out_of_memory,
)
from virnucpro.verify.sequences import Frame
from virnucpro.verify.subjects import Subject

HALVES = ("fp16", "bf16")
SPEED_SECONDS, SPEED_SEQUENCES = 3.0, 2048  # on a GPU
COMPANY = 12  # sequences beside those whose independence is tested
COMPARED = 8  # sequences whose independence is tested


class Sets(NamedTuple):
    """The sequences, by what they are for."""

    probes: list[Frame]
    sample: list[Frame]
    golden: list[Frame]


@dataclass
class Measured:
    """What one encoder gave in one precision. vectors: float32 [frames, dim] by set; rows without an embedding are NaN,
    and `failed` has their reasons. ways: embeddings of the first COMPARED probes, computed in several ways."""

    subject: Subject
    precision: str
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    failed: dict[str, dict[int, str]] = field(default_factory=dict)
    ways: dict[str, np.ndarray] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)  # tokens per second by way; the way that a run takes is first
    load_seconds: float = 0.0
    memory: int = 0  # bytes of the device at most; 0 where it was not measured
    budget: int = 0  # tokens in a batch
    kernels_failure: str = ""


def measure(subject: Subject, precision: str, device, sets: Sets, chosen: bool) -> Measured:
    """Load the encoder and compute all sets with it. chosen: it is the precision that a run would take; then the
    ways of `Measured.ways` are computed, too, and speed is measured.

    device: embedding.device.Device. Errors of PyTorch, of missing files and packages are the caller's.
    """
    measured = Measured(subject, precision)
    began = time.perf_counter()
    runner = (_Heavy if subject.needs_torch else _Light)(subject, precision, device, measured)
    measured.load_seconds = time.perf_counter() - began
    try:
        for name, frames in sets._asdict().items():
            began = time.perf_counter()
            measured.vectors[name], measured.failed[name] = runner.embed(subject.read(frames))
            if name == "sample" and frames:
                measured.rates = {runner.way: runner.tokens(subject.read(frames)) / (time.perf_counter() - began)}
        if chosen:
            measured.ways = _ways(subject, runner.embed, sets)
            if subject.needs_torch and device.is_gpu:
                measured.rates = runner.rates(subject.read(sets.sample))
        measured.memory = runner.memory()
    finally:
        del runner
        free(device)
    return measured


def free(device) -> None:
    """Give memory back to the device."""
    gc.collect()
    if device is not None and device.is_gpu:
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device.torch)


class _Light:
    """An encoder that needs no PyTorch."""

    way = "on one core"

    def __init__(self, subject: Subject, _precision: str, _device, _measured: Measured):
        self.encoder = import_module(f"virnucpro.encoders.{subject.kind}.model").load(subject.folder)

    def embed(self, sequences: list[str], budget: int | None = None) -> tuple[np.ndarray, dict[int, str]]:
        return self.encoder(sequences), {}

    def tokens(self, sequences: list[str]) -> int:
        return sum(map(len, sequences))

    def memory(self) -> int:
        return 0


class _Heavy:
    """An encoder of PyTorch on the device, with a task's batches."""

    def __init__(self, subject: Subject, precision: str, device, measured: Measured):
        from virnucpro.embedding import device as devices

        self.device = device
        self.encoder = load(subject, device.torch, devices.PRECISIONS[precision])
        self.packed = devices.wants_packed(device, precision)
        if self.packed:
            measured.kernels_failure = devices.kernels_failure(self.encoder, device)
            self.packed = not measured.kernels_failure
        self.budget = devices.choose_budget(None, device, self.encoder.dim, "packed" if self.packed else precision)
        self.overhead = devices.OVERHEAD[device.torch.type]
        measured.budget = self.budget

    @property
    def way(self) -> str:
        return "packed" if self.packed else "padded"

    def embed(self, sequences: list[str], budget: int | None = None) -> tuple[np.ndarray, dict[int, str]]:
        if not sequences:
            return np.zeros((0, self.encoder.dim), dtype=np.float32), {}
        vectors, failed = self._compute(self.encoder.tokenize(sequences), budget or self.budget, self.packed)
        vectors[list(failed)] = np.nan
        return vectors, failed

    def _compute(self, tokens, budget: int, packed: bool) -> tuple[np.ndarray, dict[int, str]]:
        from virnucpro.embedding.embedder import Embedder

        return Embedder(self.encoder, self.device.torch, budget, self.overhead, packed=packed).embed(tokens)

    def tokens(self, sequences: list[str]) -> int:
        return int(self.encoder.tokenize(sequences).length.sum())

    def rates(self, sequences: list[str]) -> dict[str, float]:
        """Tokens per second from and to host memory, packed and padded; the first pass of each is not counted."""
        tokens = self.encoder.tokenize(-(-SPEED_SEQUENCES // len(sequences)) * sequences)
        found = {}
        for packed in (True, False) if self.packed else (False,):
            self._compute(tokens, self.budget, packed)
            done, began = 0, time.perf_counter()
            while done == 0 or time.perf_counter() - began < SPEED_SECONDS:
                self._compute(tokens, self.budget, packed)
                done += int(tokens.length.sum())
            found["packed" if packed else "padded"] = done / (time.perf_counter() - began)
        return found

    def memory(self) -> int:
        import torch

        return torch.cuda.max_memory_allocated(self.device.torch) if self.device.is_gpu else 0


def load(subject: Subject, device, dtype):
    """The pipeline's own encoder with the subject's weights."""
    model = import_module(f"virnucpro.encoders.{subject.kind}.model")
    if not subject.random:
        return model.load(subject.folder, subject.layer, device, dtype)
    config = model.Config.read(subject.folder, subject.layer)
    more = [model.load_tokenizer(subject.folder, config.vocabulary)] if subject.kind == "dnabert_s" else []
    with subject.weights(device) as weights:
        return model.build(weights, config, *more, dtype)


def _ways(subject: Subject, embed, sets: Sets) -> dict[str, np.ndarray]:
    """The same sequences alone, in company, at another place and in another batch."""
    mine = subject.read(compared(sets))
    others = subject.read(sets.sample[:COMPANY])
    n = len(mine)
    return {
        "alone": np.concatenate([embed([sequence])[0] for sequence in mine]),
        "in other company": embed([*others, *mine])[0][len(others) :],
        "at another place": embed([*mine[::-1], *others])[0][:n][::-1],
        "in another batch": embed([*others, *mine], budget=512)[0][len(others) :],
    }


def compared(sets: Sets) -> list[Frame]:
    """The probes whose independence is tested: of all lengths, the longest left out (they would fill any batch)."""
    return sorted(sets.probes, key=lambda frame: len(frame.peptide))[: len(sets.probes) - 3][-COMPARED:]


class Bench:
    """Measures on demand, and keeps what came or what went wrong.

    chosen: the precision that a run would take, halves: those of half precision to try, both by the encoder's name.
    clock: gives a reason why nothing more is to be started, or "".
    """

    def __init__(self, device, sets: Sets, chosen: dict[str, str], halves: dict[str, tuple[str, ...]], clock):
        self.device, self.sets, self.chosen, self.halves, self.clock = device, sets, chosen, halves, clock
        self._kept: dict[tuple[str, int, str], Measured | Exception] = {}
        self.lost = ""  # what ended the GPU's work: nothing more can be computed in this process

    def measured(self, subject: Subject, precision: str) -> Measured:
        """Raises what went wrong, each time it is asked."""
        key = subject.name, subject.layer, precision
        if key not in self._kept:
            try:
                self.check_that_more_can_be_done()
                self._kept[key] = self._measure(subject, precision)
            except Exception as e:
                self._kept[key] = self._told(e, subject, precision)
        found = self._kept[key]
        if isinstance(found, Exception):
            raise found
        return found

    def check_that_more_can_be_done(self) -> None:
        """NotChecked where the time is over or the GPU is lost."""
        if self.lost:
            raise NotChecked(f"the GPU failed before: {self.lost}", OTHER_DEVICE)
        if why := self.clock():
            raise NotChecked(why, "give it more time: --minutes")

    def _told(self, e: Exception, subject: Subject, precision: str) -> Exception:
        """What is kept of an error. Too little memory for fp32, which a run does not need here, is no failure."""
        if isinstance(e, NotChecked):
            return e
        if is_fault_of_gpu(e):
            self.lost = first_line(e)
            return CudaFault(f"the GPU failed ({self.lost})")
        free(self.device)
        if is_out_of_memory(e) and precision != self.chosen[subject.name]:
            return NotChecked(f"{precision} does not fit in memory here, and a run does not need it", MORE_MEMORY)
        return e.with_traceback(None)

    def _measure(self, subject: Subject, precision: str) -> Measured:
        if subject.needs_torch and self.device is None:
            raise NotChecked("without PyTorch it cannot be computed", REMEDY)
        return measure(subject, precision, self.device, self.sets, precision == self.chosen[subject.name])
