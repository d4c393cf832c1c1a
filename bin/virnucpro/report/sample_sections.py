"""The report's part on the samples: what was found in each."""

from typing import Any

from multiqc import BaseMultiqcModule, config
from multiqc.plots import bargraph, linegraph, table

from virnucpro.names import SEQUENCE_STATES
from virnucpro.report import figures
from virnucpro.report.evidence_section import evidence_section
from virnucpro.report.html import COLOURS, LABELS, LINE_COLOURS, Raw, box, legend, note, number, percent, text
from virnucpro.report.html import table as html_table
from virnucpro.report.inputs import Run
from virnucpro.report.outcome import viral_share
from virnucpro.report.region_section import region_section
from virnucpro.report.threshold_section import threshold_section

MOST_HISTOGRAMS = 50  # lines in one figure
MOST_NAMED = 12  # lines beyond which a legend is longer than the figure
MOST_PANELS = 12  # samples with a length-score panel of their own
MOST_POINTS = 6000  # dots over all panels
MOST_TOP = 500  # rows of top viral sequences over all samples
MOST_TOP_TABLES = 25  # samples with a table of their own; with more, all share one


def sample_sections(run: Run) -> BaseMultiqcModule:
    """Sections: table, states, evidence, scores, thresholds, length against score, top viral sequences, regions."""
    module = BaseMultiqcModule(name="Samples", anchor="samples", info="What was found in each sample.")
    samples = run.summaries
    words = (
        "<em>Viral share</em> is viral among the sequences that were scored. A sequence without an open reading frame "
        "cannot be scored: neither virus nor other."
    )
    if len(samples) > config.max_table_rows:
        words += (
            " There are too many samples for a table: each line shows how they are spread; "
            "<code>pipeline_info/summary.json</code> has the numbers."
        )
    module.add_section(
        name="Overview by sample",
        anchor="samples-table",
        description=words,
        plot=_table(samples),
    )
    module.add_section(
        name="What became of every sequence",
        anchor="samples-states",
        description="Every input sequence, and every chunk, is in exactly one state, so a bar adds up to the input.",
        plot=_states(samples),
        content="" if any(s["sequences"]["total"] for s in samples.values()) else box(note("There are no sequences.")),
    )
    evidence_section(module, samples)
    _scores(module, samples)
    threshold_section(module, run)
    _length_score(module, samples)
    _top(module, samples)
    region_section(module, samples)
    return module


def _table(samples: dict[str, dict[str, Any]]) -> Any:
    data = {}
    for name, s in samples.items():
        counts, share = s["sequences"], viral_share(s["sequences"])
        data[text(name)] = {
            "state": s["state"],
            "bases": s.get("bases", 0),
            **{key: counts.get(key, 0) for key in ("total", *SEQUENCE_STATES)},
            "chunks": s.get("chunks", {}).get("total", 0),
            **({} if share is None else {"viral_share": 100 * share}),
        }
    whole = {"format": "{:,.0f}", "min": 0}
    headers = {
        "state": {"title": "Results", "description": "complete, partial or failed", "scale": False},
        "bases": {**whole, "title": "Bases", "description": "Bases in the sample's files", "scale": "Greys"},
        "total": {**whole, "title": "Sequences", "description": "Input sequences", "scale": "Greys"},
        "virus": {**whole, "title": "Virus", "description": "Sequences called virus", "scale": "Oranges"},
        "viral_share": {
            "title": "Viral share",
            "description": "Virus / (virus + other)",
            "suffix": "%",
            "min": 0,
            "max": 100,
            "format": "{:,.1f}",
            "scale": "Oranges",
        },
        "other": {**whole, "title": "Other", "description": "Sequences scored and not called virus", "scale": "Blues"},
        "no_open_frame": {
            **whole,
            "title": "No open frame",
            "description": "Sequences with a stop codon in all six frames of every chunk: not scored",
            "scale": "Greys",
        },
        "too_short": {**whole, "title": "Too short", "description": "Shorter than --min_length", "scale": "Greys"},
        "failed": {**whole, "title": "Failed", "description": "No result; see Failures", "scale": "RdPu"},
        "chunks": {
            **whole,
            "title": "Chunks",
            "description": "Chunks of all sequences",
            "scale": "Greys",
            "hidden": True,
        },
    }
    settings = {"id": "samples_overview", "title": "Samples", "col1_header": "Sample", "sort_rows": False}
    return table.plot(data, headers, settings)


