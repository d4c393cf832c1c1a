"""The workflow verify: what it says, where it writes, and its exit status."""

import json
import shutil

import pytest

pytestmark = pytest.mark.nextflow


def test_a_bundle_that_is_whole_and_what_a_run_will_cost(nextflow, root, tmp_path):
    run = nextflow(tmp_path, "--workflow", "verify", "--input", root / "assets/example/samples.csv")
    assert run.code == 0, run.text
    found = json.loads((run.results / "verify/verify.json").read_text(encoding="utf-8"))
    assert found["complete"] and found["problems"] == []
    assert found["classifiers"] == ["compact_300", "compact_500"]
    assert run.lines("have the SHA-256 of the manifest"), "the table is on the console"
    cost = {r["subject"]: r["numbers"] for r in found["results"] if r["check"] == "cost"}
    assert cost["input"]["sequences"] == 22 and cost["time"]["hours_on_16"] > 0
    page = (run.results / "verify/verify.html").read_text(encoding="utf-8")
    assert "All that could be checked holds." in page and "hours" not in page.split("<h2>")[0]


def test_a_damaged_bundle_fails_the_run_and_is_reported(nextflow, root, tmp_path):
    models = shutil.copytree(root / "assets/compact_models", tmp_path / "models")
    weights = models / "classifiers/compact_300/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    run = nextflow(tmp_path, "--workflow", "verify", "--models", models, "--classifier", "compact_500,compact_300")
    assert run.code != 0
    found = json.loads((run.results / "verify/verify.json").read_text(encoding="utf-8"))
    assert not found["complete"]
    assert any("compact_300/model.safetensors" in problem for problem in found["problems"])
    assert any(r["check"] == "independence" and r["status"] == "ok" for r in found["results"])
    assert "Not everything holds" in (run.results / "verify/verify.html").read_text(encoding="utf-8")
    assert run.lines("Not everything holds:"), run.text


def test_bf16_is_warned_of(nextflow, two_samples, root):
    args = ["-preview", "--input", "s.csv", "--models", root / "assets/demo_models", "--precision"]
    warned = nextflow(two_samples, *args, "bf16")
    assert warned.code == 0, warned.text
    assert warned.lines("--precision bf16 keeps three bits less than fp16")
