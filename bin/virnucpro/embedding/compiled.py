"""torch.compile for the sequence lengths that occur often; for GPUs, as PyTorch's code for CPUs needs a C++ compiler.

One block is compiled per length and serves all layers, since they differ in weights only; the number of rows is free.
"""

from collections import Counter

import torch
from torch import nn

# Tokens of one length after which compiling for it (10 to 60 s) is worth its while.
WORTH_COMPILING = 4_000_000
LIMIT = 16  # lengths


class CompiledBlock(nn.Module):
    """A transformer block that runs compiled for lengths in `lengths`, and as it is for all others."""

    def __init__(self, block: nn.Module, lengths: set[int], backend: str):
        super().__init__()
        self.block, self._lengths = block, lengths
        self._compiled = torch.compile(block, backend=backend)
        self.qkv = block.qkv  # whose dtype the encoder asks for

    def forward(self, x: torch.Tensor, *rest: torch.Tensor | None) -> torch.Tensor:
        """As the block: x [B, T, D]."""
        if x.shape[1] not in self._lengths or len(x) == 1:
            return self.block(x, *rest)
        torch._dynamo.mark_dynamic(x, 0)
        return self._compiled(x, *rest)


class FrequentLengths:
    """Counts tokens by length, and compiles an encoder's blocks for lengths that prove frequent."""

    def __init__(self, encoder: nn.Module, worth: int = WORTH_COMPILING, backend: str = "inductor"):
        self.lengths: set[int] = set()
        self._tokens: Counter[int] = Counter()
        self._worth = worth
        # Two graphs per length: with a mask and without.
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 2 * LIMIT)
        encoder.blocks = nn.ModuleList(CompiledBlock(b, self.lengths, backend) for b in encoder.blocks)

    def count(self, rows: int, length: int) -> None:
        """A batch of this shape is about to be computed."""
        self._tokens[length] += rows * length
        if self._tokens[length] >= self._worth and len(self.lengths) < LIMIT:
            self.lengths.add(length)
