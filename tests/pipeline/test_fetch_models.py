"""The fetch_models workflow, driven by `nextflow run` against a local server and from a folder."""

import time

import pytest
from models_published import WHOLE, Run

pytestmark = pytest.mark.nextflow


@pytest.fixture
def fetch(nextflow, tmp_path, server, published):
    """A function that runs the workflow for the bundle `models` in the test's folder."""
    setup = Run(tmp_path, server.url, published)

    def run(*options: str, classifier: str = "tiny_500", verify: str = "false"):
        arguments = ["--models", "models", "--workflow", "fetch_models", "--model_sources", setup.sources, *options]
        arguments += ["--verify", verify]
        arguments += ["--classifier", classifier] if classifier else []
        return nextflow(tmp_path, *arguments), setup

    return run


def test_over_http(fetch, server):
    slow = [path for path in server.files if path.endswith(".pth")]
    server.on_request = lambda path: path in slow and time.sleep(6)
    run, bundle = fetch()
    assert run.code == 0, run.text
    assert bundle.names() == WHOLE
    assert run.lines("tiny_500: fetching"), run.text  # shown while it ran
    assert "all as manifest.yml says" in run.text
    works = list((run.folder / "work").rglob("*.safetensors"))
    assert not [w for w in works if not w.is_symlink() and "models" not in str(w.resolve())]  # written once, in place


def test_from_a_folder_with_encoders_alone(fetch, published):
    """It ends with a check of what was fetched: the encoder computes what fair-esm does."""
    run, bundle = fetch("--from", str(published), "--encoders", "esm2_tiny", classifier="", verify="auto")
    assert run.code == 0, run.text
    assert any(line.startswith("ok") for line in run.lines("esm2_tiny, fair-esm")), run.text
    assert {n for n in bundle.names() if "/" in n} == {
        "encoders/esm2_tiny/config.json",
        "encoders/esm2_tiny/model.safetensors",
    }


def test_a_failed_fetch_fails_the_run(fetch, server):
    server.files["/500_model.pth"] = b"other bytes"
    run, bundle = fetch()
    assert run.code != 0
    assert "git blob id" in run.text
    assert (bundle.bundle / "encoders/esm2_tiny/model.safetensors").is_file()
    assert not (bundle.bundle / "classifiers").exists()


def test_a_name_that_is_none_is_refused_before_any_task(fetch):
    run, _ = fetch(classifier="$(id)")
    assert run.code != 0 and "'$(id)' is no model's name" in run.text and not run.submitted()


@pytest.mark.parametrize("scope", ["process", "process { withName: FETCH_MODELS"])
def test_other_ways_of_staging(fetch, published, tmp_path, scope):
    """In a copy of the bundle's folder, what was fetched would be thrown away with the task."""
    closing = " }" if "{" in scope else ""
    settings = "{\n stageInMode = 'copy'\n scratch = true\n}"
    (tmp_path / "site.config").write_text(f"{scope} {settings}{closing}\n", encoding="utf-8")
    run, bundle = fetch("--from", str(published), "-c", "site.config", "--encoders", "esm2_tiny", classifier="")
    if scope == "process":
        assert run.code == 0, run.text
        assert (bundle.bundle / "encoders/esm2_tiny/model.safetensors").is_file()
    else:
        assert run.code != 0
        assert "stageInMode must be 'symlink' for FETCH_MODELS" in run.text
