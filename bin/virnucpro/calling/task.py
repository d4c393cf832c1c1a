"""One sample's calls, from its tables and embeddings to its result files.

The sample is gone through twice, block by block. The first time frames, chunks and sequences are scored; what concerns
them alone is written, and the sequences are laid by. Then all scores are known, from which the share of viruses and
q-values come: of each sequence three numbers are in memory. The second time sequences are called for good and written.
"""

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.bundle.classifier import Classifier
from virnucpro.calling import results
from virnucpro.calling.calibration import Calibration, Rates, calibrated_odds, call_by_rate
from virnucpro.calling.calls import call_chunks, call_sequences, deciding
from virnucpro.calling.classes import class_of_call, likeliest_classes
from virnucpro.calling.fasta_files import FastaFiles
from virnucpro.calling.growing import Bed, Tsv
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.region_files import RegionFiles, Tracks, region_headers, with_names
from virnucpro.calling.regions import viral_regions
from virnucpro.calling.sample import Sample, SampleTables
from virnucpro.calling.scoring import Scorer
from virnucpro.calling.summary import Summary


@dataclass(frozen=True)
class Calling:
    """How samples are called. Of classifiers there are one or two: of each its card, network and calibration."""

    cards: list[Classifier]
    mlps: list[Mlp]
    calibrations: list[Calibration | None]
    min_score: float
    prevalence: float | None = None  # None: estimated from each sample
    max_fdr: float | None = None  # None: calls by min_score

    @property
    def names(self) -> list[str]:
        return [card.name for card in self.cards]


def call_sample(name: str, fasta: list[Path], tables: Path, embeddings: Path, how: Calling, out: Path) -> dict:
    """Call a sample and write its result files into `out`; its summary, which is written, too.

    fasta: its files, in order. tables, embeddings: folders. InputError where these do not belong together, and where
    the accounts do not add up.
    """
    out.mkdir(parents=True, exist_ok=True)
    sample = SampleTables(name, tables)
    scorer = Scorer(sample.manifest["shards"], embeddings, how.mlps, [e.kind for e in how.cards[0].encoders])
    with tempfile.TemporaryDirectory(dir=out, prefix=".blocks-") as spill:
        first = _Scoring(sample, how, out, Path(spill))
        with first.files:
            for block in sample.blocks():
                first.add(block, scorer)
            scorer.close()
        summary = _call(first, fasta, out)
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    (out / f"{name}.summary.json").write_text(text + "\n", encoding="utf-8")
    return summary


class _Scoring:
    """The first time: all but the sequences' last word."""

    def __init__(self, sample: SampleTables, how: Calling, out: Path, spill: Path):
        self.how, self.spill = how, spill
        self.files = ExitStack()
        enter = self.files.enter_context
        self._chunks, self._bed = enter(Tsv(out / "chunks.tsv")), enter(Bed(out / "viral_regions.bed"))
        self._compatible = enter(results.Compatible(out, spill))
        self._region_files = enter(RegionFiles(out, spill))
        self.manifest = sample.manifest
        self.summary = Summary(sample.name, sample.manifest, how.names)
        self.tracks = Tracks()
        self.odds: list[np.ndarray] = []  # of each block
        self.regions = self.proviruses = self.viruses = 0  # viruses: by --min_score

    def add(self, block: Sample, scorer: Scorer) -> None:
        card = self.how.cards[0]
        scores = scorer.score(block)
        ids = block.sequences["sequence_id"].gather(block.chunks["sequence"])
        chunks = call_chunks(block, scores, card.rule, card.coding).with_columns(ids)
        decisive = deciding(chunks)
        sequences = call_sequences(block, decisive, self.how.min_score, card.rule, card.coding)
        self.odds.append(calibrated_odds(sequences, self.how.calibrations))
        self.viruses += int((sequences["state"] == "virus").sum())
        self.summary.add_calls(sequences, chunks, scores)
        self._chunks.add(results.of_chunks(block.numbered(chunks), self.how.names))
        self._compatible.add(chunks, scores)
        joined = results.joined_viral_chunks(chunks)
        joined = joined.with_columns(sequences["sequence_id"].gather(joined["sequence"]))
        self._bed.add(results.of_viral_chunks(block.numbered(joined)))
        regions = block.numbered(with_names(viral_regions(decisive), sequences, block.first_sequence))
        self._region_files.add(regions)
        self.tracks.add(regions, block.numbered(decisive))
        self.regions += regions.height
        self.proviruses += int((~regions["whole"]).sum())
        spans = results.spans(joined)
        sequences = sequences.with_columns(likeliest_classes(sequences, chunks, scores, card))
        sequences = block.numbered(sequences.join(spans, on="sequence", how="left", maintain_order="left"))
        self._lay_by("sequences", sequences)
        self._lay_by("regions", region_headers(regions))

    def _lay_by(self, what: str, table: pl.DataFrame) -> None:
        table.write_ipc(self.spill / f"{what}_{len(self.odds)}.arrow", compression="lz4")

    def laid_by(self, what: str, number: int) -> pl.DataFrame:
        """What was laid by of block `number`, from 1."""
        path = self.spill / f"{what}_{number}.arrow"
        table = pl.read_ipc(path)
        path.unlink()
        return table


def _call(first: _Scoring, fasta: list[Path], out: Path) -> dict:
    """The second time: calls of sequences, their table, FASTA files and the summary."""
    how, summary = first.how, first.summary
    blocks = len(first.odds)
    rates = Rates(first.odds, how.prevalence, any(how.calibrations))
    viruses = first.viruses if how.max_fdr is None else int((rates.q_value <= how.max_fdr).sum())
    row = 0
    with Tsv(out / "sequences.tsv") as table, FastaFiles(fasta, out, bool(viruses or first.regions)) as packed:
        for number in range(1, blocks + 1):
            sequences = rates.of(first.laid_by("sequences", number), row)
            row += sequences.height
            if how.max_fdr is not None:
                sequences = call_by_rate(sequences, how.max_fdr)
            sequences = sequences.with_columns(class_of_call())
            summary.add_sequences(sequences)
            table.add(results.of_sequences(sequences, first.manifest["files"], how.names))
            viral = results.virus_headers(sequences.filter(pl.col("state") == "virus"))
            packed.add(sequences, viral, first.laid_by("regions", number))
        packed.end()
    summary.check()
    more = {"prevalence": rates.prevalence, "prevalence_given": how.prevalence is not None, "max_fdr": how.max_fdr}
    more |= {"regions": first.regions, "provirus_regions": first.proviruses, "tracks": first.tracks.content()}
    return summary.content(how.min_score) | more
