"""torch.compile for the sequence lengths that occur often; for GPUs, as PyTorch's code for CPUs needs a C++ compiler.

One block is compiled per length and serves all layers, since they differ in weights only; the number of rows is free.
"""

from collections import Counter
from collections.abc import Callable

import torch
from torch import nn

# Tokens of one length after which compiling for it (10 to 60 s) is worth its while.
WORTH_COMPILING = 4_000_000
LIMIT = 16  # lengths


class FrequentLengths:
    """Counts tokens by length, and has an encoder's blocks run compiled for lengths that prove frequent."""

    def __init__(self, encoder: nn.Module, worth: int = WORTH_COMPILING, backend: str | Callable = "inductor"):
        self.lengths: set[int] = set()
        self._tokens: Counter[int] = Counter()
        self._worth = worth
        # Two graphs per length: with a mask and without.
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 2 * LIMIT)
        # One function for all blocks: compiled block by block each layer would have a graph of its own.
        run = torch.compile(_run, backend=backend)
        for block in encoder.blocks:
            block.forward = self._choose(block, block.forward, run)

    def count(self, rows: int, length: int) -> None:
        """A batch of this shape is about to be computed."""
        self._tokens[length] += rows * length
        if self._tokens[length] >= self._worth and len(self.lengths) < LIMIT:
            self.lengths.add(length)

    def _choose(self, block: nn.Module, plain: Callable, run: Callable) -> Callable:
        def forward(x: torch.Tensor, *rest: torch.Tensor | None) -> torch.Tensor:
            """As the block's own: x [B, T, D]."""
            if x.shape[1] not in self.lengths or len(x) == 1:
                return plain(x, *rest)
            torch._dynamo.mark_dynamic(x, 0)
            return run(block, x, *rest)

        return forward


def _run(block: nn.Module, x: torch.Tensor, *rest: torch.Tensor | None) -> torch.Tensor:
    return type(block).forward(block, x, *rest)
