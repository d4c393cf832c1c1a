"""The command line of embed_dnabert_s.py and embed_esm2.py."""

import argparse
import os
from pathlib import Path

from virnucpro.gpus import leased_gpu

NAMES = {"dnabert_s": "DNABERT-S", "esm2": "ESM-2"}


def main(kind: str) -> None:
    """Parse the command line and run the task."""
    arguments = parser(kind).parse_args()
    if arguments.threads:
        os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    # Before PyTorch, so that a task that waits for a GPU holds next to no memory.
    with leased_gpu(arguments.device):
        # PyTorch reads these settings when it is imported, and --help needs no PyTorch.
        from virnucpro.embedding.task import Task, run_task

        run_task(
            Task(
                kind=kind,
                shards=arguments.shards,
                encoder=arguments.encoder,
                bin=arguments.bin,
                out=arguments.out,
                layer=arguments.layer,
                precision=arguments.precision,
                batch_tokens=arguments.batch_tokens,
                device=arguments.device,
                attempt=arguments.attempt,
            )
        )


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
    p.add_argument(
        "--threads", type=_positive, metavar="N", help="CPU threads; as many as the machine has if not given"
    )
    p.add_argument("--store", type=Path, metavar="DIR", help="folder of finished shards, shared between runs")
    p.add_argument("--attempt", type=_positive, default=1, metavar="N", help="how often the task was started")
    return p


def _layer(text: str) -> int | str:
    return text if text == "last" else int(text)


def _budget(text: str) -> int | None:
    return None if text == "auto" else _positive(text)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