def _states(samples: dict[str, dict[str, Any]]) -> Any:
    cats = {state: {"name": LABELS[state], "color": COLOURS[state]} for state in SEQUENCE_STATES}
    data = [
        {text(name): {state: s.get(part, {}).get(state, 0) for state in SEQUENCE_STATES} for name, s in samples.items()}
        for part in ("sequences", "chunks")
    ]
    settings = {
        "id": "samples_states_plot",
        "title": "Sequences by state",
        "ylab": "sequences",
        "sort_samples": False,
        "use_legend": True,
        "tt_decimals": 0,
        "data_labels": [{"name": "Sequences", "ylab": "sequences"}, {"name": "Chunks", "ylab": "chunks"}],
    }
    return bargraph.plot(data, [cats, cats], settings)


def _scores(module: BaseMultiqcModule, samples: dict[str, dict[str, Any]]) -> None:
    histograms = {n: s["score_histogram"] for n, s in samples.items() if sum(s.get("score_histogram") or [])}
    words = (
        "How the sequences' virus scores are spread. Two clear peaks, near 0 and near 1, mean that the classifier was "
        "sure; the middle means that it was not, or that frames or chunks of a sequence disagree."
    )
    if not histograms:
        module.add_section(
            name="Scores", anchor="samples-scores", description=words, content=box(note("No sequence was scored."))
        )
        return
    biggest = sorted(histograms, key=lambda n: (-sum(histograms[n]), n))[:MOST_HISTOGRAMS]
    shown = {text(n): histograms[n] for n in histograms if n in set(biggest)}
    if len(histograms) > len(shown):
        shown = {"all samples": [sum(column) for column in zip(*histograms.values(), strict=True)], **shown}
        words += f" Drawn are all samples together and the {len(biggest)} samples with the most scored sequences."
    counts, shares = {}, {}
    for name, histogram in shown.items():
        middles = [(i + 0.5) / len(histogram) for i in range(len(histogram))]
        counts[name] = dict(zip(middles, histogram, strict=True))
        shares[name] = {x: 100 * n / sum(histogram) for x, n in counts[name].items()}
    threshold = {s.get("min_score", 0.5) for s in samples.values()}
    settings = {
        "id": "samples_scores_plot",
        "title": "Virus scores",
        "xlab": "virus score",
        "xmin": 0,
        "xmax": 1,
        "ymin": 0,
        "data_labels": [
            {"name": "Share", "ylab": "scored sequences (%)"},
            {"name": "Count", "ylab": "scored sequences"},
        ],
        "x_lines": [
            {"value": t, "dash": "dash", "color": "#888888", "label": "called virus from here"} for t in threshold
        ],
        "style": "lines+markers",
        "colors": {name: LINE_COLOURS[i % len(LINE_COLOURS)] for i, name in enumerate(shown)},
        "tt_decimals": 1,
        "showlegend": 1 < len(shown) <= MOST_NAMED,  # else the pointer tells which line is whose
    }
    module.add_section(
        name="Scores", anchor="samples-scores", description=words, plot=linegraph.plot([shares, counts], settings)
    )


