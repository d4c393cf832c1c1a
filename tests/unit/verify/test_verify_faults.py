"""Each planted fault is found by the check that is there for it, and the others are made all the same."""

import shutil
import sys

import golden_bundles
import pytest
import torch

from virnucpro.encoders import rows
from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2
from virnucpro.verify import measuring, setting, task
from virnucpro.verify.results import FAILED, NOT_CHECKED, OK
from virnucpro.verify.verification import Wanted

LENGTHS = (1, 2, 7, 20, 40, 64, 99, 166)
ENCODERS = (golden_bundles.DNABERT_S, golden_bundles.ESM2)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few and short sequences: the checks are the same."""
    monkeypatch.setattr(setting, "LENGTHS", LENGTHS)
    monkeypatch.setattr(setting, "SAMPLE", 24)
    monkeypatch.setattr(measuring, "COMPARED", 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A bundle without a fault."""
    return golden_bundles.write_bundle(tmp_path_factory.mktemp("whole") / "bundle")


@pytest.fixture(scope="module")
def golden(whole, root, tmp_path_factory):
    return golden_bundles.write_golden(tmp_path_factory.mktemp("golden") / "golden", whole, root / "assets/golden")


@pytest.fixture
def bundle(whole, tmp_path):
    """A copy to plant a fault in."""
    return shutil.copytree(whole, tmp_path / "bundle")


@pytest.fixture
def verify(root, golden, tmp_path):
    def run(models, random=None, device="cpu", precision="auto", minutes=None, files=(), values=golden):
        example = [root / "assets/example" / name for name in ("lambda.fa.gz", "ecoli.fa.gz")]
        tokenizer = root / "assets/demo_models/encoders/demo_dnabert_s/tokenizer.json"
        files, out = list(files), [tmp_path / f"verify.{kind}" for kind in ("json", "html")]
        wanted = Wanted(models, random, "", values, example, tokenizer, files, device, precision, minutes, *out)
        return task.run_verification(wanted)

    return run


def of(found, status, check=None) -> list[str]:
    """Subjects of the results with a status, of one check or of all."""
    return [r.subject for r in found.results if r.status == status and check in (None, r.check)]


def checks_made(found) -> set[str]:
    return {r.check for r in found.results}


ALL = {"device", "files", "golden values", "references", "precision", "independence", "speed"}


def test_a_bundle_without_a_fault_passes(verify, whole):
    found = verify(whole)
    assert found.passed and not of(found, NOT_CHECKED)
    assert checks_made(found) == ALL
    assert of(found, OK, "references") == ["dnabert_s, the published architecture"] + [
        f"esm2_t36_3B, {name}" for name in ("fair-esm", "transformers")
    ]
    assert {"dnabert_s, fp32", "esm2_t36_3B, fp32", "virnucpro_500, fp32", "frames"} < set(
        of(found, OK, "golden values")
    )
    assert of(found, OK, "independence") == list(ENCODERS)


def test_a_changed_byte(verify, bundle):
    path = bundle / "encoders/esm2_t36_3B/model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = verify(bundle)
    assert "encoders/esm2_t36_3B/model.safetensors" in of(found, FAILED, "files")
    assert checks_made(found) == ALL
    assert not of(found, FAILED, "independence")


def changed_state(monkeypatch, model, change):
    original = model._state
    monkeypatch.setattr(model, "_state", lambda *a: change(dict(original(*a))).items())


def test_swapped_layers(verify, whole, monkeypatch):
    def swap(state):
        other = {"blocks.0.": "blocks.1.", "blocks.1.": "blocks.0."}
        return {other.get(k[:9], k[:9]) + k[9:]: v for k, v in state.items()}

    changed_state(monkeypatch, esm2, swap)
    found = verify(whole)
    assert of(found, FAILED, "references") == ["esm2_t36_3B, fair-esm", "esm2_t36_3B, transformers"]
    assert "esm2_t36_3B, fp32" in of(found, FAILED, "golden values")
    assert "dnabert_s, fp32" in of(found, OK, "golden values")


