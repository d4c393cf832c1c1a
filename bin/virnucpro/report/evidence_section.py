"""The report's part on what the calls rest on: evidence, and how many chunks could be scored."""

from typing import Any

from multiqc import BaseMultiqcModule

from virnucpro.report.html import box, note, percent, table

EVIDENCE = {
    "open_frames": "open frames",
    "both": "open frames and stretches",
    "stretches": "stretches alone",
    "screened": "screening alone, not embedded",
}


def evidence_section(module: BaseMultiqcModule, samples: dict[str, dict[str, Any]]) -> None:
    """Adds the section: of all samples the calls by evidence and scored chunks."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in (row for s in samples.values() for row in s.get("calls_by_evidence", [])):
        total = counts.setdefault((row["evidence"], row["scored_chunks"]), {"virus": 0, "other": 0})
        for state in total:
            total[state] += row[state]
    # As they stand in a summary: chunks in their order within each evidence.
    rows = [
        (label, chunks, n["virus"], n["other"], percent(n["virus"] / max(1, n["virus"] + n["other"])))
        for evidence, label in EVIDENCE.items()
        for (found, chunks), n in sorted(counts.items(), key=lambda item: int(item[0][1].split("-")[0].rstrip("+")))
        if found == evidence
    ]
    words = (
        "How much was read of the sequences that were called. A score is the mean over the chunks that could be "
        "scored: one chunk says little, eight say much. Stretches are parts of frames that have a stop. "
        "<code>chunks_scored</code>, <code>bases_scored</code> and <code>evidence</code> in <code>sequences.tsv</code> "
        "tell it of each sequence."
    )
    columns = ("read", "scored chunks", "virus", "other", "viral share")
    content = table(columns, rows, "wwnnn") if rows else note("No sequence was called.")
    module.add_section(
        name="What the calls rest on", anchor="samples-evidence", description=words, content=box(content)
    )
