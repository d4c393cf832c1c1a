"""What happens when batches fail, with an encoder that fails on purpose."""

import shutil

import numpy as np
import pytest
import torch
import torch._inductor.config
from encoder_folders import fair_esm, save_dnabert_s, save_esm2

from virnucpro.embedding.compiled import LIMIT, FrequentLengths
from virnucpro.embedding.embedder import NO_ROOM_FOR_FP32, NOT_FINITE, Embedder
from virnucpro.embedding.faults import is_cuda_fault, is_out_of_memory
from virnucpro.encoders import dnabert_s, esm2
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


def sequences(count: int = 50, special: dict[int, int] | None = None):
    """Ragged tokens 1, 2, ... of varying lengths, with the tokens in `special` put into some rows."""
    lengths = np.random.default_rng(0).integers(3, 30, count)
    rows = [np.arange(1, n + 1) for n in lengths]
    for row, token in (special or {}).items():
        rows[row][1] = token
    expected = np.array([[r.sum(), len(r)] for r in rows], dtype=np.float32)
    return ragged(np.concatenate(rows), lengths), expected


def test_each_row_gets_its_own_embedding():
    tokens, expected = sequences()
    embedder = Embedder(Fake(), torch.device("cpu"), 100, 20)
    done = []
    embedder.on_batch = done.extend
    vectors, failed = embedder.embed(tokens)
    assert (vectors == expected).all()
    assert not failed
    assert sorted(done) == list(range(50))
    assert embedder.tokens == tokens.length.sum()


def test_a_bad_sequence_fails_alone():
    tokens, expected = sequences(special={7: BAD, 30: BAD, 31: NAN})
    embedder = Embedder(Fake(), torch.device("cpu"), 1000, 50)
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


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_halves_the_budget_and_goes_on(error):
    tokens, expected = sequences()
    fake = Fake(memory=100, error=error)
    embedder = Embedder(fake, torch.device("cpu"), 700, 50)
    vectors, failed = embedder.embed(tokens)
    assert (vectors == expected).all()
    assert not failed
    assert 50 <= embedder.budget <= 100
    assert embedder.oom_halvings >= 2
    # The budget that held is kept for the next shard: nothing runs out of memory again.
    fake.shapes.clear()
    assert (embedder.embed(tokens)[0] == expected).all()
    assert max(a * b for a, b in fake.shapes) <= 100


def test_a_sequence_that_never_fits_fails_alone():
    tokens, expected = sequences()
    longest = tokens.length.max()
    vectors, failed = Embedder(Fake(memory=longest - 1), torch.device("cpu"), 700, 50).embed(tokens)
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


class Graphs:
    """A backend of torch.compile that notes the width of each graph."""

    def __init__(self):
        self.widths: list[int] = []

    def __call__(self, graph, inputs):
        (x,) = (value for value in inputs if isinstance(value, torch.Tensor) and value.ndim == 3)
        self.widths.append(x.shape[1])
        return graph.forward


