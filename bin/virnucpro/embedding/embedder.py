"""Running an encoder over token sequences: batches, and what to do when one of them fails."""

from collections import deque
from collections.abc import Callable

import numpy as np
import torch

from virnucpro.embedding.batching import Batch, halves, plan
from virnucpro.embedding.faults import is_cuda_fault, is_out_of_memory
from virnucpro.encoders.ragged import Ragged
from virnucpro.errors import CudaFault


class Embedder:
    """An encoder with the token budget that its device has proved to hold.

    `on_batch(rows)` is told of each finished batch, `on_retry(reason)` of each that is tried again in smaller parts.
    """

    def __init__(self, encoder, device: torch.device, budget: int, smallest: int, multiple: int = 1):
        self.encoder, self.device = encoder, device
        self.budget, self.smallest, self.multiple = budget, smallest, multiple
        self.oom_halvings = 0
        self.tokens = self.padding_tokens = 0
        self.on_batch: Callable[[np.ndarray], None] = lambda rows: None
        self.on_retry: Callable[[str], None] = lambda reason: None

    def embed(self, tokens: Ragged) -> tuple[np.ndarray, dict[int, str]]:
        """Embeddings float32 [sequences, dim], and the reason for each row that has none.

        A batch that does not fit in memory is tried again in halves, and so are all later ones; a batch that fails
        otherwise is halved until the sequence at fault stands alone. Raises CudaFault where the GPU is lost.
        """
        out = np.zeros((len(tokens.length), self.encoder.dim), dtype=np.float32)
        failed: dict[int, str] = {}
        todo = deque(plan(tokens.length, self.budget, self.smallest, self.multiple))
        while todo:
            batch = todo.popleft()
            if batch.tokens > self.budget and len(batch.rows) > 1:
                todo.extendleft(reversed(halves(batch, tokens.length)))
                continue
            reason = self._try(batch, tokens, out)
            if reason is None:
                self.on_batch(batch.rows)
            elif len(batch.rows) > 1:
                self.on_retry(reason)
                todo.extendleft(reversed(halves(batch, tokens.length)))
            else:
                failed[int(batch.rows[0])] = reason
                self.on_batch(batch.rows)
        for row in np.flatnonzero(~np.isfinite(out).all(axis=1)):
            failed[int(row)] = "the embedding is not a finite number (NaN or infinity)"
        return out, failed

    def _try(self, batch: Batch, tokens: Ragged, out: np.ndarray) -> str | None:
        """Compute one batch; None, or the reason why it failed."""
        try:
            self._compute(batch, tokens, out)
        except Exception as e:
            if is_cuda_fault(e):
                raise CudaFault(f"the GPU failed ({_first_line(e)}); a retry on another GPU or node may work") from e
            reason, memory = _first_line(e), is_out_of_memory(e)
        else:
            return None
        # Outside the except clause: the exception's frames hold on to the tensors that did not fit.
        if memory:
            reason = "out of memory even when computed alone" if len(batch.rows) == 1 else "out of memory"
            if len(batch.rows) > 1:
                self.budget = max(1, batch.tokens // 2)
                self.oom_halvings += 1
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return reason

    @torch.inference_mode()
    def _compute(self, batch: Batch, tokens: Ragged, out: np.ndarray) -> None:
        ids = torch.from_numpy(tokens.rows(batch.rows, batch.width, self.encoder.pad)).to(self.device)
        length = None
        if batch.padding:
            length = torch.from_numpy(tokens.length[batch.rows]).to(self.device)
        out[batch.rows] = self.encoder(ids, length).cpu().numpy()
        self.tokens += batch.tokens - batch.padding
        self.padding_tokens += batch.padding


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
