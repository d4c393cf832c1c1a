"""Encoders against independent implementations of the same architecture, with the bundle's own weights, in fp32."""

import numpy as np

from virnucpro.verify import comparing
from virnucpro.verify.measuring import Bench, free
from virnucpro.verify.results import FAILED, MORE_MEMORY, NOT_CHECKED, OK, NotChecked, Result, guarded, is_out_of_memory
from virnucpro.verify.sequences import Frame
from virnucpro.verify.subjects import Subject

CHECK = "references"
# Relative difference of a row in fp32; it grows with the layers, and is some 1e-6 for 36 of them.
MOST, LEAST_CENTRED = 1e-4, 0.9999
NAMES = {"esm2": ("fair-esm", "transformers"), "dnabert_s": ("the published architecture",)}
INSTALL = "pip install {}, or use the pipeline's embed image, which has it"


def check_references(subject: Subject, bench: Bench) -> list[Result]:
    """A line for each reference of the encoder's kind."""
    names = NAMES.get(subject.kind)
    if names is None:
        return [Result(CHECK, subject.name, NOT_CHECKED, "nobody else has published an implementation of this kind")]
    found = []
    for name in names:
        found += guarded(CHECK, f"{subject.name}, {name}", lambda name=name: [_against(name, subject, bench)])
    return found


def _against(name: str, subject: Subject, bench: Bench) -> Result:
    ours = bench.measured(subject, "fp32").vectors["probes"]
    bench.check_that_more_can_be_done()
    try:
        theirs = reference_vectors(name, subject, bench.sets.probes, bench.device)
    except ModuleNotFoundError as e:
        raise NotChecked(f"the Python package {e.name} is missing", INSTALL.format(name)) from e
    except Exception as e:
        if not is_out_of_memory(e):
            raise
        raise NotChecked("the reference does not fit in memory in fp32, and a run does not need it", MORE_MEMORY) from e
    finally:
        free(bench.device)
    d = comparing.differences(ours, theirs)
    good = d["relative"] <= MOST and d["centred_cosine"] >= LEAST_CENTRED
    lengths = sorted(len(frame.peptide) for frame in bench.sets.probes)
    words = f"{len(ours)} sequences of {lengths[0]} to {lengths[-1]:,} residues: {comparing.told(d)}"
    remedy = (
        ""
        if good
        else "do not use this installation: the encoder computes something else here; report it with this table"
    )
    return Result(CHECK, f"{subject.name}, {name}", OK if good else FAILED, words, d, remedy)


def reference_vectors(name: str, subject: Subject, frames: list[Frame], device) -> np.ndarray:
    """The reference's embeddings, float32 [frames, dim], each computed alone."""
    import torch

    from virnucpro.verify import reference_dnabert_s, reference_esm2

    with subject.weights(device.torch) as weights:
        state = {key: weights.get(key, torch.float32) for key in subject.tensors}
    if subject.kind == "esm2":
        make = reference_esm2.fair_esm if name == "fair-esm" else reference_esm2.transformers
        hidden = make(state, subject.config, subject.layer, device.torch)
        rows = [hidden(peptide).mean(dim=0) for peptide in subject.read(frames)]
    else:
        tokens = _tokenizer_of(subject)
        rows = [
            reference_dnabert_s.hidden(
                torch.tensor(tokens(sequence), device=device.torch),
                state,
                subject.layer,
                subject.config["num_attention_heads"],
            ).mean(dim=0)
            for sequence in subject.read(frames)
        ]
    return torch.stack(rows).cpu().numpy()


def _tokenizer_of(subject: Subject):
    """Token ids of a sequence by the tokenizers library, without the truncation and padding of DNABERT-S's file."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(subject.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda sequence: tokenizer.encode(sequence).ids
