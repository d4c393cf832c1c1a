"""Windows of 500 bases as a run would cut them from genomes: genes side by side, short spacers, either strand."""

import numpy as np

from pretraining.corpus import Genes
from pretraining.stretches import longest_of_frames, reversed_windows

WIDTH = 500  # bases
SHORT, EXACT = 0.15, 0.15  # shares of windows of 150 to 499 bases, and of 300, the other length of chunks
SPACER = 60  # bases between genes: 0 to one less, the reversed beginning of the gene before
LEAST = 30  # residues of a stretch
KEPT = 2  # stretches of a window: the longest ones of two frames
BLOCK = 20_000  # windows


def drawn_lengths(number: int, rng: np.random.Generator) -> np.ndarray:
    """int64 [number], bases of each window."""
    lengths = np.where(rng.random(number) < SHORT, rng.integers(150, WIDTH, number), WIDTH)
    return np.where(rng.random(number) < EXACT, 300, lengths)


def flipped(windows: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The windows, half of them from the other strand, and which (bool)."""
    flip = rng.random(len(windows)) < 0.5
    return np.where(flip[:, None], reversed_windows(windows, lengths), windows), flip


def finished(windows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Windows of full width as training sees them, some shortened, on either strand; and their lengths."""
    lengths = drawn_lengths(len(windows), rng)
    windows = np.where(np.arange(windows.shape[1]) < lengths[:, None], windows, 4).astype(np.uint8)
    return flipped(windows, lengths, rng)[0], lengths


def stretches_of(windows: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the KEPT longest stretches of each window, a row each: peptide (uint8 [n, residues]), residues (int16), the
    window (int64) and the base at its middle (int64)."""
    peptide, residues, first = longest_of_frames(windows, lengths, LEAST)
    frame = np.arange(6)
    middle = 3 * first + frame % 3 + 3 * residues // 2
    middle = np.where(frame < 3, middle, lengths[:, None] - 1 - middle)
    rank = np.argsort(np.argsort(-residues, axis=1, kind="stable"), axis=1)
    found = (residues >= LEAST) & (rank < KEPT)
    return peptide[found], residues[found].astype(np.int16), np.nonzero(found)[0], middle[found]


class Drawer:
    """Draws windows from `genes`. `kept`: bool [genes], those that training may see."""

    def __init__(self, genes: Genes, kept: np.ndarray, rng: np.random.Generator):
        self.genes, self.rng = genes, rng
        self._order = genes.order()[kept[genes.order()]]
        self._place = np.full(len(kept), -1, dtype=np.int64)
        self._place[self._order] = np.arange(len(self._order))

    def draw(self, rows: np.ndarray, count: int, most: float) -> dict[str, np.ndarray]:
        """`count` windows at genes drawn from `rows` by their length; a genome weighs at most `most` bases.

        Returns of the KEPT longest stretches of each: peptide uint8 [n, 166], residues, gene (the one at its middle).
        """
        weight = self.genes.lengths[rows].astype(float)
        total = np.bincount(self.genes.genome[rows], weights=weight)[self.genes.genome[rows]]
        weight *= np.minimum(1, most / total)
        parts = []
        for done in range(0, count, BLOCK):
            drawn = self.rng.choice(rows, size=min(BLOCK, count - done), p=weight / weight.sum())
            parts.append(self._block(drawn))
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def _block(self, drawn: np.ndarray) -> dict[str, np.ndarray]:
        windows, gene, lengths = self._cut(drawn)
        windows, flip = flipped(windows, lengths, self.rng)
        peptide, residues, window, middle = stretches_of(windows, lengths)
        middle = np.where(flip[window], lengths[window] - 1 - middle, middle)  # as it was cut
        gene = gene[window, np.clip(middle, 0, WIDTH - 1)]
        return {
            "peptide": peptide,
            "residues": residues,
            "gene": np.where(gene < 0, drawn[window], gene).astype(np.int32),
        }

    def _cut(self, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows, the gene of each base (-1 in spacers) and the windows' lengths."""
        g, rng = self.genes, self.rng
        n = len(drawn)
        lengths = drawn_lengths(n, rng)
        windows, owner = np.full((n, WIDTH), 4, dtype=np.uint8), np.full((n, WIDTH), -1, dtype=np.int32)
        starts = rng.integers(60 - WIDTH, np.maximum(1, g.lengths[drawn] - 30))
        spacers = rng.integers(0, SPACER, size=(n, 16))
        for i in range(n):
            place, start, need = int(self._place[drawn[i]]), int(starts[i]), int(lengths[i])
            spacer = iter(spacers[i].tolist())
            while start < 0 and place > 0 and self._neighbours(place - 1):
                place -= 1
                gene = self._order[place]
                start += int(g.offsets[gene + 1] - g.offsets[gene]) + next(spacer, 0)
            start, filled = max(start, 0), 0
            while True:
                gene = self._order[place]
                begin, end = int(g.offsets[gene]), int(g.offsets[gene + 1])
                piece = g.codes[begin + start : end][: need - filled]
                windows[i, filled : filled + len(piece)], owner[i, filled : filled + len(piece)] = piece, gene
                filled, start = filled + len(piece), 0
                if filled >= need or not self._neighbours(place):
                    break
                piece = g.codes[begin:end][: min(next(spacer, 0), need - filled)][::-1]
                windows[i, filled : filled + len(piece)] = piece
                filled, place = filled + len(piece), place + 1
                if filled >= need:
                    break
            lengths[i] = filled
        return windows, owner, lengths

    def _neighbours(self, place: int) -> bool:
        """Whether the genes at `place` and behind it lie on one genome."""
        order, genome = self._order, self.genes.genome
        return place + 1 < len(order) and genome[order[place]] == genome[order[place + 1]]
