"""Figures that MultiQC has no plot for, as inline SVG: no script, prints, follows the page's light or dark theme."""

import math
from collections.abc import Sequence

from virnucpro.encoders.kinds import colour as encoder_colour
from virnucpro.report.embedding_tasks import EmbeddingTask, Use
from virnucpro.report.html import COLOURS, moment, short, text
from virnucpro.words import duration


def _svg(width: int, height: int, parts: Sequence[str], label: str) -> str:
    body = "".join(parts)
    return f'<svg class="vnp-figure" role="img" aria-label="{text(label)}" viewBox="0 0 {width} {height}">{body}</svg>'


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """At most about `wanted` round values from `low` to `high`."""
    if high <= low:
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / wanted))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= wanted)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def length_score(points: Sequence[tuple[float, float, str]], min_score: float, title: str) -> str:
    """Length (log scale) against virus score, one dot per sequence coloured by state, and a line at `min_score`."""
    width, height, left, top, right, bottom = 420, 260, 46, 26, 400, 222
    low = math.floor(math.log10(max(1, min(p[0] for p in points))))
    high = max(low + 1, math.ceil(math.log10(max(p[0] for p in points))))

    def x(length: float) -> float:
        return left + (right - left) * (math.log10(max(1, length)) - low) / (high - low)

    def y(score: float) -> float:
        return bottom - (bottom - top) * score

    parts = [f'<text x="{left}" y="15" class="title">{text(title, 50)}</text>']
    for power in range(low, high + 1):
        parts.append(f'<path class="grid" d="M{x(10**power):.1f} {top}V{bottom}"/>')
        parts.append(
            f'<text x="{x(10**power):.1f}" y="{bottom + 16}" text-anchor="middle">{axis_number(10**power)}</text>'
        )
    for score in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path class="grid" d="M{left} {y(score):.1f}H{right}"/>')
        parts.append(f'<text x="{left - 6}" y="{y(score) + 4:.1f}" text-anchor="end">{score:g}</text>')
    for state in ("other", "virus"):
        # One path per state: a dot is a line of no length with a round cap.
        dots = "".join(f"M{x(n):.1f} {y(s):.1f}h0" for n, s, st in points if st == state)
        look = f'stroke="{COLOURS[state]}" stroke-width="5" stroke-linecap="round" stroke-opacity=".75" fill="none"'
        parts += [f'<path d="{dots}" {look}/>'] if dots else []
    parts.append(f'<path class="axis" stroke-dasharray="5 4" d="M{left} {y(min_score):.1f}H{right}"/>')
    parts.append(f'<text x="{(left + right) / 2}" y="{height - 4}" text-anchor="middle">length (bases)</text>')
    return _svg(width, height, parts, f"Length against virus score, {title}")


def track(found: dict, title: str) -> str:
    """Mean scores along a sequence, its viral regions shaded: {"length", "regions": [[start, end], ...], "scores":
    [[base, score], ...]}, in bases."""
    width, height, left, top, right, bottom = 420, 180, 46, 26, 400, 142
    length = max(found["length"], 1)

    def x(base: float) -> float:
        return left + (right - left) * base / length

    def y(score: float) -> float:
        return bottom - (bottom - top) * score

    parts = [f'<text x="{left}" y="15" class="title">{text(title, 60)}</text>']
    for start, end in found["regions"]:
        words = f"{start:,} to {end:,}, {end - start + 1:,} bases"
        wide = max(x(end) - x(start), 1.5)
        parts.append(
            f'<rect x="{x(start):.1f}" y="{top}" width="{wide:.1f}" height="{bottom - top}" '
            f'fill="{COLOURS["virus"]}" fill-opacity=".25"><title>{words}</title></rect>'
        )
    for score in (0, 0.5, 1):
        parts.append(f'<path class="grid" d="M{left} {y(score):.1f}H{right}"/>')
        parts.append(f'<text x="{left - 6}" y="{y(score) + 4:.1f}" text-anchor="end">{score:g}</text>')
    for base in _ticks(0, length, 4):
        parts.append(f'<text x="{x(base):.1f}" y="{bottom + 16}" text-anchor="middle">{axis_number(base)}</text>')
    dots = "".join(f"M{x(base):.1f} {y(score):.1f}h0" for base, score in found["scores"])
    look = f'stroke="{COLOURS["virus"]}" stroke-width="3" stroke-linecap="round" stroke-opacity=".6" fill="none"'
    parts += [f'<path d="{dots}" {look}/>'] if dots else []
    parts.append(f'<text x="{(left + right) / 2}" y="{height - 4}" text-anchor="middle">base</text>')
    return _svg(width, height, parts, f"Scores along {title}")


def _time_ticks(seconds: float, wanted: int = 9) -> list[float]:
    """At most about `wanted` ticks from 0, in steps that clocks and calendars have."""
    steps = [1, 2, 5, 10, 15, 30] + [60 * n for n in (1, 2, 5, 10, 15, 30)] + [3600 * n for n in (1, 2, 3, 6, 12)]
    step = next((s for s in steps if seconds / s <= wanted), None) or 86400 * math.ceil(seconds / 86400 / wanted)
    return [i * step for i in range(int(seconds / step) + 1)] if seconds >= 1 else [0.0]


