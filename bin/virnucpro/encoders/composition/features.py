"""What the composition encoder sees of a peptide, in numpy: residues, pairs of residues, and what its words tell.

Letters beyond the twenty amino acids stand for nothing: they are in no pair, and no word reaches across one.
"""

import numpy as np

from virnucpro.encoders.composition.description import NOTHING, RESIDUES, Words

WINDOW = 20  # words
FEW = 5  # of the words that speak most for, or against

_CODES = np.full(256, NOTHING, dtype=np.uint8)
_CODES[np.frombuffer(RESIDUES.encode(), dtype=np.uint8)] = np.arange(len(RESIDUES))


def codes_of(peptides: list[str], least_width: int = 0) -> np.ndarray:
    """uint8 [peptides, width]: 0..19 for the residues, NOTHING elsewhere and behind each peptide's end."""
    width = max([least_width, *map(len, peptides)])
    text = "".join(p.ljust(width) for p in peptides).encode("ascii", "replace")
    return _CODES[np.frombuffer(text, dtype=np.uint8)].reshape(len(peptides), width)


def composition(codes: np.ndarray, gaps: tuple[int, ...]) -> np.ndarray:
    """float32 [peptides, 20 + 400 * len(gaps)]: shares of residues (times 4) and of pairs at each distance (times 20).

    codes: uint8 [peptides, width].
    """
    rows, k = np.arange(len(codes))[:, None], len(RESIDUES)
    x = codes.astype(np.int64)
    residues = np.bincount((rows * (k + 1) + x).ravel(), minlength=len(x) * (k + 1)).reshape(len(x), k + 1)[:, :k]
    length = residues.sum(axis=1, keepdims=True)
    parts = [4 * residues / np.maximum(length, 1)]
    for gap in gaps:
        both = (x[:, :-gap] < k) & (x[:, gap:] < k)
        pair = np.where(both, x[:, :-gap] * k + x[:, gap:], k * k)
        counts = np.bincount((rows * (k * k + 1) + pair).ravel(), minlength=len(x) * (k * k + 1))
        parts.append(20 * counts.reshape(len(x), -1)[:, : k * k] / np.maximum(length - gap, 1))
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def word_statistics(codes: np.ndarray, words: Words, tables: list[np.ndarray]) -> np.ndarray:
    """float32 [peptides, STATISTICS * len(tables)]: what the words of each peptide say.

    codes: uint8 [peptides, width]. tables: log-odds by word number, float32 [words.number] each. Of a peptide's n words
    with values v, for each table: mean; largest; mean of the FEW largest; mean of the FEW smallest; sum over sqrt(n);
    share above 1; largest and smallest mean over WINDOW neighbours. WINDOW zeros behind each peptide belong to it, so
    that nothing depends on how wide the array is.
    """
    codes = np.pad(codes, ((0, 0), (0, WINDOW + 1)), constant_values=NOTHING)
    n, width = codes.shape
    index, known = words.index(codes.ravel())
    short = (0, codes.size - len(index))
    index, known = np.pad(np.where(known, index, 0), short), np.pad(known, short)
    index, known = index.reshape(n, width)[:, :-1], known.reshape(n, width)[:, :-1]
    count = np.maximum(known.sum(axis=1), 1)
    columns = []
    for table in tables:
        v = np.where(known, table[index], np.float32(0))
        total = v.sum(axis=1, dtype=np.float64)
        ends = np.partition(v, (FEW - 1, v.shape[1] - FEW), axis=1)
        smallest, largest = ends[:, :FEW], ends[:, -FEW:]
        sums = np.cumsum(np.pad(v, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
        window = (sums[:, WINDOW:] - sums[:, :-WINDOW]) / WINDOW
        columns += [total / count, largest.max(axis=1), largest.mean(axis=1, dtype=np.float64)]
        columns += [smallest.mean(axis=1, dtype=np.float64), total / np.sqrt(count)]
        columns += [(v > 1).sum(axis=1) / count, window.max(axis=1), window.min(axis=1)]
    return np.stack(columns, axis=1).astype(np.float32)


def log_length(codes: np.ndarray) -> np.ndarray:
    """float32 [peptides, 1]: log of the number of residues, 0 at a hundred."""
    return np.log(np.maximum((codes < NOTHING).sum(axis=1, keepdims=True), 1) / 100).astype(np.float32)
