"""The report's part on viral regions: scores along the long sequences that have one, regions shaded."""

from typing import Any

from multiqc import BaseMultiqcModule

from virnucpro.report import figures
from virnucpro.report.html import box, note

MOST = 12  # sequences drawn


def region_section(module: BaseMultiqcModule, samples: dict[str, dict[str, Any]]) -> None:
    """Adds the section: of all samples the sequences of 10 kb and more with the longest regions, one figure each."""
    drawn = [(name, track) for name, s in samples.items() for track in s.get("tracks", [])]
    drawn.sort(key=lambda item: (-_longest(item[1]), item[0], item[1]["id"]))
    regions = sum(s.get("regions", 0) for s in samples.values())
    parts = sum(s.get("provirus_regions", 0) for s in samples.values())
    words = (
        f"{regions:,} viral regions were found; {parts:,} of them are part of a longer sequence, as proviruses are. "
        "Dots are mean scores along the sequence, shades the regions that a hidden Markov model finds in them. Shown "
        "are sequences of 10 kb and more. All regions are in <code>regions.tsv</code>, <code>.gff3</code>, "
        "<code>.bed</code> and <code>.fasta.gz</code> of each sample."
    )
    panels = "".join(figures.track(track, f"{name}: {track['id']}") for name, track in drawn[:MOST])
    more = note(f"{MOST} of {len(drawn):,} sequences are drawn.") if len(drawn) > MOST else ""
    content = f'<div class="vnp-grid">{panels}</div>{more}' if drawn else note("No sequence of 10 kb has a region.")
    module.add_section(name="Viral regions", anchor="samples-regions", description=words, content=box(content))


def _longest(track: dict[str, Any]) -> int:
    return max(end - start for start, end in track["regions"])
