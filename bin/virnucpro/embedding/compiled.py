"""torch.compile for the sequence lengths that occur often; for GPUs, as PyTorch's code for CPUs needs a C++ compiler.

One block is compiled per length and serves all layers, since they differ in weights only; the number of rows is free.
"""

import sys
from collections import Counter
from collections.abc import Callable

import torch
from torch import nn

from virnucpro.embedding.faults import first_line, is_cuda_fault, is_out_of_memory

# Tokens of one length after which compiling for it (10 to 60 s) is worth its while.
WORTH_COMPILING = 4_000_000
LIMIT = 16  # lengths


class FrequentLengths:
    """Counts tokens by length, and has an encoder's blocks run compiled for lengths that prove frequent.

    one_graph: after the first, lengths share a graph in which the length is free too.
    """

    def __init__(
        self,
        encoder: nn.Module,
        worth: int = WORTH_COMPILING,
        backend: str | Callable = "inductor",
        one_graph: bool = False,
    ):
        self.lengths: set[int] = set()
        self.failure = ""  # why nothing is compiled any more
        self._tokens: Counter[int] = Counter()
        self._worth, self._one_graph = worth, one_graph
        # Two graphs per length: with a mask and without.
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 2 * LIMIT)
        # One function for all blocks: compiled block by block each layer would have a graph of its own.
        run = torch.compile(_run, backend=backend)
        for block in encoder.blocks:
            block.forward = self._choose(block, block.forward, run)

    def count(self, rows: int, length: int) -> None:
        """A batch of this shape is about to be computed."""
        self._tokens[length] += rows * length
        if self._tokens[length] >= self._worth and len(self.lengths) < LIMIT and not self.failure:
            self.lengths.add(length)

    def _choose(self, block: nn.Module, plain: Callable, run: Callable) -> Callable:
        def forward(x: torch.Tensor, *rest: torch.Tensor | None) -> torch.Tensor:
            """As the block's own: x [B, T, D]; `rest` has the rows first too, or 1 for all rows."""
            if x.shape[1] not in self.lengths or len(x) == 1:
                return plain(x, *rest)
            for tensor in (x, *rest):
                if tensor is not None:
                    self._mark(tensor)
            try:
                return run(block, x, *rest)
            except Exception as e:
                if is_out_of_memory(e) or is_cuda_fault(e):
                    raise
                self._give_up(e)
            return plain(x, *rest)

        return forward

    def _mark(self, tensor: torch.Tensor) -> None:
        """Left to itself PyTorch frees sizes that varied, here the length; and fixes the rows of all tensors to those
        of one that is not marked."""
        if len(tensor) > 1:
            torch._dynamo.mark_dynamic(tensor, 0)
        if not self._one_graph:
            torch._dynamo.mark_static(tensor, list(range(1, tensor.ndim)))

    def _give_up(self, error: Exception) -> None:
        """A node without a C compiler, a GPU that Triton does not know: slower, but as good."""
        self.failure = first_line(getattr(error, "inner_exception", error))
        self.lengths.clear()
        print(f"torch.compile failed, going on without it: {self.failure}", file=sys.stderr, flush=True)


def _run(block: nn.Module, x: torch.Tensor, *rest: torch.Tensor | None) -> torch.Tensor:
    return type(block).forward(block, x, *rest)
