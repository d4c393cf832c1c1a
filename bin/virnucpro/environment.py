"""What is said where the tasks' Python lacks a package: one line that names the remedy instead of a traceback."""

import sys
from types import TracebackType

from virnucpro.errors import EXIT_USAGE

REMEDY = (
    "run with containers (-profile docker, singularity, ...), or put the environment of `make setup` on PATH, in the "
    "pipeline's folder: export PATH=$(python3 setup/install.py --where)/bin:$PATH"
)


def without_package(name: str) -> str:
    return f"error: the Python package {name} is missing from {sys.executable}; {REMEDY}"


def end_without_package(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For sys.excepthook. A package that is not installed: status 2, as the next try would end so too. Else as ever."""
    name = getattr(error, "name", None) or ""
    if not isinstance(error, ModuleNotFoundError) or not name or "." in name or name == __package__:
        sys.__excepthook__(kind, error, trace)
        return
    print(without_package(name), file=sys.stderr)
    sys.exit(EXIT_USAGE)
