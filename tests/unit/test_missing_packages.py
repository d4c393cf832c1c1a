"""What ends a script: a package that is not installed, in one line; anything else as Python says it."""

import subprocess
import sys
from pathlib import Path

import pytest

AT_THE_TOP = """
from virnucpro.errors import has_packages
with has_packages():
    {code}
"""
IN_MAIN = """
from virnucpro.errors import run_main
def main():
    {code}
run_main(main)
"""


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("import no_such_package", 2, "error: the Python package no_such_package is missing from "),
        ("import no_such_package.part", 2, "error: the Python package no_such_package is missing from "),
        ("import virnucpro.no_such_module", 1, "Traceback"),
        ("from json import no_such_name", 1, "Traceback"),
        ("raise ModuleNotFoundError('pandas is needed for this')", 1, "Traceback"),
        ("1 / 0", 1, "Traceback"),
    ],
)
@pytest.mark.parametrize("place", [AT_THE_TOP, IN_MAIN])
def test_a_script_that_cannot_be_loaded(root, place, code, status, expected):
    command = [sys.executable, "-c", place.format(code=code)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env={"PYTHONPATH": str(root / "bin")})
    assert done.returncode == status
    assert done.stderr.startswith(expected)
    assert ("Traceback" in done.stderr) == (expected == "Traceback")


def test_versions_of_packages(root):
    script = [sys.executable, root / "bin/tool_versions.py"]
    done = subprocess.run([*script, "numpy", "no-such-package"], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the Python package no-such-package is missing from ")
    assert '"numpy": "' in subprocess.run([*script, "numpy"], capture_output=True, encoding="utf-8", check=True).stdout


SCRIPTS = sorted((Path(__file__).parents[2] / "bin").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_says_what_is_missing(script):
    """Without any package (-S), each either needs none or says in one line which."""
    done = subprocess.run([sys.executable, "-S", script, "--help"], capture_output=True, encoding="utf-8")
    if done.returncode:
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert done.stderr.startswith("error: the Python package ")