def _tick_label(seconds: float) -> str:
    """A round time: 5 s, 15 min, 2 h."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def axis_number(value: float) -> str:
    """10000 -> 10 k: the shortest form that loses nothing."""
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.6g} {letter}"
    return f"{value:.6g}"


def predicted_measured(tasks: Sequence[EmbeddingTask], encoder: str, title: str, unit: str) -> str:
    """A task's predicted load against its seconds of work, with the line that a perfect prediction would follow. The
    axes show the range of the data, not zero: tasks are meant to be alike."""
    points = [(b.predicted_load, b.seconds, b.task) for b in tasks if b.predicted_load and b.seconds is not None]
    width, height, left, top, right, bottom = 420, 260, 64, 26, 405, 222
    x_low, x_high = _range([p[0] for p in points])
    y_low, y_high = _range([p[1] for p in points])

    def x(load: float) -> float:
        return left + (right - left) * (load - x_low) / (x_high - x_low)

    def y(seconds: float) -> float:
        return bottom - (bottom - top) * (seconds - y_low) / (y_high - y_low)

    parts = [f'<text x="{left}" y="15" class="title">{text(title, 50)}</text>']
    parts.append(f'<clipPath id="plot-{text(encoder)}"><path d="M{left} {top}H{right}V{bottom}H{left}z"/></clipPath>')
    for tick in _ticks(x_low, x_high, 4):
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {top}V{bottom}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{axis_number(tick)}</text>')
    for tick in _ticks(y_low, y_high, 4):
        parts.append(f'<path class="grid" d="M{left} {y(tick):.1f}H{right}"/>')
        parts.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{axis_number(tick)} s</text>')
    slope = sum(p[1] for p in points) / sum(p[0] for p in points)
    ends = f"M{x(x_low):.1f} {y(x_low * slope):.1f}L{x(x_high):.1f} {y(x_high * slope):.1f}"
    parts.append(f'<path class="axis" stroke-dasharray="5 4" clip-path="url(#plot-{text(encoder)})" d="{ends}"/>')
    colour = encoder_colour(encoder)
    for load, seconds, name in points:
        parts.append(
            f'<circle cx="{x(load):.1f}" cy="{y(seconds):.1f}" r="4" fill="{colour}" fill-opacity=".75">'
            f"<title>{text(name)}: predicted {short(load)} {unit}, measured {duration(seconds)}</title></circle>"
        )
    parts.append(f'<text x="{(left + right) / 2}" y="{height - 4}" text-anchor="middle">predicted load ({unit})</text>')
    return _svg(width, height, parts, f"Predicted load against measured time, {title}")


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The values' range with a margin, at least a fifth of the largest value wide."""
    low, high = min(values), max(max(values), 1e-9)
    margin = max(0.08 * (high - low), 0.1 * high - (high - low) / 2)
    return max(0.0, low - margin), high + margin


def gantt(use: Use, most_lanes: int, most_tasks: int) -> str:
    """Tasks over time, one row per device; pauses are cut out of the axis and marked. At most `most_lanes` rows, and
    names only where they fit."""
    lanes = use.lanes[:most_lanes]
    left, right, row, top = 250, 1090, 22, 30
    height = top + row * len(lanes) + 30
    running = max(use.running_seconds, 1e-9)

    def x(moment_: float) -> float:
        cut = sum(min(moment_, b) - a for a, b in use.pauses if moment_ > a)
        return left + (right - left) * (moment_ - use.started - cut) / running

    bottom = top + row * len(lanes)
    parts = [f'<text x="{left - 20}" y="{bottom + 16}" text-anchor="end">from {text(moment(use.started))}</text>']
    for tick in _time_ticks(running):
        at = left + (right - left) * tick / running
        parts.append(f'<path class="grid" d="M{at:.1f} {top - 6}V{bottom}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{_tick_label(tick)}</text>')
    drawn = 0
    for i, lane in enumerate(lanes):
        y = top + row * i
        name = f"<title>{text(lane.name)}</title>{text(lane.short_name, 40)}"
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{name}</text>')
        for task in lane.tasks:
            drawn += 1
            if drawn > most_tasks:
                break
            a, b = x(task.started), x(task.finished)
            colour = encoder_colour(task.encoder)
            words = f"{task.task}: {duration(task.finished - task.started)}, {short(task.tokens)} tokens"
            words += f", attempt {task.attempts}" if (task.attempts or 1) > 1 else ""
            words += f", {task.failed:,} failed" if task.failed else ""
            edge = ' stroke="#d55e00" stroke-width="2"' if task.failed or (task.attempts or 1) > 1 else ""
            place = f'x="{a:.1f}" y="{y + 2}" width="{max(1.5, b - a):.1f}" height="{row - 5}" rx="2"'
            parts.append(f'<rect {place} fill="{colour}"{edge}><title>{text(words)}</title></rect>')
            if b - a > 7.2 * len(task.task) + 8:
                parts.append(f'<text x="{a + 5:.1f}" y="{y + 15}" style="fill:#111">{text(task.task)}</text>')
    for begin, end in use.pauses:
        at = x(begin)
        parts.append(f'<path class="axis" stroke-dasharray="2 3" d="M{at:.1f} {top - 8}V{bottom}"/>')
        anchor = "middle" if left + 100 < at < right - 100 else "start" if at < right - 100 else "end"
        words = f"nothing ran for {duration(end - begin)}"
        parts.append(f'<text x="{at:.1f}" y="{top - 10}" text-anchor="{anchor}">{words}</text>')
    return _svg(1100, height, parts, "Tasks by device over time")
