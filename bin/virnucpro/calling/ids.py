"""Ids by which other programs find a sequence: each its own in the sample, and none that a format reserves."""

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

LONGEST = 1_000  # characters of an id
LONGEST_TEXT = 10_000  # of a description: a file that has lost its line ends is all header
# bedtools takes a line that begins so for a comment or a browser's setting, and GFF3 lets no id begin with '>'.
_RESERVED = r"^([#>]|track|browser)|^$"
# Line ends within a line, escapes, NUL: programs end a line, a word or a text at one or the other.
_CONTROL = r"[\p{C}\u2028\u2029]"


class OwnIds:
    """An id for each sequence that no other one of the sample has, from the ids of its FASTA records, in input order.

    It is the record's own where that is unique and plain. Else it becomes `s<number>_<id>` with the sequence's number,
    from 1: where several records have it, where it is empty or begins as a format reserves it, and where it is longer
    than 1,000 characters (it is cut then). Control characters become `_`.

    Of each sequence 64 bits are kept. Two ids of a sample that agree in these by chance count as equal: of ten million
    sequences that happens in one sample of 370,000, and changes two ids.
    """

    def __init__(self, blocks: Callable[[], Iterable[pl.Series]]):
        """blocks: gives the ids of the records, in order, as often as it is called."""
        parts = [(_hash(_plain_ids(ids)), _is_odd(_plain_ids(ids))) for ids in blocks()]
        hashes, odd = (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else (_NONE, _NONE == 1)
        self._changed = again = odd | _doubled(hashes)
        while again.any():
            first = 0
            for ids in blocks():
                rows = np.flatnonzero(again[first : first + len(ids)])
                if len(rows):
                    hashes[first + rows] = _hash(_made(_plain_ids(ids.gather(rows)), first + rows + 1))
                first += len(ids)
            # A made id may be the one that another record has by itself: then that one is changed, too.
            again = _doubled(hashes) & ~self._changed
            self._changed |= again

    def of(self, ids: pl.Series, first: int) -> pl.Series:
        """Those of some records that follow one another, of which `first` (from 0) is the first one's place."""
        plain, changed = _plain_ids(ids), self._changed[first : first + len(ids)]
        if changed.any():
            made = _made(plain, np.arange(first + 1, first + len(ids) + 1))
            plain = made.zip_with(pl.Series(changed), plain)
        return plain.alias("sequence_id")


_NONE = np.zeros(0, dtype=np.uint64)


def _plain_ids(ids: pl.Series) -> pl.Series:
    return ids.str.replace_all(_CONTROL, "_")


def _is_odd(ids: pl.Series) -> np.ndarray:
    return (ids.str.contains(_RESERVED) | (ids.str.len_chars() > LONGEST)).to_numpy()


def _made(ids: pl.Series, numbers: np.ndarray) -> pl.Series:
    table = pl.DataFrame({"id": ids, "number": numbers})
    behind = pl.when(pl.col("id") == "").then(pl.lit("")).otherwise("_" + pl.col("id").str.head(LONGEST))
    return table.select("s" + pl.col("number").cast(pl.String) + behind).to_series()


def _hash(ids: pl.Series) -> np.ndarray:
    return ids.hash(seed=0).to_numpy()


def _doubled(hashes: np.ndarray) -> np.ndarray:
    """Which values occur more than once, bool."""
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.zeros(len(hashes), dtype=bool)
    return twice[np.minimum(np.searchsorted(twice, hashes), len(twice) - 1)] == hashes


def shown(column: str) -> pl.Expr:
    """A text of the input for a table: control characters as `_`, so that every reader finds the same fields; of one
    that is very long, its beginning."""
    return pl.col(column).str.replace_all(_CONTROL, "_").str.head(LONGEST_TEXT)
