"""The report on a terminal: a line for each result, as it comes."""

from virnucpro.verify.results import FAILED, NOT_CHECKED, OK, Result
from virnucpro.words import printable


def line(result: Result) -> str:
    """A result, and its remedy on a line of its own."""
    text = f"{result.status:<12} {result.check:<14} {result.subject}: {result.text}"
    return printable(text) + (f"\n{'':12} {'':14} -> {printable(result.remedy)}" if result.remedy else "")


def summary(results: list[Result]) -> str:
    """How many there are of each status."""
    counts = {status: sum(r.status == status for r in results) for status in (OK, FAILED, NOT_CHECKED)}
    return ", ".join(f"{count} {status}" for status, count in counts.items())