def _length_score(module: BaseMultiqcModule, samples: dict[str, dict[str, Any]]) -> None:
    points = {
        n: [(p[0], p[1], p[2]) for p in s.get("length_score", []) if p[1] is not None] for n, s in samples.items()
    }
    points = {n: p for n, p in points.items() if p}
    words = "Short sequences have few chunks, so their scores are less certain than those of long ones."
    if not points:
        content = box(note("No sequence was scored."))
    else:
        if len(points) > MOST_PANELS:
            points = {f"all {len(points):,} samples": [p for each in points.values() for p in each]}
        share = max(1, MOST_POINTS // len(points))
        # Evenly taken, so that the same input draws the same figure.
        drawn = {n: p[:: max(1, -(-len(p) // share))] for n, p in points.items()}
        low = min(s.get("min_score", 0.5) for s in samples.values())
        panels = "".join(figures.length_score(p, low, n) for n, p in drawn.items())
        scored = sum(s["sequences"].get("virus", 0) + s["sequences"].get("other", 0) for s in samples.values())
        total = sum(len(p) for p in drawn.values())
        sampled = note(f"{total:,} of {scored:,} scored sequences are drawn.") if total < scored else ""
        content = box(
            legend(((s, COLOURS[s]) for s in ("virus", "other")), line="called virus from here (--min_score)"),
            f'<div class="vnp-grid">{panels}</div>',
            sampled,
        )
    module.add_section(name="Length and score", anchor="samples-length-score", description=words, content=content)


def _top(module: BaseMultiqcModule, samples: dict[str, dict[str, Any]]) -> None:
    found = {n: s["top_viruses"] for n, s in samples.items() if s.get("top_viruses")}
    words = (
        "The viral sequences with the most evidence: by the number of viral chunks, then by virus score. <em>Virus "
        "score</em> is the mean over the sequence's scored chunks, <em>best chunk</em> the highest probability of "
        "virus in any of them. <em>Viral chunks</em> are counted among the scored ones, since a chunk without an open "
        "frame has no say. A score that rests on one scored chunk is weak. All viral sequences are in the sample's "
        "<code>sequences.tsv</code> and <code>viruses.fasta.gz</code>."
    )
    if not found:
        content = box(note("No sequence was called virus."))
    elif len(found) > MOST_TOP_TABLES:
        rows = [(name, row) for name, each in found.items() for row in each]
        rows.sort(key=lambda r: (_evidence(r[1]), r[0]))
        total = sum(s["sequences"].get("virus", 0) for s in samples.values())
        shown = rows[:MOST_TOP]
        content = box(_top_table(shown, with_sample=True), note(f"{len(shown):,} of {total:,} viral sequences."))
    else:
        per_sample = min(50, MOST_TOP // len(found))
        blocks = []
        for name, rows in found.items():
            total = samples[name]["sequences"].get("virus", 0)
            head = f"{text(name)}: {min(per_sample, len(rows)):,} of {total:,} viral sequences"
            is_open = " open" if len(found) <= 3 else ""
            top = _top_table([(name, row) for row in sorted(rows, key=_evidence)[:per_sample]])
            blocks.append(f"<details{is_open}><summary>{head}</summary>{top}</details>")
        content = box(*blocks)
    name = "Top viral sequences, most viral chunks first"
    module.add_section(name=name, anchor="samples-top", description=words, content=content)


def _evidence(row: dict[str, Any]) -> tuple[float, ...]:
    """Sorts viral sequences by what speaks for them, the most first."""
    return -row.get("chunks_virus", 0), -row["virus_score"], -row["length"]


def _top_table(rows: list[tuple[str, dict[str, Any]]], with_sample: bool = False) -> str:
    """Rows of (sample, viral sequence)."""
    cells = [
        (
            *((sample,) if with_sample else ()),
            Raw(f"<code>{text(r['id'], 120)}</code>"),
            r.get("description", ""),
            r["length"],
            number(r["virus_score"], 4),
            number(r.get("max_p_virus"), 4),
            r.get("chunks"),
            r.get("chunks_scored"),
            f"{r.get('chunks_virus', 0):,} ({percent(_part(r), 0)})",
        )
        for sample, r in rows
    ]
    columns = (
        "sequence",
        "description",
        "length",
        "virus score",
        "best chunk",
        "chunks",
        "chunks scored",
        "viral chunks (of the scored)",
    )
    return html_table((*(("sample",) if with_sample else ()), *columns), cells, "w" * with_sample + "wwnnnnnn")


def _part(row: dict[str, Any]) -> float | None:
    """Viral among the sequence's scored chunks."""
    return row.get("chunks_virus", 0) / row["chunks_scored"] if row.get("chunks_scored") else None
