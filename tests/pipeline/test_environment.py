"""What a run finds around it. A Python without the packages of the pipeline: one line says what to do, there is no
traceback and no second try. No locale."""

import os
import re
import shutil
import sys
from datetime import datetime

import pytest

pytestmark = pytest.mark.nextflow


@pytest.fixture
def bare_python(tmp_path) -> dict:
    """An environment whose python3 has the standard library alone."""
    python = tmp_path / "bare/python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return {"PATH": f"{python.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("args", "package"),
    [
        (["-profile", "test"], "yaml"),
        (["-profile", "test", "-stub"], "numpy"),  # only the tools' versions are asked for
        (["--workflow", "fetch_models", "--models", "m", "--encoders", "esm2_3b"], "yaml"),
    ],
)
def test_packages_that_are_missing(nextflow, tmp_path, bare_python, args, package):
    run = nextflow(tmp_path, *args, env=bare_python)
    assert run.code != 0
    (line,) = {line.strip() for line in run.lines("the Python package")}
    assert line.startswith(f"error: the Python package {package} is missing from ")
    assert "-profile docker" in line and "setup/install.py --where" in line
    assert "Traceback" not in run.text
    assert len(run.submitted()) == 1, "no other task, and no second try"
    assert seconds_after(run, "Error executing process") < 15, "nothing is waited for that was never begun"


def seconds_after(run, words: str) -> float:
    """From the line of Nextflow's log that has `words` to its last one."""
    log = (run.folder / ".nextflow.log").read_text(encoding="utf-8").splitlines()
    times = [(line[:19], line) for line in log if re.match(r"[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d\.", line)]
    first = next(time for time, line in times if words in line)
    begin, end = (datetime.strptime(f"2024-{time}", "%Y-%b-%d %H:%M:%S.%f") for time in (first, times[-1][0]))
    return (end - begin).total_seconds()


def test_no_locale_and_packages_of_the_site(nextflow, tmp_path, root):
    """As under cron: Java reads ASCII then unless it is told otherwise. And a PYTHONPATH with another numpy, and a
    PYTHONHOME without Python."""
    (tmp_path / "site/numpy").mkdir(parents=True)
    (tmp_path / "site/numpy/__init__.py").write_text("raise ImportError('the numpy of the site')", encoding="utf-8")
    shutil.copy(root / "assets/example/lambda.fa.gz", tmp_path / "ünï.fa.gz")
    (tmp_path / "s.csv").write_text("sample,fasta\nlambda,ünï.fa.gz\n", encoding="utf-8")
    env = {"LC_ALL": "C", "LANG": "C", "PYTHONPATH": str(tmp_path / "site"), "PYTHONHOME": "/nowhere"}
    run = nextflow(tmp_path, "-profile", "test", "--input", "s.csv", env=env)
    assert run.code == 0, run.text
    assert "evaluates to an empty value" not in run.text
    assert (
        (run.results / "pipeline_info/execution_report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    )
