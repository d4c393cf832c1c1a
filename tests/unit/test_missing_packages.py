"""What ends a script: a package that is not installed, in one line; anything else as Python says it."""

import subprocess
import sys

import pytest


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
def test_a_script_that_cannot_be_loaded(root, code, status, expected):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '{root}/bin'); import virnucpro\n{code}"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == status
    assert done.stderr.startswith(expected)
    assert ("Traceback" in done.stderr) == (expected == "Traceback")


def test_versions_of_packages(root):
    script = [sys.executable, root / "bin/tool_versions.py"]
    done = subprocess.run([*script, "numpy", "no-such-package"], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the Python package no-such-package is missing from ")
    assert '"numpy": "' in subprocess.run([*script, "numpy"], capture_output=True, encoding="utf-8", check=True).stdout
