"""Small pieces of HTML. Every text that comes from an input (ids, file names, reasons) goes through `text`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from virnucpro.names import SEQUENCE_STATES
from virnucpro.words import printable

# Okabe and Ito's colours, told apart by colour-blind readers and on a dark page (https://jfly.uni-koeln.de/color/).
COLOURS = {
    "virus": "#d55e00",
    "other": "#0072b2",
    "no_open_frame": "#9a9a9a",
    "too_short": "#c9a800",
    "failed": "#cc79a7",
}
LABELS = {state: state.replace("_", " ") for state in SEQUENCE_STATES}
NBSP = "\u00a0"  # between a number and its unit
# For one line per sample: the same, without black and pale yellow.
LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#9a9a9a")


def text(value: object, most: int = 300) -> str:
    """Any value as text that is safe inside an element or a quoted attribute, cut at `most` characters; control
    characters, and those that turn the direction of writing, are shown as escapes."""
    raw = str(value)
    raw = raw if len(raw) <= most else raw[: most - 1] + "…"
    return escape(printable(raw, keep=NBSP), quote=True)


def box(*parts: str) -> str:
    """One block of this report's own HTML."""
    return f'<div class="vnp">{"".join(parts)}</div>'


def note(words: str) -> str:
    """A line of small print; `words` is HTML."""
    return f'<p class="vnp-note">{words}</p>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], kinds: str) -> str:
    """A table with a sticky head. `kinds` has one letter per column: n for a number (to the right), w for text that may
    wrap, - for a name that may not. Cells are escaped, save those of class `Raw`."""
    css = [{"n": ' class="num"', "w": ' class="wrap"', "-": ""}[kind] for kind in kinds]
    head = "".join(f"<th{c}>{text(name)}</th>" for name, c in zip(columns, css, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{_cell(v)}</td>" for v, c in zip(row, css, strict=True)) + "</tr>" for row in rows
    )
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="vnp-scroll"><table class="vnp-table">{inner}</table></div>'


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
    """A value that may be a list or a mapping from a YAML file, in words. Of a mapping, what is short shares a line;
    longer texts and mappings inside have one each."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, list):
        return ", ".join(_long(v) for v in value)
    if not isinstance(value, dict):
        return "<br>".join(text(line, most=4000) for line in str(value).strip().splitlines())
    lines, few = [], []
    for key, inner in value.items():
        name = text(str(key).replace("_", " "))
        if isinstance(inner, dict):
            lines.append(f"{name}: {' · '.join(_pair(k, v) for k, v in inner.items())}")
        elif len(str(inner)) > 40:
            lines.append(f"{name}: {_long(inner)}")
        else:
            few.append(_pair(key, inner))
    return "<br>".join([*lines, " · ".join(few)] if few else lines)


def _pair(key: object, value: object) -> str:
    return f"{text(str(key).replace('_', ' '))} {_long(value)}"


def legend(pairs: Iterable[tuple[str, str]], line: str = "") -> str:
    """Coloured squares with names, and what the figure's dashed line is."""
    items = "".join(f'<i style="background:{colour}"></i>{text(name)}' for name, colour in pairs)
    items += f'<i class="line"></i>{text(line)}' if line else ""
    return f'<div class="vnp-legend">{items}</div>'


def percent(share: float | None, digits: int = 1) -> str:
    """0.123 -> 12.3 %; – for None."""
    return "–" if share is None else f"{100 * share:.{digits}f}{NBSP}%"


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


def moment(epoch: float) -> str:
    """Seconds since the epoch as date and time, UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def card(figure: str, label: str, colour: str = "") -> str:
    """A figure in large type over its name, with a square of the figures' colour."""
    mark = f'<i style="background:{colour}"></i>' if colour else ""
    return f'<div class="vnp-card"><b>{figure}</b><span>{mark}{text(label)}</span></div>'


def cards(each: Iterable[str], wide: bool = False) -> str:
    """Cards side by side."""
    return f'<div class="vnp-cards{" wide" if wide else ""}">{"".join(each)}</div>'
