"""Words for people: text of an input (ids, file names) made safe to be shown, and times."""


def printable(value: object, keep: str = " ") -> str:
    """`value` as text in which line ends, tabs, terminal escapes and marks that turn the direction of writing are shown
    as Python escapes; characters in `keep` stay."""
    raw = str(value)
    if raw.isprintable():
        return raw
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in raw)


def duration(seconds: float | None, unknown: str = "–") -> str:
    """75 -> 1 min 15 s, 3725 -> 1 h 2 min; `unknown` for None."""
    if seconds is None:
        return unknown
    if 0 < seconds < 1:
        return f"{seconds:.1f} s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = round(whole / 3600)
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 1440 else f"{hours // 24} d {hours % 24} h"
