"""The command line of embed.py."""

import argparse
import os
import sys
from pathlib import Path

from virnucpro import runtime
from virnucpro.embedding.events import Events
from virnucpro.embedding.gpus import leased_gpu
from virnucpro.embedding.settings import Task
from virnucpro.encoders.kinds import KINDS
from virnucpro.errors import CudaFault


def main() -> None:
    """Parse the command line and run the task."""
    a = parser().parse_args()
    runtime.keep_freed_memory()
    runtime.bound_kernel_cache()
    runtime.use_threads(a.threads)
    if a.device != "cpu":
        runtime.tune_gpu_allocator()
        runtime.place_kernels()
    events = Events(a.out / f"{a.name}.events.jsonl", a.name, a.kind, a.attempt)
    runtime.on_sigterm(lambda: events.close("end", message="terminated by SIGTERM"))
    try:
        # Before PyTorch, so that a task that waits for a GPU holds next to no memory.
        with leased_gpu(a.device if KINDS[a.kind].needs_torch else "cpu"):
            _run(a, events)
    except CudaFault as e:
        events.close("end", message=str(e))
        print(f"error: {e}", file=sys.stderr, flush=True)
        os._exit(e.code)  # an ordinary exit would touch the lost GPU again, and may abort with another status
    except BaseException as e:
        events.close("end", message=str(e) or type(e).__name__)
        raise


def _run(a: argparse.Namespace, events: Events) -> None:
    # PyTorch reads the process's settings when it is imported, and --help needs no PyTorch.
    task = Task(**{name: value for name, value in vars(a).items() if name != "threads"})
    if not KINDS[task.kind].needs_torch:
        from virnucpro.embedding.light import run_light_task

        run_light_task(task, events)
        return
    from virnucpro.embedding.faults import named
    from virnucpro.embedding.task import run_task

    with named():
        run_task(task, events)


def parser() -> argparse.ArgumentParser:
    """The options; all kinds of encoder have the same."""
    p = argparse.ArgumentParser(
        description="Embed the frames of a task's shards with one encoder; one embedding file per shard, a report.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.add_argument("--kind", choices=list(KINDS), required=True, help="what the encoder is")
    p.add_argument("--shards", type=Path, required=True, metavar="DIR", help="folder of shards (*.parquet)")
    p.add_argument("--encoder", type=Path, required=True, metavar="DIR", help="folder with the encoder's files")
    p.add_argument("--task", dest="name", required=True, metavar="NAME", help="name of the task, for the report")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    p.add_argument("--layer", type=_layer, default="last", metavar="N", help="layer to take, a number or 'last'")
    p.add_argument("--precision", choices=["auto", "fp32", "fp16", "bf16"], default="auto", help="of matrix products")
    p.add_argument("--batch_tokens", type=_budget, metavar="N", help="tokens per batch, or 'auto'")
    p.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    p.add_argument("--threads", type=_positive, metavar="N", help="CPU threads, if not as many as the machine has")
    p.add_argument("--store", type=Path, metavar="DIR", help="folder of finished shards, shared between runs")
    p.add_argument("--weights_sha256", metavar="HEX", help="of model.safetensors, where it is known; saves reading it")
    p.add_argument("--attempt", type=_positive, default=1, metavar="N", help="how often the task was started")
    return p


def _layer(text: str) -> int | str:
    return text if text == "last" else int(text)


def _budget(text: str) -> int | None:
    return None if text == "auto" else _positive(text)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number
