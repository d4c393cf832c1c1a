"""The report's part on thresholds: which share of the calls is right where viruses are rare, by the card's figures."""

from typing import Any

from multiqc import BaseMultiqcModule

from virnucpro.bundle.thresholds import Curve, read_curves
from virnucpro.report.html import Raw, box, note, percent, table, text
from virnucpro.report.inputs import Run

SHOWN = (0.5, 0.6, 0.7)  # and what the run used
SHARES = (0.01, 0.05, 0.2, 0.5)  # of viruses among the sequences


def threshold_section(module: BaseMultiqcModule, run: Run) -> None:
    """Adds the section: a table for each classifier of the run whose card has what was measured."""
    used = {s["min_score"] for s in run.summaries.values() if "min_score" in s}
    cards = [card for card in (run.models.get("classifier"), run.models.get("second")) if card]
    if not cards or not used:
        return
    words = (
        "What a call is worth depends on how rare viruses are. The classifier's card tells which share of the viruses "
        "it finds, and which share of the others it calls virus, on genomes that it has not seen. From these follows "
        "how many of the calls are right where 1, 5, 20 or 50 % of all sequences are viral. "
        "<strong>Bold</strong> is the <code>--min_score</code> of this run."
    )
    module.add_section(
        name="Thresholds and their price",
        anchor="samples-thresholds",
        description=words,
        content=box(*(_of_classifier(card, used) for card in cards), _how_called(run)),
    )


def _of_classifier(card: dict[str, Any], used: set[float]) -> str:
    name = text(card.get("name", "the classifier"))
    curves = read_curves(card.get("thresholds"))
    if not curves:
        return note(f"The card of {name} has no sensitivity and specificity by score, so that no price can be told.")
    rows = [_row(curve, score, score in used) for curve in curves for score in sorted({*SHOWN, *used})]
    columns = ("bases", "min_score", "viruses found", "others called virus")
    right = (f"right where {percent(share, 0)} are viral" for share in SHARES)
    measured = ", ".join(f"{c.virus:,} and {c.others:,} of {c.length:,} bases" for c in curves)
    return (
        f"<h4>{name}</h4>"
        + table((*columns, *right), rows, "nn" + "n" * (2 + len(SHARES)))
        + note(
            f"Measured on viruses and others: {measured}. Where no other was called virus, one more than were measured "
            "is taken for it."
        )
    )


def _row(curve: Curve, score: float, is_used: bool) -> tuple[object, ...]:
    sensitivity, specificity = curve.at(score)
    right = (percent(curve.share_right(score, share), 0) if sensitivity else None for share in SHARES)
    shown = Raw(f"<strong>{score:g}</strong>") if is_used else f"{score:g}"
    return curve.length, shown, percent(sensitivity), percent(1 - specificity), *right


def _how_called(run: Run) -> str:
    """Of runs in which more than a score decides: by which rate viruses were called, and how many are estimated."""
    rates = sorted({s["max_fdr"] for s in run.summaries.values() if s.get("max_fdr")})
    shares = sorted(s["prevalence"] for s in run.summaries.values() if s.get("prevalence"))
    words = []
    if rates:
        words.append(f"This run called viruses by <code>q_value</code> ({rates[0]:g}, --max_fdr), not by score.")
    if shares and not any(s.get("prevalence_given") for s in run.summaries.values()):
        low, high = percent(shares[0]), percent(shares[-1])
        between = low if low == high else f"{low} to {high}"
        words.append(f"The samples' own scores let expect that {between} of their sequences are viral.")
    return note(" ".join(words)) if words else ""
