"""Text of an input (ids, file names) made safe for a line of a table, a terminal or a page."""


def printable(value: object, keep: str = " ") -> str:
    """`value` as text in which line ends, tabs, terminal escapes and marks that turn the direction of writing are shown
    as Python escapes; characters in `keep` stay."""
    raw = str(value)
    if raw.isprintable():
        return raw
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in raw)
