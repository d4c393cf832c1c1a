"""What happens when batches fail, with an encoder that fails on purpose."""

import numpy as np
import pytest
import torch

from virnucpro.embedding.embedder import NO_ROOM_FOR_FP32, NOT_FINITE, Embedder
from virnucpro.embedding.faults import is_cuda_fault, is_out_of_memory
from virnucpro.encoders.ragged import ragged
from virnucpro.errors import CudaFault

BAD, NAN, CUDA = 666, 777, 888
CPU = torch.device("cpu")


class Fake(torch.nn.Module):
    """Embeds a row as (sum of its tokens, their number); fails on certain tokens and on batches beyond `memory`."""

    dim, pad = 2, 0

    def __init__(self, memory: int = 10**9, error: type[Exception] = torch.OutOfMemoryError):
        super().__init__()
        self.memory, self.error = memory, error
        self.shapes: list[tuple[int, int]] = []

    def forward(self, tokens, length=None):
        self.shapes.append(tuple(tokens.shape))
        if tokens.numel() > self.memory:
            raise self.error("CUDA out of memory. Tried to allocate 2 GiB")
        if (tokens == BAD).any():
            raise ValueError("a token that nobody knows\nand more")
        if (tokens == CUDA).any():
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        count = torch.full((len(tokens),), tokens.shape[1]) if length is None else length
        out = torch.stack((tokens.sum(1), count), dim=1).float()
        out[(tokens == NAN).any(dim=1)] = torch.nan
        return out

    def packed(self, tokens, starts, longest):
        rows = [self(row[None]) for row in tokens.split(starts.diff().tolist())]
        assert longest == starts.diff().max()
        self.shapes.append((1, len(tokens)))
        if len(tokens) > self.memory:
            raise self.error("CUDA out of memory. Tried to allocate 2 GiB")
        return torch.cat(rows)


def sequences(count: int = 50, special: dict[int, int] | None = None):
    """Ragged tokens 1, 2, ... of varying lengths, with the tokens in `special` put into some rows."""
    lengths = np.random.default_rng(0).integers(3, 30, count)
    rows = [np.arange(1, n + 1) for n in lengths]
    for row, token in (special or {}).items():
        rows[row][1] = token
    expected = np.array([[r.sum(), len(r)] for r in rows], dtype=np.float32)
    return ragged(np.concatenate(rows), lengths), expected


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_each_row_gets_its_own_embedding(packed):
    tokens, expected = sequences()
    embedder = Embedder(Fake(), CPU, 100, 20, packed)
    done = []
    embedder.on_batch = done.extend
    vectors, failed = embedder.embed(tokens)
    assert (vectors == expected).all()
    assert not failed
    assert sorted(done) == list(range(50))
    assert embedder.tokens == tokens.length.sum()


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_a_bad_sequence_fails_alone(packed):
    tokens, expected = sequences(special={7: BAD, 30: BAD, 31: NAN})
    embedder = Embedder(Fake(), CPU, 1000, 50, packed)
    done, retries = [], []
    embedder.on_batch, embedder.on_retry = done.extend, retries.append
    vectors, failed = embedder.embed(tokens)
    reason = "ValueError: a token that nobody knows"
    assert failed == {7: reason, 30: reason, 31: NOT_FINITE}
    good = [i for i in range(50) if i not in failed]
    assert (vectors[good] == expected[good]).all()
    assert sorted(done) == list(range(50))
    assert set(retries) == {reason}
    assert embedder.oom_halvings == 0


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_halves_the_budget_and_goes_on(error, packed):
    tokens, expected = sequences()
    fake = Fake(memory=100, error=error)
    embedder = Embedder(fake, CPU, 700, 50, packed)
    vectors, failed = embedder.embed(tokens)
    assert (vectors == expected).all()
    assert not failed
    assert 50 <= embedder.budget <= 100
    assert embedder.oom_halvings >= 2
    # The budget that held is kept for the next shard: nothing runs out of memory again.
    fake.shapes.clear()
    assert (embedder.embed(tokens)[0] == expected).all()
    assert max(a * b for a, b in fake.shapes) <= 100


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_a_sequence_that_never_fits_fails_alone(packed):
    tokens, expected = sequences()
    longest = tokens.length.max()
    vectors, failed = Embedder(Fake(memory=longest - 1), CPU, 700, 50, packed).embed(tokens)
    assert set(failed) == set(np.flatnonzero(tokens.length == longest))
    assert set(failed.values()) == {"out of memory, even when computed alone"}
    good = tokens.length < longest
    assert (vectors[good] == expected[good]).all()


def test_a_cuda_fault_ends_the_task():
    tokens, _ = sequences(special={3: CUDA})
    with pytest.raises(CudaFault, match="illegal memory access") as caught:
        Embedder(Fake(), torch.device("cpu"), 1000, 50).embed(tokens)
    assert caught.value.code == 70


def test_what_overflows_in_half_precision_is_computed_in_fp32():
    tokens, expected = sequences(special={3: NAN, 4: NAN})
    expected[[3, 4], 0] = [
        tokens.flat[s : s + n].sum() for s, n in zip(tokens.start[3:5], tokens.length[3:5], strict=True)
    ]

    class Exact(Fake):
        def forward(self, tokens, length=None):
            return super().forward(tokens.where(tokens != NAN, 0), length) + NAN * torch.tensor([1.0, 0.0])

    embedder = Embedder(Fake(), torch.device("cpu"), 1000, 50, exact=Exact)
    vectors, failed = embedder.embed(tokens)
    assert not failed
    assert (vectors == expected).all()
    assert embedder.recomputed == 2


def test_where_the_encoder_in_fp32_does_not_fit_too_the_rows_fail_alone():
    tokens, expected = sequences(special={3: NAN, 4: NAN})

    def exact():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 11 GiB")

    vectors, failed = Embedder(Fake(), CPU, 1000, 50, exact=exact).embed(tokens)
    assert failed == dict.fromkeys([3, 4], NO_ROOM_FOR_FP32)
    good = [i for i in range(50) if i not in failed]
    assert (vectors[good] == expected[good]).all()


@pytest.mark.parametrize(
    ("error", "memory", "fault"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
            True,
            False,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True, False),
        (
            RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "CUDACachingAllocator.cpp":1165'),
            True,
            False,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), False, True),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), False, True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), False, True),
        (RuntimeError("shapes do not fit"), False, False),
        (ValueError("CUDA error in the data"), False, False),
    ],
)
def test_kinds_of_faults(error, memory, fault):
    assert is_out_of_memory(error) is memory
    assert is_cuda_fault(error) is fault
