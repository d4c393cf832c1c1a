"""What a check found: a line with a status, numbers and, where something is wrong, a remedy."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from virnucpro.errors import REMEDY, CudaFault, VirnucproError

OK, FAILED, NOT_CHECKED = "ok", "failed", "not checked"
MORE_MEMORY = "give it a device with more memory, or a classifier with a smaller encoder"
OTHER_DEVICE = "try another GPU or node; if it fails there too, update the driver"


@dataclass(frozen=True)
class Result:
    """One line of the report. subject: the file, encoder or classifier it is about. numbers: by name, for machines."""

    check: str
    subject: str
    status: str
    text: str
    numbers: dict = field(default_factory=dict)
    remedy: str = ""

    def content(self) -> dict:
        """For the JSON."""
        return asdict(self)


class NotChecked(Exception):
    """A check cannot be made here: why, and what would make it possible."""

    def __init__(self, reason: str, remedy: str = ""):
        super().__init__(reason)
        self.remedy = remedy


def guarded(check: str, subject: str, run: Callable[[], list[Result]]) -> list[Result]:
    """What `run` found; whatever it raises is one line, so that the rest can be checked all the same."""
    try:
        return run()
    except Exception as e:
        return [fault(check, subject, e)]


def fault(check: str, subject: str, e: Exception) -> Result:
    """An exception as a line."""
    if isinstance(e, NotChecked):
        return Result(check, subject, NOT_CHECKED, str(e), remedy=e.remedy)
    if isinstance(e, CudaFault):
        return Result(check, subject, FAILED, str(e), remedy=OTHER_DEVICE)
    if isinstance(e, VirnucproError):
        return Result(check, subject, FAILED, str(e))  # its message ends with the remedy
    if isinstance(e, ModuleNotFoundError):
        return Result(
            check, subject, FAILED, f"the Python package {e.name} is missing from {sys.executable}", remedy=REMEDY
        )
    if is_out_of_memory(e):
        return Result(check, subject, FAILED, f"does not fit in memory ({first_line(e)})", remedy=MORE_MEMORY)
    traceback.print_exception(e)
    remedy = "the lines above this table say where; the installation may be damaged"
    return Result(check, subject, FAILED, first_line(e), remedy=remedy)


def is_out_of_memory(e: Exception) -> bool:
    """True where less at once, or a larger device, may do."""
    if isinstance(e, MemoryError):
        return True
    try:
        from virnucpro.embedding import faults  # needs PyTorch
    except ImportError:
        return False
    return faults.is_out_of_memory(e)


def is_fault_of_gpu(e: Exception) -> bool:
    """True where nothing can be computed in this process any more."""
    if isinstance(e, CudaFault):
        return True
    try:
        from virnucpro.embedding import faults
    except ImportError:
        return False
    return faults.is_cuda_fault(e)


def first_line(e: Exception) -> str:
    """The error's kind and the first line of its message."""
    lines = str(e).strip().splitlines()
    return f"{type(e).__name__}: {lines[0]}" if lines else type(e).__name__
