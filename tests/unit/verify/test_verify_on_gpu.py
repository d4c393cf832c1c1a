"""A verification on a GPU, played by a stand-in: what is asked of CUDA, which rows are packed, speed and memory."""

import golden_bundles
import pytest
import torch
from fake_gpu import CPU, FakeGpu

from virnucpro.verify import measuring, references, setting, task
from virnucpro.verify.results import FAILED, NOT_CHECKED, OK
from virnucpro.verify.verification import Wanted


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return golden_bundles.write_bundle(tmp_path_factory.mktemp("bundle") / "bundle")


@pytest.fixture
def verify(bundle, root, monkeypatch, tmp_path):
    """A function that makes the verification on a stand-in for a GPU, and gives what it found."""

    def run(**gpu):
        fake = FakeGpu(monkeypatch, **gpu)
        put = monkeypatch.setattr
        put(setting, "LENGTHS", (1, 2, 7, 20, 64, 99, 166))
        put(setting, "SAMPLE", 24)
        put(measuring, "SPEED_SECONDS", 0.0)
        put(measuring, "SPEED_SEQUENCES", 1)
        put(torch.cuda, "reset_peak_memory_stats", lambda device: None)
        ones, vectors, load = torch.ones, references.reference_vectors, measuring.load
        put(torch, "ones", lambda *shape, device: ones(*shape))
        put(references, "reference_vectors", lambda *a: vectors(*a[:-1], a[-1]._replace(torch=CPU)))

        def on_fake(subject, device, dtype):
            def plain(_kind, _folder, _layer, where, _dtype):
                return load(subject, where, dtype)

            return fake._load(plain, subject.kind, subject.folder, subject.layer, device, dtype)

        put(measuring, "load", on_fake)
        example = [root / "assets/example" / name for name in ("lambda.fa.gz", "ecoli.fa.gz")]
        inputs = [root / "assets/example/ecoli.fa.gz"]
        files = [tmp_path / "verify.json", tmp_path / "verify.html"]
        wanted = Wanted(bundle, None, "", root / "assets/golden", example, bundle, inputs, "cuda", "auto", None, *files)
        return task.run_verification(wanted)

    return run


def one(found, check, subject):
    (line,) = [r for r in found.results if (r.check, r.subject) == (check, subject)]
    return line


def test_half_precision_on_a_gpu(verify):
    found = verify()
    # The golden values are the published models', which these are not.
    assert {r.check for r in found.results if r.status == FAILED} == {"golden values"}
    assert found.facts["device"] == {"type": "cuda", "name": "Fake GPU", "uuid": "GPU-fake"}
    assert one(found, "device", "cuda").text.endswith("--precision auto is fp16 here")
    for encoder in golden_bundles.DIMS:
        half = one(found, "precision", f"{encoder}, fp16")
        assert half.status == OK and half.numbers["chosen"] and half.text.startswith("what a run takes here")
        speed = one(found, "speed", encoder).numbers
        assert speed["tokens_per_second_packed"] > 0 and speed["tokens_per_second_padded"] > 0
        assert speed["memory"] == 12345 and speed["budget"] >= 2048
    assert one(found, "cost", "time").numbers["hours_on_1"] > 0
    assert not [r for r in found.results if r.status == NOT_CHECKED]


def test_kernels_that_compute_something_else(verify):
    """As in a task: plain PyTorch in their place, and it is told."""
    found = verify(kernels=lambda x: -x)
    half = one(found, "precision", "esm2_t36_3B, fp16")
    assert half.status == OK and "without own kernels" in half.text
    assert "tokens_per_second_packed" not in one(found, "speed", "esm2_t36_3B").numbers


def test_kernels_that_leak_between_rows(verify):
    """A trial of few rows may pass; then the rows' company shows."""
    found = verify(kernels=lambda x: x + 0.5 * (len(x) > 8) * x.roll(1, dims=0))
    assert one(found, "independence", "esm2_t36_3B").status == FAILED
    assert one(found, "precision", "esm2_t36_3B, fp16").status == FAILED