def test_rotary_positions_left_out(verify, whole, monkeypatch):
    still = torch.tensor([1.0, 0.0])
    changed_state(monkeypatch, esm2, lambda s: s | {"rotation": still.expand_as(s["rotation"]).clone()})
    assert of(verify(whole), FAILED, "references") == ["esm2_t36_3B, fair-esm", "esm2_t36_3B, transformers"]


def test_slopes_of_another_number_of_heads(verify, whole, monkeypatch):
    slopes = dnabert_s.alibi_slopes
    monkeypatch.setattr(dnabert_s, "alibi_slopes", lambda heads: slopes(2 * heads)[:heads])
    assert of(verify(whole), FAILED, "references") == ["dnabert_s, the published architecture"]


@pytest.mark.parametrize(("way", "encoder"), [("rotary", "esm2_t36_3B"), ("alibi", "dnabert_s")])
def test_padding_unmasked(verify, whole, monkeypatch, way, encoder):
    original = getattr(rows.PaddedRows, way)

    def unmasked(self, *arguments):
        mask, self.real_BT = self.real_BT, None
        attend = original(self, *arguments)
        self.real_BT = mask
        return attend

    monkeypatch.setattr(rows.PaddedRows, way, unmasked)
    found = verify(whole)
    assert of(found, FAILED, "independence") == [encoder]
    assert any(subject.startswith(encoder) for subject in of(found, FAILED, "references"))


def test_classes_exchanged(verify, bundle):
    path = bundle / "classifiers/virnucpro_500/model.safetensors"
    golden_bundles.change(path, output_layer__weight=lambda w: w[::-1], output_layer__bias=lambda b: b[::-1])
    found = verify(golden_bundles.listed(bundle))
    assert not of(found, FAILED, "files") and not of(found, FAILED, "references")
    assert of(found, FAILED) == ["virnucpro_500, alone", "virnucpro_500, fp32"]


def test_the_right_shape_with_other_weights(verify, tmp_path):
    found = verify(golden_bundles.write_bundle(tmp_path / "other", seed=1))
    assert not of(found, FAILED, "files") and not of(found, FAILED, "references")
    assert {"dnabert_s, fp32", "esm2_t36_3B, fp32", "virnucpro_500, alone"} <= set(of(found, FAILED, "golden values"))


def test_half_precision_that_overflows(verify, bundle):
    path = bundle / "encoders/esm2_t36_3B/model.safetensors"
    golden_bundles.change(path, layers__0__fc1__weight=lambda w: 1e6 * w, layers__0__fc2__weight=lambda w: 1e-6 * w)
    golden_bundles.listed(bundle)
    asked = verify(bundle, precision="fp16")
    assert "esm2_t36_3B, fp16" in of(asked, FAILED, "precision")
    (line,) = [r for r in asked.results if (r.check, r.subject) == ("precision", "esm2_t36_3B, fp16")]
    assert "overflow" in line.text and line.remedy == "use --precision fp32"
    # On a CPU a run takes fp32: told, and no failure.
    auto = verify(bundle)
    assert not of(auto, FAILED, "precision")
    (line,) = [r for r in auto.results if (r.check, r.subject) == ("precision", "esm2_t36_3B, fp16")]
    assert line.text.startswith("unwise here") and line.numbers["wise"] is False


def test_a_reference_that_is_not_installed(verify, whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "esm", None)
    found = verify(whole)
    assert found.passed and of(found, NOT_CHECKED) == ["esm2_t36_3B, fair-esm"]
    (line,) = [r for r in found.results if r.status == NOT_CHECKED]
    assert "fair-esm" in line.remedy


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(verify, whole):
    found = verify(whole, device="cuda")
    assert of(found, FAILED) == ["cuda"]
    (line,) = [r for r in found.results if r.status == FAILED]
    assert "PyTorch sees no GPU" in line.text
    assert checks_made(found) == ALL


def failing(monkeypatch, model, dtypes, error):
    """The encoder cannot be loaded in these precisions."""
    original = model.load

    def load(folder, layer, device, dtype):
        if dtype in dtypes:
            raise error
        return original(folder, layer, device, dtype)

    monkeypatch.setattr(model, "load", load)


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


