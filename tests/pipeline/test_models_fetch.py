"""The fetch_models workflow, driven by `nextflow run` against a local server and from a folder."""

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))

import test_models_fetch as unit  # noqa: E402

published, server = unit.published, unit.server

pytestmark = pytest.mark.nextflow

MAIN = """
include { FETCH } from './workflows/fetch_models'

workflow {
    FETCH(params.models, params.classifier, params.encoders, params.from, file(params.sources))
}
"""
CONFIG = """
params { models = null; classifier = null; encoders = null; from = null; sources = null }
process.maxRetries = 1
process.errorStrategy = 'ignore'
"""


@pytest.fixture
def pipeline(tmp_path) -> Path:
    """The workflow under a main script of its own, with nothing of the pipeline's configuration."""
    folder = tmp_path / "pipeline"
    folder.mkdir()
    for name in ("bin", "modules", "workflows", "assets"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "main.nf").write_text(MAIN)
    (folder / "nextflow.config").write_text(CONFIG)
    return folder


@pytest.fixture
def fetch(nextflow, pipeline, tmp_path, server, published):
    """A function that runs the workflow for the bundle `models` in the test's folder."""
    setup = unit.Run(tmp_path, server.url, published)

    def run(*options: str, classifier: str = "tiny_500"):
        arguments = ["--models", "models", "--sources", setup.sources, *options]
        arguments += ["--classifier", classifier] if classifier else []
        return nextflow(tmp_path, *arguments, pipeline=pipeline), setup

    return run


def test_over_http(fetch, server):
    slow = [path for path in server.files if path.endswith(".pth")]
    server.on_request = lambda path: path in slow and time.sleep(8)
    run, bundle = fetch()
    assert run.code == 0, run.text
    assert bundle.names() == unit.WHOLE
    assert run.lines("tiny_500: fetching"), run.text  # shown while it ran
    assert "all as manifest.yml says" in run.text
    works = list((run.folder / "work").rglob("*.safetensors"))
    assert not [w for w in works if not w.is_symlink() and "models" not in str(w.resolve())]  # written once, in place
    asked = len(server.requests)
    again, bundle = fetch()
    assert again.code == 0 and len(server.requests) == asked and "is there, unchanged" in again.text


def test_from_a_folder_with_encoders_alone(fetch, published):
    run, bundle = fetch("--from", str(published), "--encoders", "esm2_tiny", classifier="")
    assert run.code == 0, run.text
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


@pytest.mark.parametrize(
    ("options", "classifier", "words"),
    [
        ((), "", "needs --classifier"),
        ((), "$(id)", "is no model's name"),
        (("--from", "nowhere"), "tiny_500", "--from: there is no such folder: nowhere"),
    ],
)
def test_what_cannot_be_is_said_before_any_task(fetch, options, classifier, words):
    run, _ = fetch(*options, classifier=classifier)
    assert run.code != 0 and words in run.text and not run.submitted()


def test_a_name_that_is_not_in_the_list(fetch):
    run, _ = fetch(classifier="virnucpro_500")
    assert run.code != 0 and "known are tiny_500" in run.text


def test_stub(fetch):
    run, bundle = fetch("-stub")
    assert run.code == 0, run.text
    assert "tiny_500" in run.text and not (bundle.bundle / "manifest.yml").exists()
