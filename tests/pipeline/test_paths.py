"""Paths of users are meant literally: characters that a glob would read name files and folders like any others."""

import shutil

import pytest
from models_published import Run as Published
from models_published import publish

pytestmark = pytest.mark.nextflow


@pytest.fixture
def odd(two_samples):
    """The folder of the two samples; the name of their sheet, read as a glob, does not match it."""
    (two_samples / "s.csv").rename(two_samples / "s[1]*.csv")
    return two_samples


def test_a_run_whose_paths_look_like_globs(nextflow, odd, root):
    models = shutil.copytree(root / "assets/demo_models", odd / "mod[1]?{x}")
    run = nextflow(
        odd, "-profile", "test", "--input", "s[1]*.csv", "--models", models.name, "--outdir", "res[1]*{a,b}?",
        "--classifier", f"{models.name}/classifiers/demo_500", "--embedding_store", "store[1]*",
    )  # fmt: skip
    assert run.code == 0, run.text
    results = odd / "res[1]*{a,b}?"
    assert f"Report:  {results}/multiqc_report.html" in run.text
    for name in (
        "multiqc_report.html",
        "phage/sequences.tsv",
        "host/sequences.tsv",
        "pipeline_info/execution_trace.tsv",
    ):
        assert (results / name).is_file()
    assert any(path.is_file() for path in (odd / "store[1]*").rglob("*"))


def test_a_pipeline_in_such_a_folder_and_a_glob_as_input(nextflow, checkout, odd):
    pipeline = checkout.rename(checkout.with_name("pipe[1]"))
    run = nextflow(odd, "-profile", "test", "-stub", "--input", "{ph,ho}*.fa", pipeline=pipeline)
    assert run.code == 0, run.text
    assert [s for s in run.submitted() if s.startswith("CLASSIFY")] == ["CLASSIFY (host and 1 more)"]


def test_a_file_of_the_name_goes_before_the_glob(nextflow, odd):
    """Its characters are refused, as in a samplesheet, not taken for those of another file."""
    shutil.copy(odd / "phage.fa", odd / "a[1].fa")
    shutil.copy(odd / "host.fa", odd / "a1.fa")
    run = nextflow(odd, "-profile", "test", "-stub", "--input", "a[1].fa")
    assert run.code != 0
    assert "/a[1].fa' holds the character '['" in run.text
    assert not run.submitted()


def test_models_from_and_to_such_folders(nextflow, odd):
    published = publish(odd / "from[1]*")
    setup = Published(odd, "http://localhost:1", published)
    sources = setup.sources.rename(odd / "models[1].yml")
    run = nextflow(
        odd, "--workflow", "fetch_models", "--models", "models[1]*", "--from", published.name,
        "--encoders", "esm2_tiny", "--model_sources", sources.name,
    )  # fmt: skip
    assert run.code == 0, run.text
    assert (odd / "models[1]*/encoders/esm2_tiny/model.safetensors").is_file()
