"""A sequence's embedding does not depend on what it is computed with.

Stated tolerances, on embeddings whose values are about 1: fp32 1e-5, fp16 1e-2, bf16 8e-2 (largest difference).
"""

import numpy as np
import pytest
import torch
from encoder_folders import fair_esm, random_peptides, save_dnabert_s, save_esm2
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro.embedding.embedder import Embedder
from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2

TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 8e-2}
COUNT = 40


@pytest.fixture(scope="module", params=["esm2", "dnabert_s"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind)
    return save_esm2(fair_esm(2, 40, 4), folder) if kind == "esm2" else save_dnabert_s(folder)


@pytest.fixture(scope="module")
def sequences(kind):
    rng = np.random.default_rng(5)
    if kind == "esm2":
        return random_peptides(COUNT, rng)
    return ["".join(rng.choice(list("ACGTN"), n, p=[0.24] * 4 + [0.04])) for n in rng.integers(1, 300, COUNT)]


@pytest.fixture(scope="module", params=TOLERANCE, ids=["fp32", "fp16", "bf16"])
def encoder(request, kind, folder):
    load = esm2.load if kind == "esm2" else dnabert_s.load
    return load(folder, dtype=request.param)


@pytest.fixture(scope="module")
def alone(encoder, sequences):
    """Each sequence computed by itself."""
    return np.concatenate([embed(encoder, [s], 1, 0) for s in sequences])


def embed(encoder, sequences: list[str], budget: int, overhead: int) -> np.ndarray:
    embedder = Embedder(encoder, torch.device("cpu"), budget, overhead)
    vectors, failed = embedder.embed(encoder.tokenize(sequences))
    assert not failed
    return vectors


@settings(max_examples=12)
@given(
    order=st.permutations(range(COUNT)),
    count=st.integers(1, COUNT),
    budget=st.sampled_from([1, 100, 700, 10_000]),
    overhead=st.sampled_from([0, 50, 10_000]),
)
def test_neighbours_position_and_batch_size_do_not_matter(encoder, sequences, alone, order, count, budget, overhead):
    chosen = order[:count]
    vectors = embed(encoder, [sequences[i] for i in chosen], budget, overhead)
    dtype = encoder.blocks[0].qkv.dtype
    assert np.abs(vectors - alone[chosen]).max() < TOLERANCE[dtype]


def test_embeddings_are_not_all_the_same(alone):
    """Or the test above would say nothing: distinct sequences differ by far more than the tolerance."""
    distance = np.abs(alone[:, None] - alone[None]).max(-1) + 10 * np.eye(COUNT)
    assert np.median(distance) > 4 * max(TOLERANCE.values())
