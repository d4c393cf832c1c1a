"""Small pieces of HTML. Every text that comes from an input (ids, file names, reasons) goes through `text`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

# Okabe and Ito's colours, told apart by colour-blind readers and on a dark page (https://jfly.uni-koeln.de/color/).
COLOURS = {
    "virus": "#d55e00",
    "other": "#0072b2",
    "no_open_frame": "#9a9a9a",
    "too_short": "#c9a800",
    "failed": "#cc79a7",
}
LABELS = {
    "virus": "virus",
    "other": "other",
    "no_open_frame": "no open frame",
    "too_short": "too short",
    "failed": "failed",
}
ENCODER_COLOURS = {"dnabert_s": "#009e73", "esm2": "#56b4e9"}
ENCODER_LABELS = {"dnabert_s": "DNABERT-S", "esm2": "ESM-2"}

STYLE = """<style>
.vnp { --vnp-line: rgba(128,128,128,.35); --vnp-soft: rgba(128,128,128,.09); }
.vnp-cards { display: flex; flex-wrap: wrap; gap: .6rem; margin: .8rem 0; }
.vnp-card { border: 1px solid var(--vnp-line); border-radius: .4rem; padding: .5rem .9rem; min-width: 8.5rem; flex: 1 1 8.5rem; }
.vnp-card b { display: block; font-size: 1.45rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.vnp-card span { font-size: .85rem; opacity: .8; }
.vnp-card i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .35rem; }
.vnp-banner { border-left: .35rem solid #009e73; background: var(--vnp-soft); padding: .6rem .9rem; margin: .8rem 0; border-radius: .2rem; }
.vnp-banner.bad { border-color: #d55e00; }
.vnp-banner ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.vnp-scroll { overflow: auto; max-height: 32rem; margin: .5rem 0 1rem; border: 1px solid var(--vnp-line); border-radius: .3rem; }
.vnp-table { border-collapse: collapse; width: 100%; font-size: .875rem; }
.vnp-table th { position: sticky; top: 0; background: var(--bs-body-bg, #fff); text-align: left; white-space: nowrap; z-index: 1;
  box-shadow: inset 0 -1px var(--vnp-line); }
.vnp-table th, .vnp-table td { padding: .25rem .6rem; border-bottom: 1px solid var(--vnp-line); vertical-align: top; }
.vnp-table td.num, .vnp-table th.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.vnp-table td { overflow-wrap: anywhere; }
.vnp-table tr:last-child td { border-bottom: 0; }
.vnp-figure { width: 100%; height: auto; max-width: 1100px; display: block; }
.vnp-figure text { fill: currentColor; font: 12px system-ui, sans-serif; }
.vnp-figure .axis { stroke: currentColor; stroke-opacity: .5; fill: none; }
.vnp-figure .grid { stroke: currentColor; stroke-opacity: .13; fill: none; }
.vnp-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: .5rem 1.2rem; }
.vnp-legend { font-size: .85rem; margin: .3rem 0; }
.vnp-legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin: 0 .3rem 0 .9rem; }
.vnp details { margin: .3rem 0; }
.vnp details > summary { cursor: pointer; padding: .15rem 0; }
.vnp dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; max-width: 62rem; }
.vnp dt { font-weight: 600; } .vnp dd { margin: 0; overflow-wrap: anywhere; }
.vnp-note { font-size: .875rem; opacity: .85; max-width: 62rem; }
</style>"""


def text(value: object, most: int = 300) -> str:
    """Any value as text that is safe inside an element or a quoted attribute, cut at `most` characters; control
    characters, and those that turn the direction of writing, are shown as escapes."""
    raw = str(value)
    raw = raw if len(raw) <= most else raw[: most - 1] + "…"
    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in raw), quote=True)


def box(*parts: str) -> str:
    """One block of this report's own HTML."""
    return f'<div class="vnp">{"".join(parts)}</div>'


def note(words: str) -> str:
    """A line of small print; `words` is HTML."""
    return f'<p class="vnp-note">{words}</p>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], numeric: str = "") -> str:
    """A table with a sticky head; `numeric` has one letter per column, n for a number (right-aligned). Cells are
    escaped, save those of class `Raw`."""
    css = [' class="num"' if i < len(numeric) and numeric[i] == "n" else "" for i in range(len(columns))]
    head = "".join(f"<th{c}>{text(name)}</th>" for name, c in zip(columns, css, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{_cell(v)}</td>" for v, c in zip(row, css, strict=True)) + "</tr>" for row in rows
    )
    return f'<div class="vnp-scroll"><table class="vnp-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


class Raw(str):
    """HTML that was made here and is not to be escaped."""


def _cell(value: object) -> str:
    if isinstance(value, Raw):
        return value
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else text(value)


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """A list of names and values; pairs without a value are left out."""
    items = "".join(f"<dt>{text(k)}</dt><dd>{_long(v)}</dd>" for k, v in pairs if v not in (None, "", [], {}))
    return f"<dl>{items}</dl>"


def _long(value: object) -> str:
    """A value that may be a list or a mapping from a YAML file, in words."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "<br>".join(f"{text(str(k).replace('_', ' '))}: {_long(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_long(v) for v in value)
    return text(value, most=4000)


def legend(pairs: Iterable[tuple[str, str]]) -> str:
    """Coloured squares with names."""
    return (
        '<div class="vnp-legend">'
        + "".join(f'<i style="background:{colour}"></i>{text(name)}' for name, colour in pairs)
        + "</div>"
    )


def percent(share: float | None, digits: int = 1) -> str:
    """0.123 -> 12.3 %; – for None."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def number(value: float | None, digits: int = 0) -> str:
    """12345.6 -> 12,346; – for None."""
    return "–" if value is None else f"{value:,.{digits}f}"


def short(value: float | None) -> str:
    """A count with a letter for thousands, millions, ...: 12345 -> 12.3 k."""
    if value is None:
        return "–"
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.1f} {letter}"
    return f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """3725 -> 1 h 2 min; – for None."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, hours = round(seconds / 60), int(seconds / 3600 + 1 / 120)
    return f"{minutes} min" if hours < 1 else f"{hours} h {minutes - 60 * hours} min"


def moment(epoch: float) -> str:
    """Seconds since the epoch as date and time, UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
