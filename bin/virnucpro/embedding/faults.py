"""What went wrong in a batch: too little memory, a broken GPU, or the data."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from virnucpro.errors import CudaFault, VirnucproError

# Messages of PyTorch, cuBLAS and cuDNN; not all of them come as torch.OutOfMemoryError. The last is what PyTorch says
# where it may not ask NVML how much memory there is, as on MIG devices, while it composes the ordinary message.
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "STATUS_ALLOC_FAILED", "NVML_SUCCESS")
_CUDA_FAULT = ("CUDA error", "CUDA driver error", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error", "device-side assert")


def is_out_of_memory(error: BaseException) -> bool:
    """True where a smaller batch may go through."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)


def is_cuda_fault(error: BaseException) -> bool:
    """True where the GPU context is lost: nothing can be computed in this process any more."""
    if is_out_of_memory(error):
        return False
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _CUDA_FAULT)


@contextmanager
def named() -> Iterator[None]:
    """Around a whole task: what is left of memory and GPU errors becomes an error with advice and an exit code."""
    try:
        with cuda_faults_end_the_task():
            yield
    except Exception as e:
        if is_out_of_memory(e):
            raise VirnucproError(
                f"the encoder does not fit in memory ({first_line(e)}); give the task a GPU or node with more memory, "
                "or choose a classifier with a smaller encoder"
            ) from e
        raise


@contextmanager
def cuda_faults_end_the_task() -> Iterator[None]:
    """Turn an error that means a lost GPU into CudaFault (exit code 70)."""
    try:
        yield
    except Exception as e:
        if is_cuda_fault(e):
            raise CudaFault(f"the GPU failed ({first_line(e)}); a retry on another GPU or node may work") from e
        raise


def first_line(error: BaseException) -> str:
    """The error's kind and the first line of its message."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
