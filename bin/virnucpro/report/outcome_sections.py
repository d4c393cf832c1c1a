"""The report's parts on the outcome: at a glance, failures."""

import re

from multiqc import BaseMultiqcModule

from virnucpro.encoders.kinds import label
from virnucpro.names import SEQUENCE_STATES
from virnucpro.report.embedding_sections import devices
from virnucpro.report.embedding_tasks import EncoderWork, Use
from virnucpro.report.html import (
    COLOURS,
    LABELS,
    Raw,
    box,
    card,
    note,
    number,
    percent,
    table,
    text,
)
from virnucpro.report.html import cards as group
from virnucpro.report.inputs import Run
from virnucpro.report.outcome import Failure, Outcome, totals, viral_share
from virnucpro.report.style import STYLE
from virnucpro.words import duration

MOST_PROBLEMS = 30
MOST_FAILURES = 500
MOST_KINDS = 50
# Not digits within a name (esm2_001), and not an apostrophe within a word.
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
QUOTED = re.compile(r"""(?<!\w)(['"])\S{1,10}?\1(?!\w)""")


def glance_section(run: Run, outcome: Outcome, encoders: list[EncoderWork], use: Use | None) -> BaseMultiqcModule:
    """Is everything there, and the figures that matter most."""
    module = BaseMultiqcModule(name="At a glance", anchor="glance")
    counts = totals(run)
    seqs = counts["sequences"]
    state_cards = [
        card(number(len(run.summaries)), "sample" if len(run.summaries) == 1 else "samples"),
        card(number(seqs["total"]), "sequence" if seqs["total"] == 1 else "sequences"),
    ]
    for state in SEQUENCE_STATES:
        if seqs[state] or state in ("virus", "other", "no_open_frame"):
            share = seqs[state] / seqs["total"] if seqs["total"] else None
            state_cards.append(card(number(seqs[state]), f"{LABELS[state]} · {percent(share)}", COLOURS[state]))
    state_cards.append(card(percent(viral_share(seqs)), "viral among the scored"))
    work = []
    for e in encoders:
        work.append(card(f"{e.done:,} of {e.tasks:,}", f"{label(e.encoder)} tasks done"))
        work.append(
            card(
                f"{e.processed:,} + {e.failed:,}",
                f"{label(e.encoder)} frames processed + failed",
            )
        )
    if use:
        work.append(card(duration(use.running_seconds), f"embedding, on {devices(use)}"))
        work.append(card(percent(1 - use.idle_share), "of the devices' time in use"))
    module.add_section(
        anchor="glance-figures",
        content=STYLE
        + box(
            _banner(run, outcome), group(state_cards), _reading(run), _codes(run), group(work, wide=True), _model(run)
        ),
    )
    return module


def _banner(run: Run, outcome: Outcome) -> str:
    seqs = totals(run)["sequences"]
    if outcome.complete:
        words = "<strong>Complete.</strong> Every sample and every task has its results."
        if seqs["total"] and not seqs["virus"] + seqs["other"]:
            words += " <strong>No sequence could be scored:</strong> no chunk has a reading frame without a stop codon."
        elif seqs["total"] and not seqs["virus"]:
            words += " No sequence was called virus."
    else:
        words = "<strong>Not complete.</strong> What is here is right, but something is missing:"
    lines = "".join(f"<li>{text(p, 600)}</li>" for p in outcome.problems[:MOST_PROBLEMS])
    more = len(outcome.problems) - MOST_PROBLEMS
    lines += f"<li>and {more:,} more; pipeline_info/summary.json has them all</li>" if more > 0 else ""
    kind = "vnp-banner" if outcome.complete else "vnp-banner bad"
    return f'<div class="{kind}">{words}{f"<ul>{lines}</ul>" if lines else ""}</div>'


def _reading(run: Run) -> str:
    """How to read the scores, and how many of the calls are weak."""
    thresholds = sorted({s["min_score"] for s in run.summaries.values() if "min_score" in s})
    if not thresholds:
        return ""
    words = (
        "A sequence is called <em>virus</em> where its <code>virus_score</code> reaches "
        f"{' or '.join(f'{t:g}' for t in thresholds)} (<code>--min_score</code>). The score is not a calibrated "
        "probability: where viruses are rare, many of the calls just above the threshold are wrong."
    )
    if any(s.get("prevalence") is not None for s in run.summaries.values()):
        words += (
            " This classifier is calibrated: <code>virus_probability</code> and <code>q_value</code> in "
            "<code>sequences.tsv</code> hold for each sample, and <code>--max_fdr 0.05</code> calls by them."
        )
    viral = totals(run)["sequences"]["virus"]
    counted = [s["virus_calls"] for s in run.summaries.values() if "virus_calls" in s]
    if viral and counted:
        single, short = (sum(c[key] for c in counted) for key in ("one_scored_chunk", "shorter_than_a_chunk"))
        bases = run.models.get("classifier", {}).get("chunk_length")
        chunk = f"a chunk of {text(bases)} bases" if bases else "a chunk"
        words += (
            f" <strong>Weak calls</strong>: {single:,} of {viral:,} viral sequences rest on a single scored chunk, "
            f"{short:,} of {viral:,} are shorter than {chunk}."
        )
    return note(words)


