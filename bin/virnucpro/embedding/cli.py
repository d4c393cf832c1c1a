"""The command line of embed_dnabert_s.py and embed_esm2.py."""

import argparse
import os
import sys
from pathlib import Path

from virnucpro import process
from virnucpro.embedding.events import Events
from virnucpro.errors import CudaFault
from virnucpro.gpus import leased_gpu

NAMES = {"dnabert_s": "DNABERT-S", "esm2": "ESM-2"}


def main(kind: str) -> None:
    """Parse the command line and run the task."""
    arguments = parser(kind).parse_args()
    process.keep_freed_memory()
    process.bound_kernel_cache()
    process.use_threads(arguments.threads)
    if arguments.device != "cpu":
        process.tune_gpu_allocator()
        process.place_compiled_code()
    events = Events(arguments.out / f"{arguments.bin}.events.jsonl", arguments.bin, kind, arguments.attempt)
    process.on_sigterm(lambda: events.close("end", message="terminated by SIGTERM"))
    try:
        # Before PyTorch, so that a task that waits for a GPU holds next to no memory.
        with leased_gpu(arguments.device):
            _run(kind, arguments, events)
    except CudaFault as e:
        events.close("end", message=str(e))
        print(f"error: {e}", file=sys.stderr, flush=True)
        os._exit(e.code)  # an ordinary exit would touch the lost GPU again, and may abort with another status
    except BaseException as e:
        events.close("end", message=str(e) or type(e).__name__)
        raise


def _run(kind: str, arguments: argparse.Namespace, events: Events) -> None:
    # PyTorch reads the process's settings when it is imported, and --help needs no PyTorch.
    from virnucpro.embedding.faults import named
    from virnucpro.embedding.task import Task, run_task

    options = {name: value for name, value in vars(arguments).items() if name != "threads"}
    with named():
        run_task(Task(kind=kind, **options), events)


def parser(kind: str) -> argparse.ArgumentParser:
    """The options; both encoders have the same."""
    p = argparse.ArgumentParser(
        description=f"Embed the frames of a bin's shards with {NAMES[kind]}; one embedding file per shard, a report.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.add_argument("--shards", type=Path, required=True, metavar="DIR", help="folder of shards (*.parquet)")
    p.add_argument("--encoder", type=Path, required=True, metavar="DIR", help="folder with the encoder's files")
    p.add_argument("--bin", required=True, metavar="NAME", help="name of the bin, for the report")
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
