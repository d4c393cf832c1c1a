"""A fast first look: which sequences are so surely no viruses, to a small model, that no large one need read them.

The small model is a calibrated classifier on an encoder without PyTorch, as compact is. Its card has, by length and for
each sensitivity, the probability below which a sequence is left out (`screening`, see Thresholds).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from virnucpro.bundle.classifier import CLASSIFIER, read_classifier
from virnucpro.calling.calibration import probabilities, read_calibration
from virnucpro.calling.calls import log_odds
from virnucpro.calling.mlp import Mlp
from virnucpro.encoders.composition.model import load
from virnucpro.errors import InputError, ModelError, UsageError
from virnucpro.frames.cuts import Cut, windows
from virnucpro.frames.fasta import Record, digest, read_fasta
from virnucpro.frames.recoding import chosen_codes
from virnucpro.frames.records import batches, unscorable
from virnucpro.frames.screened import SCREENED


class Thresholds:
    """Probabilities (at as many viruses as others) below which sequences are left out, for one sensitivity.

    From the card's `screening`: {"0.99": {500: 0.02, 1000: 0.05, ...}, ...}, sensitivity, then bases. A sequence's is
    that of the greatest length that it reaches; shorter than all, it is always kept.
    """

    def __init__(self, card: Mapping, sensitivity: float, name: str = ""):
        table = {float(key): rows for key, rows in card.items()}
        if sensitivity not in table:
            known = ", ".join(f"{s:g}" for s in sorted(table)) or "none"
            raise UsageError(f"--screen_sensitivity {sensitivity:g}: the card of {name} has thresholds for {known}")
        rows = sorted((int(bases), float(p)) for bases, p in table[sensitivity].items())
        self._bases = np.array([bases for bases, _ in rows])
        self._below = np.array([0.0, *(p for _, p in rows)])

    def __call__(self, lengths: np.ndarray) -> np.ndarray:
        """float64 [sequences], for lengths in bases; 0 where none is left out."""
        return self._below[np.searchsorted(self._bases, lengths, side="right")]


class Screen:
    """A classifier with its encoder, ready to look at records."""

    def __init__(self, classifier: Path, encoder: Path):
        card = read_classifier(classifier)
        calibration = read_calibration(card.calibration)
        if calibration is None or card.rule != "mean" or [e.kind for e in card.encoders] != ["composition"]:
            raise ModelError(
                f"{classifier / CLASSIFIER}: cannot screen: a calibrated classifier with the rule `mean` on "
                "one encoder of the kind composition is needed, as compact_500 is."
            )
        self.name, self.card, self._calibration = card.name, card.screening, calibration
        self._cut = Cut(card.chunk_length, card.frames, card.min_stretch)
        self._mlp, self._coding = Mlp.of(card), card.coding
        self._encoder = load(encoder)

    def probabilities(self, records: list[Record], genetic_code: int | None = 1) -> np.ndarray:
        """float64 [records]: of being a virus, where viruses are as many as others; NaN where nothing can be read.

        genetic_code: as for `extract`.
        """
        lengths = np.array([len(r.sequence) for r in records], dtype=np.int64)
        wanted = np.array([unscorable(r) is None for r in records], dtype=bool)
        block = b"".join(r.sequence for r in records)
        codes = chosen_codes(block, lengths, wanted, self._cut.length, genetic_code)
        odds, coding, read = (np.zeros(len(records)) for _ in range(3))
        for rows, _ in windows(block, lengths, wanted, self._cut, codes):
            peptides = [peptide.decode() for peptide in rows.frames.peptides]
            residues = np.array([len(p) for p in peptides], dtype=np.float64)
            owner = rows.owner[rows.frames.chunk]
            if len(peptides):
                two, classes = self._mlp.both(self._encoder(peptides))
                odds += np.bincount(owner, residues * log_odds(two), len(records))
                if self._coding is not None:
                    coding += np.bincount(owner, residues * self._coding.evidence(classes), len(records))
                read += np.bincount(owner, residues, len(records))
        found = np.full(len(records), np.nan)
        some = read > 0
        odds = odds[some] / read[some]
        if self._coding is not None:
            odds = self._coding.bounded(odds, coding[some] / read[some])
        found[some] = probabilities(self._calibration(odds, read[some]), 0.5)
        return found


def screen(
    files: Iterable[Path], classifier: Path, encoder: Path, sensitivity: float, genetic_code: int | None = 1
) -> pa.Table:
    """Look at all records of the files; a table of the schema SCREENED, one row per record, in order.

    Where a file is damaged the table is empty: the sample's extraction meets the same fault and accounts for it.
    Memory: a block of records.
    """
    small = Screen(classifier, encoder)
    threshold = Thresholds(small.card, sensitivity, small.name)
    digests, lengths, found = [], [], []
    try:
        for file in files:
            for records in batches(read_fasta(file)):
                digests += [digest(r.sequence) for r in records]
                lengths.append(np.array([len(r.sequence) for r in records], dtype=np.int64))
                found.append(small.probabilities(records, genetic_code))
    except InputError:
        digests, lengths, found = [], [], []
    length, probability = (np.concatenate([np.zeros(0), *parts]) for parts in (lengths, found))
    kept = np.isnan(probability) | (probability >= threshold(length))
    columns = [pa.array(digests, pa.uint64()), pa.array(probability), pa.array(~kept)]
    told = {"classifier": small.name, "by": f"{sensitivity:g}"}
    return pa.table(columns, schema=SCREENED).replace_schema_metadata(told)
