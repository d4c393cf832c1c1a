"""Running an encoder over token sequences: batches, and what to do when one of them fails."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from virnucpro.embedding.batching import Batch, halves, plan_packed, plan_padded
from virnucpro.embedding.faults import cuda_faults_end_the_task, first_line, is_cuda_fault, is_out_of_memory
from virnucpro.encoders.ragged import Ragged

OUT_OF_MEMORY = "out of memory"
NOT_FINITE = "the embedding is not finite (NaN or infinity)"
NO_ROOM_FOR_FP32 = f"{NOT_FINITE} in half precision, and memory does not hold the encoder in fp32 beside it"


@dataclass
class Launched:
    """Batches whose results are, on a GPU, still on their way into `out`, in the order of `rows`."""

    tokens: Ragged
    out: torch.Tensor  # float32 [sequences, dim] on the host
    rows: list[np.ndarray] = field(default_factory=list)
    filled: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    arrived: torch.cuda.Event | None = None


class Embedder:
    """An encoder with the token budget that its device has proved to hold.

    overhead: what one more batch costs, in tokens (batching.plan_padded).
    packed: rows lie one after another and own kernels compute them (encoders/packed.py).
    exact: gives the same encoder in fp32, for rows that overflow in half precision; None where there is no need.
    `on_batch(rows)` is told of each batch that was launched, `on_retry(reason)` of each that is tried again in parts.
    """

    def __init__(
        self,
        encoder,
        device: torch.device,
        budget: int,
        overhead: int,
        packed: bool = False,
        exact: Callable[[], torch.nn.Module] | None = None,
    ):
        self.encoder, self.device = encoder, device
        self.budget, self.overhead = budget, overhead
        self.packed, self.exact = packed, exact
        self.oom_halvings = self.recomputed = 0
        self.tokens = self.padding_tokens = 0
        self.on_batch: Callable[[np.ndarray], None] = lambda rows: None
        self.on_retry: Callable[[str], None] = lambda reason: None

    def embed(self, tokens: Ragged) -> tuple[np.ndarray, dict[int, str]]:
        """Embeddings float32 [sequences, dim], and for each row that has none the reason."""
        return self.finish(self.launch(tokens))

    def launch(self, tokens: Ragged) -> Launched:
        """Send all batches to the device. On a GPU this returns before they are computed.

        A batch that does not fit in memory is tried again in halves, and all later ones are made as small; a batch that
        fails otherwise is halved until the sequence at fault stands alone. Raises CudaFault where the GPU is lost.
        """
        shape = (len(tokens.length), self.encoder.dim)
        launched = Launched(tokens, torch.zeros(shape, pin_memory=self.device.type == "cuda"))
        todo = deque(self._plan(tokens.length))
        while todo:
            batch = todo.popleft()
            if batch.tokens > self.budget and len(batch.rows) > 1:
                todo.extendleft(reversed(halves(batch, tokens.length, self.packed)))
                continue
            reason = self._try(batch, launched)
            if reason is not None and len(batch.rows) > 1:
                self.on_retry(reason)
                todo.extendleft(reversed(halves(batch, tokens.length, self.packed)))
                continue
            if reason is not None:
                launched.failed[int(batch.rows[0])] = reason
            self.on_batch(batch.rows)
        if self.device.type == "cuda":
            launched.arrived = torch.cuda.Event()
            launched.arrived.record()
        return launched

    def _plan(self, length: np.ndarray) -> list[Batch]:
        if self.packed:
            return plan_packed(length, self.budget)
        return plan_padded(length, self.budget, self.overhead)

    def finish(self, launched: Launched) -> tuple[np.ndarray, dict[int, str]]:
        """Wait for the results; rows that are not finite are computed again in fp32 where that may help."""
        if launched.arrived is not None:
            with cuda_faults_end_the_task():
                launched.arrived.synchronize()
        failed = launched.failed
        vectors = np.zeros(launched.out.shape, dtype=np.float32)
        if launched.rows:
            vectors[np.concatenate(launched.rows)] = launched.out[: launched.filled].numpy()
        odd = [row for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist() if row not in failed]
        if odd and self.exact is not None:
            self._again_in_fp32(odd, launched.tokens, vectors, failed)
        failed |= {row: NOT_FINITE for row in odd if row not in failed and not np.isfinite(vectors[row]).all()}
        return vectors, failed

    def _again_in_fp32(self, odd: list[int], tokens: Ragged, vectors: np.ndarray, failed: dict[int, str]) -> None:
        self.on_retry(f"{len(odd)} embeddings overflow in half precision: again in fp32")
        encoder = self._load_exact()
        if encoder is None:
            failed |= dict.fromkeys(odd, NO_ROOM_FOR_FP32)
            return
        again = Embedder(encoder, self.device, max(1, self.budget // 2), self.overhead)
        vectors[odd], still_failed = again.embed(tokens.select(np.array(odd)))
        failed |= {odd[row]: reason for row, reason in still_failed.items()}
        self.recomputed += len(odd)

    def _load_exact(self) -> torch.nn.Module | None:
        """The encoder in fp32, for this once: two of them are not kept. None where it does not fit in memory."""
        try:
            return self.exact()
        except Exception as e:
            if not is_out_of_memory(e):
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _try(self, batch: Batch, launched: Launched) -> str | None:
        """Launch one batch; None, or the reason why it failed."""
        try:
            self._compute(batch, launched)
        except Exception as e:
            if is_cuda_fault(e):
                with cuda_faults_end_the_task():
                    raise
            reason, memory = first_line(e), is_out_of_memory(e)
        else:
            return None
        if not memory:
            return reason
        # Outside the except clause: the exception's frames hold on to the tensors that did not fit.
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(batch.rows) == 1:
            return f"{OUT_OF_MEMORY}, even when computed alone"
        self.budget = max(1, batch.tokens // 2)
        self.oom_halvings += 1
        return OUT_OF_MEMORY

    @torch.inference_mode()
    def _compute(self, batch: Batch, launched: Launched) -> None:
        pooled = self._run(batch, launched.tokens)  # [rows, dim]
        stop = launched.filled + len(batch.rows)
        launched.out[launched.filled : stop].copy_(pooled, non_blocking=True)
        launched.rows.append(batch.rows)
        launched.filled = stop
        self.tokens += batch.tokens - batch.padding
        self.padding_tokens += batch.padding

    def _run(self, batch: Batch, tokens: Ragged) -> torch.Tensor:
        if self.packed:
            flat, starts = map(self._to_device, tokens.pack(batch.rows))
            return self.encoder.packed(flat, starts, batch.width)
        ids = self._to_device(tokens.rows(batch.rows, batch.width, self.encoder.pad))
        length = self._to_device(tokens.length[batch.rows]) if batch.padding else None
        return self.encoder(ids, length)

    def _to_device(self, values: np.ndarray) -> torch.Tensor:
        """Through pinned memory, so that the copy to a GPU overlaps with its work."""
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)