def _codes(run: Run) -> str:
    """Genetic codes other than the standard one: those that were used, and those that would have been better."""
    counts = totals(run)
    words = []
    for code, n in counts["genetic_codes"].items():
        if code != "1":
            words.append(f"{n['sequences']:,} sequences ({n['bases']:,} bases) were read with genetic code {code}.")
    for code, n in counts["better_genetic_codes"].items():
        found = ((s.get("better_genetic_codes", {}).get(code), name) for name, s in run.summaries.items())
        longest, sample = next((counts["longest"], name) for counts, name in found if counts)
        words.append(
            f"<strong>{n['sequences']:,} long sequences</strong> ({n['bases']:,} bases; for example "
            f"{text(longest, 80)} of sample {text(sample, 80)}) would have far more open frames under genetic code "
            f"{text(code)}: use <code>--genetic_code auto</code>, or name the code in the samplesheet. The column "
            "<code>better_genetic_code</code> of <code>sequences.tsv</code> tells which they are."
        )
    return note(" ".join(words)) if words else ""


def _model(run: Run) -> str:
    """Which classifier it was, and what for: a reader must not miss that a model is for trying only."""
    classifier = run.models.get("classifier", {})
    if not classifier:
        return ""
    words = ". ".join(str(classifier[k]).strip().rstrip(".") for k in ("title", "purpose") if classifier.get(k))
    second = run.models.get("second") or {}
    if second:
        called = totals(run)["classifiers"].get(second["name"], 0)
        words += (
            f". A second one, {second['name']}, called the {called:,} sequences of which the first could read nothing"
        )
    if left_out := totals(run)["screened"]:
        words += (
            f". A small model looked first: {left_out:,} of the sequences called other were left out by it, unread "
            "(evidence: screened)"
        )
    return note(f'Classifier: {text(words, 900)}. <a href="#method-model">Its limits, training and evaluation</a>.')


def failure_section(outcome: Outcome) -> BaseMultiqcModule:
    """Everything without a result, with its reason."""
    module = BaseMultiqcModule(name="Failures", anchor="failures")
    if not outcome.failures:
        module.add_section(anchor="failures-table", content=box(note("Nothing failed.")))
        return module
    shown = outcome.failures[:MOST_FAILURES]
    rows = [(f.level, f.sample, Raw(f"<code>{text(f.id, 120)}</code>"), f.task, f.reason) for f in shown]
    words = (
        f"{len(shown):,} of the {len(outcome.failures):,} rows of <code>pipeline_info/failures.tsv</code> are shown."
    )
    if outcome.unlisted:
        words += (
            f" {outcome.unlisted:,} more failures are not in it: a sample lists its first 1,000. All failed sequences "
            "and chunks are in the samples' own <code>sequences.tsv</code> and <code>chunks.tsv</code>."
        )
    content = box(
        _by_reason(outcome),
        table(("level", "sample", "id", "task", "reason"), rows, "-ww-w"),
        note(words),
    )
    module.add_section(anchor="failures-table", content=content)
    return module


def _by_reason(outcome: Outcome) -> str:
    """Failures counted by kind, the most frequent first, each with an example."""
    kinds: dict[tuple[str, str], list[Failure]] = {}
    for failure in outcome.failures:
        kinds.setdefault((reason_kind(failure.reason), failure.level), []).append(failure)
    ordered = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = ((kind, level, len(each), _example(each[0], kind)) for (kind, level), each in ordered[:MOST_KINDS])
    more = note(f"{MOST_KINDS:,} of {len(ordered):,} kinds of reasons are shown.") if len(ordered) > MOST_KINDS else ""
    return table(("reason", "level", "how many", "example"), rows, "w-nw") + more


def _example(failure: Failure, kind: str) -> Raw:
    where = " · ".join(text(part, 120) for part in (failure.sample, failure.id) if part)
    return Raw(f"<code>{where}</code>" + ("" if failure.reason == kind else f": {text(failure.reason)}"))


def reason_kind(reason: str) -> str:
    """A reason without what differs from record to record, numbers and quoted letters, so that equal faults count as
    one: "'E' at position 12 is no nucleotide letter" -> "'…' at position N is no nucleotide letter"."""
    return NUMBER.sub("N", QUOTED.sub("'…'", reason))
