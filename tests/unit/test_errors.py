"""A disk that is full or fails is told by its exit status, whichever library writes."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, signal, sys
sys.path.insert(0, sys.argv[1])
import numpy, polars, pyarrow, pyarrow.parquet
from virnucpro.errors import run_main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
values = numpy.arange(10)
def main():
    {write}
run_main(main)
"""

WRITERS = {
    "python": 'open("x", "wb", buffering=0).write(b"text")',
    "polars csv": 'polars.DataFrame({"a": values}).write_csv("x")',
    "polars parquet": 'polars.DataFrame({"a": values}).write_parquet("x")',
    "pyarrow parquet": 'pyarrow.parquet.write_table(pyarrow.table({"a": values}), "x")',
}


def run(root, tmp_path, write: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", PROGRAM.replace("{write}", write), root / "bin"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk(root, tmp_path, write):
    done = run(root, tmp_path, write)
    assert done.returncode == 74
    assert done.stderr.startswith("error: ") and "File too large" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "write", ['open("absent/x", "w")', 'polars.read_csv("absent")', 'raise ValueError("(os error)")']
)
def test_other_errors_keep_their_traceback(root, tmp_path, write):
    done = run(root, tmp_path, write)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
