"""What a verification is asked for, and what it has found so far."""

from dataclasses import dataclass, field
from pathlib import Path

from virnucpro.verify import console
from virnucpro.verify.results import FAILED, NOT_CHECKED, OK, Result

VERDICTS = {True: "All that could be checked holds.", False: "Not everything holds:"}


@dataclass
class Wanted:
    """The command line."""

    models: Path | None
    random: str | None
    classifier: str
    golden: Path
    example: list[Path]
    tokenizer: Path  # for random weights
    input: list[Path]
    device: str
    precision: str
    minutes: float | None
    json: Path | None
    html: Path | None


@dataclass
class Verification:
    """What was found so far."""

    wanted: Wanted
    results: list[Result] = field(default_factory=list)
    facts: dict = field(default_factory=dict)

    def add(self, results: list[Result]) -> None:
        """Keep and show."""
        for result in results:
            self.results.append(result)
            print(console.line(result), flush=True)

    @property
    def passed(self) -> bool:
        """Whether all that could be checked holds."""
        return not any(r.status == FAILED for r in self.results)

    def content(self) -> dict:
        """The JSON."""
        failed = [f"{r.check}, {r.subject}: {r.text}" for r in self.results if r.status == FAILED]
        counts = {status: sum(r.status == status for r in self.results) for status in (OK, FAILED, NOT_CHECKED)}
        return (
            {
                "format": 1,
                "complete": self.passed,
                "problems": failed,
                "verdict": VERDICTS[self.passed],
                "counts": counts,
            }
            | self.facts
            | {"results": [r.content() for r in self.results]}
        )
