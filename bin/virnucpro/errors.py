"""What can go wrong for a known reason, and the exit code that says so (docs/usage.md lists them)."""

import errno
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

EXIT_USAGE = 2  # also where a Python package is missing: a retry would find it missing too
EXIT_INPUT = 65  # sysexits.h EX_DATAERR
EXIT_MODEL = 66  # sysexits.h EX_NOINPUT
EXIT_CUDA = 70  # sysexits.h EX_SOFTWARE: the GPU failed, not the data; worth a retry elsewhere
EXIT_DISK = 74  # sysexits.h EX_IOERR: there is no room to write, or the disk fails; worth a retry, on another node say

REMEDY = (
    "run with containers (-profile docker, singularity, ...), or put the environment of `make setup` on PATH, in the "
    "pipeline's folder: export PATH=$(python3 setup/install.py --where)/bin:$PATH"
)

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


class VirnucproError(Exception):
    """An error whose message names the file, the record, what is wrong and what to do. `code` is the exit status."""

    code = 1


class UsageError(VirnucproError):
    """The command line asks for something that cannot be."""

    code = EXIT_USAGE


class InputError(VirnucproError):
    """The input data are damaged or are not what they should be; a retry gives the same."""

    code = EXIT_INPUT


class ModelError(VirnucproError):
    """A model bundle is missing, incomplete, changed or does not fit the classifier."""

    code = EXIT_MODEL


class CudaFault(VirnucproError):
    """The GPU or its driver failed in a way that this process cannot survive."""

    code = EXIT_CUDA


@contextmanager
def has_packages() -> Iterator[None]:
    """Around a script's imports: a package that is not installed becomes one line on stderr that names the remedy, and
    status 2, as the next try would end so too. A module of our own that is not there is a fault, with its traceback."""
    try:
        yield
    except ModuleNotFoundError as e:
        if not e.name or "." in e.name or e.name == __package__:
            raise
        end_without(e.name)


def end_without(package: str) -> NoReturn:
    print(f"error: the Python package {package} is missing from {sys.executable}; {REMEDY}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def run_main(main: Callable[[], int | None]) -> None:
    """Run a script's `main` and exit with its status; a known error becomes one line on stderr and its exit code."""
    try:
        with has_packages():
            sys.exit(main() or 0)
    except VirnucproError as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(e.code)
    except Exception as e:
        if _errno(e) not in _DISK:
            raise
        print(f"error: {e}; make room in the task's folder {Path.cwd()}, or check its disk", file=sys.stderr)
        sys.exit(EXIT_DISK)


def _errno(error: Exception) -> int | None:
    """The system's number of an error, which Polars gives in the message alone, of errors of its own too."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None
