"""What the two transformers share: one run of their layers for rows that are padded, packed, or wanted token by token.

Shapes: B rows, T tokens a row, N tokens, D the width.
"""

from torch import Tensor, nn

from virnucpro.encoders.linear import product_dtype
from virnucpro.encoders.rows import PaddedRows, Rows


class Transformer(nn.Module):
    """An encoder whose embedding is a mean over a row's tokens. It adds its layers and `tokenize`."""

    dim: int
    left_out = 0  # tokens at either end of a row that are not part of the mean

    def layers(self, tokens_N: Tensor, rows: Rows) -> Tensor:
        """The last layer's output [N, D], rows.residual."""
        raise NotImplementedError

    def forward(self, tokens_BT: Tensor, length_B: Tensor | None = None) -> Tensor:
        """The embeddings of rows filled up to one length, fp32 [B, D].

        tokens: int. length: int, tokens of each row with the special ones; None where every row fills all of T.
        """
        rows = PaddedRows(tokens_BT, length_B)
        return rows.mean(self.layers(tokens_BT.flatten(), rows), self.left_out)

    def packed(self, tokens_N: Tensor, starts: Tensor, longest: int) -> Tensor:
        """The same of rows that lie one after another, on a GPU (packed.py). starts: int32 [B + 1], the last is N."""
        from virnucpro.encoders.packed import PackedRows  # Triton is not there everywhere

        rows = PackedRows(starts, longest, product_dtype(self))
        return rows.mean(self.layers(tokens_N, rows), self.left_out)

    def hidden(self, tokens_BT: Tensor, length_B: Tensor | None = None) -> Tensor:
        """The last layer's output for every token, fp32 [B, T, D]; rows of padding are meaningless."""
        return self.layers(tokens_BT.flatten(), PaddedRows(tokens_BT, length_B)).view(*tokens_BT.shape, self.dim)
