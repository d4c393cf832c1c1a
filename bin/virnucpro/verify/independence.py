"""The same sequence alone, in other company, at another place and in another batch."""

import numpy as np

from virnucpro.verify.measuring import Bench, compared
from virnucpro.verify.results import FAILED, OK, Result
from virnucpro.verify.subjects import Subject

CHECK = "independence"
# Of a row's difference to the row as it was first computed, relative to how far the rows lie from their mean.
# In half precision a library's choice of kernel, which follows the batch's size, moves a trained encoder's rows by some
# hundredths: as far as they lie from fp32 (docs/performance.md). A row that others leak into moves by far more.
MOST = {"fp32": 1e-4, "fp16": 5e-2, "bf16": 3e-1, "fp64": 1e-6}


def check_independence(subject: Subject, bench: Bench) -> list[Result]:
    """One line, in the precision that a run takes: the way that differs most."""
    precision = bench.chosen[subject.name]
    measured = bench.measured(subject, precision)
    places = {frame: row for row, frame in enumerate(bench.sets.probes)}
    first = measured.vectors["probes"][[places[frame] for frame in compared(bench.sets)]].astype(np.float64)
    scale = np.linalg.norm(first - first.mean(axis=0), axis=1).mean()
    found = {way: float(np.linalg.norm(v - first, axis=1).max() / scale) for way, v in measured.ways.items()}
    worst = max(found, key=lambda way: np.inf if np.isnan(found[way]) else found[way])
    good = found[worst] <= MOST[precision]
    words = f"{len(first)} sequences in {precision}, {', '.join(found)}: they differ at most by {found[worst]:.2g}"
    words += " of their spread"
    remedy = (
        ""
        if good
        else "results depend on what is computed together: do not use this installation; report it with this table"
    )
    if not good:
        words += f" ({worst}); {MOST[precision]:g} is allowed"
    return [Result(CHECK, subject.name, OK if good else FAILED, words, found, remedy)]
