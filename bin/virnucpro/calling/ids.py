"""Ids by which other programs find a sequence: each its own in the sample, and none that a format reserves."""

import polars as pl

LONGEST = 1_000  # characters of an id
LONGEST_TEXT = 10_000  # of a description: a file that has lost its line ends is all header
# bedtools takes a line that begins so for a comment or a browser's setting, and GFF3 lets no id begin with '>'.
_RESERVED = r"^([#>]|track|browser)|^$"
# Line ends within a line, escapes, NUL: programs end a line, a word or a text at one or the other.
_CONTROL = r"[\p{C}\u2028\u2029]"


def own_ids(ids: pl.Series) -> pl.Series:
    """An id for each sequence that no other one of the sample has, from the ids of its FASTA records, in input order.

    It is the record's own where that is unique and plain. Else it becomes `s<number>_<id>` with the sequence's number,
    from 1: where several records have it, where it is empty or begins as a format reserves it, and where it is longer
    than 1,000 characters (it is cut then). Control characters become `_`.
    """
    table = pl.select(ids.alias("id").str.replace_all(_CONTROL, "_"))
    changed = table.select(
        pl.col("id").is_duplicated() | pl.col("id").str.contains(_RESERVED) | (pl.col("id").str.len_chars() > LONGEST)
    ).to_series()
    number = pl.int_range(1, pl.len() + 1).cast(pl.String)
    behind = pl.when(pl.col("id") == "").then(pl.lit("")).otherwise("_" + pl.col("id").str.head(LONGEST))
    again = changed
    while again.any():
        table = table.with_columns(own=pl.when(changed).then("s" + number + behind).otherwise("id"))
        # A made id may be the one that another record has by itself: then that one is changed, too.
        again = table["own"].is_duplicated() & ~changed
        changed |= again
    return table.to_series(-1).alias("sequence_id")


def one_line(text: str) -> str:
    """A description for a FASTA header, as `shown` has it in tables."""
    return pl.select(_plain(pl.lit(text))).item()


def shown(column: str) -> pl.Expr:
    """A text of the input for a table: control characters as `_`, so that every reader finds the same fields; of one
    that is very long, its beginning."""
    return _plain(pl.col(column))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(_CONTROL, "_").str.head(LONGEST_TEXT)