def test_too_little_memory(verify, whole, monkeypatch):
    failing(monkeypatch, esm2, [torch.bfloat16], OUT_OF_MEMORY)
    found = verify(whole, precision="bf16")
    lines = [r for r in found.results if r.status == FAILED]
    assert {r.subject for r in lines} >= {"esm2_t36_3B, bf16"} and all("more memory" in r.remedy for r in lines)
    assert len(of(found, OK, "references")) == 3


def test_too_little_memory_for_what_a_run_does_not_need(verify, whole, monkeypatch):
    failing(monkeypatch, esm2, [torch.float32], OUT_OF_MEMORY)
    found = verify(whole, precision="fp16")
    assert found.passed
    assert "esm2_t36_3B, fair-esm" in of(found, NOT_CHECKED, "references")
    assert "esm2_t36_3B, fp16" in of(found, OK, "golden values")


def test_a_gpu_that_fails_on_the_way(verify, whole, monkeypatch):
    """One line says so; what could not be computed any more is not checked, and no failure of its own."""
    failing(monkeypatch, esm2, [torch.float32], RuntimeError("CUDA error: an illegal memory access was encountered"))
    found = verify(whole)
    lines = [r for r in found.results if r.status == FAILED]
    assert lines and all("the GPU failed" in r.text and "another GPU" in r.remedy for r in lines)
    assert "dnabert_s, the published architecture" in of(found, OK, "references")
    assert "virnucpro_500, alone" in of(found, OK, "golden values")
    assert "esm2_t36_3B, bf16" in of(found, NOT_CHECKED, "precision")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_driver_that_is_too_old(verify, whole, monkeypatch):
    def too_old():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.cuda, "init", too_old)
    (line,) = [r for r in verify(whole, device="cuda").results if r.status == FAILED]
    assert "the NVIDIA driver is too old" in line.text and "update it" in line.text


def test_time_that_is_over(verify, whole):
    found = verify(whole, minutes=1e-9)
    assert found.passed and "esm2_t36_3B, fair-esm" in of(found, NOT_CHECKED)
    assert not of(found, NOT_CHECKED, "files")


def test_other_frames_than_virnucpros(verify, whole, golden, tmp_path):
    values = shutil.copytree(golden, tmp_path / "golden")
    path = values / "test_with_orfs.fa"
    path.write_text(path.read_text(encoding="utf-8").replace("ATGGCTAGC", "ATGGCTAGG", 1), encoding="utf-8")
    assert of(verify(whole, values=values), FAILED) == ["frames"]


def test_random_weights(verify):
    found = verify(None, random="tiny")
    assert found.passed and len(of(found, OK, "references")) == 3
    assert of(found, OK, "independence") == ["random DNABERT-S", "random ESM-2 tiny"]


def test_an_encoder_of_composition(verify, root):
    found = verify(root / "assets/compact_models")
    assert found.passed and of(found, OK, "independence") == ["compact"]
    assert of(found, NOT_CHECKED, "references") == ["compact"]


def test_no_bundle(verify, tmp_path):
    found = verify(tmp_path / "nothing")
    (line,) = [r for r in found.results if r.status == FAILED]
    assert "is no model bundle" in line.text


def test_an_encoder_that_cannot_be_read(verify, bundle):
    """The other encoder is checked; what needs this one is not."""
    with (bundle / "encoders/esm2_t36_3B/config.json").open("a", encoding="utf-8") as config:
        config.write("}")
    found = verify(bundle)
    assert set(of(found, FAILED)) == {"esm2_t36_3B", "encoders/esm2_t36_3B/config.json"}
    assert of(found, OK, "references") == ["dnabert_s, the published architecture"]
    assert of(found, NOT_CHECKED, "golden values") == ["virnucpro_500"]


def test_without_golden_values(verify, whole, tmp_path):
    found = verify(whole, values=tmp_path / "nothing")
    assert found.passed and of(found, NOT_CHECKED) == ["frames"]
    assert "--golden" in next(r.remedy for r in found.results if r.status == NOT_CHECKED)