class TestCompiled:
    """torch.compile with backends that run anywhere, and for real on a CPU; its code for GPUs is not run here."""

    @pytest.fixture
    def encoder(self, tmp_path, monkeypatch):
        monkeypatch.setattr("virnucpro.encoders.linear._ONEDNN", False)  # as on a GPU
        torch._dynamo.reset()  # it remembers which sizes varied
        return esm2.load(save_esm2(fair_esm(3, 40, 4), tmp_path))

    @pytest.fixture
    def tokens(self, encoder):
        return encoder.tokenize(["MKVA" * 10] * 6 + ["MKV" * 7] * 8 + ["MKV"] * 3)

    @pytest.fixture
    def expected(self, encoder, tokens):
        return Embedder(encoder, CPU, 10_000, 0).embed(tokens)[0]

    def test_a_frequent_length_is_compiled_once_for_all_layers(self, encoder, tokens, expected):
        graphs = Graphs()
        frequent = FrequentLengths(encoder, worth=400, backend=graphs)
        embedder = Embedder(encoder, CPU, 100, 0, frequent=frequent)
        assert_close(embedder.embed(tokens), expected)
        assert frequent.lengths == set()  # 6 * 42 and 8 * 23 tokens so far
        for budget in (90, 130):  # batches of two and three, then of three and five rows
            embedder.budget = budget
            assert_close(embedder.embed(tokens), expected)
        assert frequent.lengths == {42, 23}
        assert sorted(graphs.widths) == [23, 42]

    @pytest.mark.parametrize("kind", ["esm2", "dnabert_s"])
    def test_padded_batches_share_graphs_too(self, kind, encoder, tmp_path):
        if kind == "dnabert_s":
            encoder = dnabert_s.load(save_dnabert_s(tmp_path / kind))
        rng = np.random.default_rng(0)
        length = np.repeat([40, 39, 38, 31, 30], 7)
        tokens = ragged(rng.integers(5, 24, length.sum()), length)
        expected, _ = Embedder(encoder, CPU, 10_000, 0).embed(tokens)
        graphs = Graphs()
        frequent = FrequentLengths(encoder, worth=1, backend=graphs)
        embedder = Embedder(encoder, CPU, 400, 10_000, multiple=8, frequent=frequent)
        for budget in (400, 200, 150):
            embedder.budget = budget
            assert_close(embedder.embed(tokens), expected)
        assert not frequent.failure
        assert embedder.padding_tokens > 0
        assert frequent.lengths == {40, 32}
        assert sorted(graphs.widths) == [32, 40, 40]  # of 40 there are batches without padding, too

    def test_one_graph_for_all_lengths(self, encoder, tokens, expected):
        graphs = Graphs()
        frequent = FrequentLengths(encoder, worth=1, backend=graphs, one_graph=True)
        more = encoder.tokenize(["MKVAR" * n for n in (5, 6, 7) for _ in range(2)])
        embedder = Embedder(encoder, CPU, 130, 0, frequent=frequent)
        assert_close(embedder.embed(tokens), expected)
        embedder.embed(more)
        assert frequent.lengths == {42, 23, 5, 27, 32, 37}
        assert len(graphs.widths) == 2

    @pytest.mark.skipif(not shutil.which("g++"), reason="PyTorch's code for CPUs needs g++")
    def test_the_compiler_itself(self, encoder, tmp_path, monkeypatch):
        """bf16, as its rotary embedding takes the way of a GPU; with padding and without."""
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
        monkeypatch.setattr(torch._inductor.config, "cpp_cache_precompile_headers", False)  # for few graphs a detour
        half = esm2.load(tmp_path, dtype=torch.bfloat16)
        tokens = half.tokenize(["MKVA" * 10] * 6 + ["MKVAC" * 8] * 4 + ["MKVA" * 9] * 4)
        expected, _ = Embedder(half, CPU, 300, 1000).embed(tokens)
        frequent = FrequentLengths(half, worth=1)
        embedder = Embedder(half, CPU, 300, 1000, frequent=frequent)
        vectors, failed = embedder.embed(tokens)
        assert not failed
        assert not frequent.failure
        assert embedder.padding_tokens > 0
        assert frequent.lengths == {42}
        cosine = (vectors * expected).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
        assert cosine.min() > 0.9999

    def test_where_compiling_fails_the_task_goes_on_without(self, encoder, tokens, expected, capfd):
        tries = []

        def backend(graph, inputs):
            tries.append(1)
            raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

        frequent = FrequentLengths(encoder, worth=1, backend=backend)
        embedder = Embedder(encoder, CPU, 130, 0, frequent=frequent)
        retries = []
        embedder.on_retry = retries.append
        assert_close(embedder.embed(tokens), expected)
        assert_close(embedder.embed(tokens), expected)
        assert len(tries) == 1
        assert not retries
        assert not frequent.lengths
        assert frequent.failure.startswith("RuntimeError: Failed to find C compiler")
        assert capfd.readouterr().err.count("torch.compile failed, going on without it") == 1

    @pytest.mark.parametrize("message", ["CUDA out of memory.", "CUDA error: an illegal memory access"])
    def test_faults_of_the_gpu_are_not_the_compilers(self, encoder, tokens, message):
        def backend(graph, inputs):
            def run(*inputs):
                raise RuntimeError(message)

            return run

        frequent = FrequentLengths(encoder, worth=1, backend=backend)
        embedder = Embedder(encoder, CPU, 130, 0, frequent=frequent)
        if "memory access" in message:
            with pytest.raises(CudaFault):
                embedder.embed(tokens)
        else:
            embedder.embed(tokens)
            assert embedder.oom_halvings > 0
        assert not frequent.failure

    def test_the_number_of_lengths_is_limited(self, encoder):
        frequent = FrequentLengths(encoder, worth=1, backend="eager")
        for length in range(10, 60):
            frequent.count(2, length)
        assert len(frequent.lengths) == LIMIT


def assert_close(embedded: tuple[np.ndarray, dict], expected: np.ndarray) -> None:
    vectors, failed = embedded
    assert not failed
    assert np.abs(vectors - expected).max() < 1e-5
