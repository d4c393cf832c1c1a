"""The first stages: packages to genes, what is left out, windows. Each leaves a file; what is there is not redone."""

import time
from pathlib import Path

import numpy as np

from pretraining import choose, noncoding
from pretraining.corpus import (
    CLASSES,
    EUKARYOTE,
    NONCODING,
    OF_GENES,
    PHAGE,
    PROKARYOTE,
    VIRUS,
    Genes,
    read_markers,
)
from pretraining.related import WORD, fasta_records, hits, words_of_bases
from pretraining.windows import Drawer

SEED = 20261127
FOLDS = 5
# Windows drawn of each class, and how many bases of one genome count at most: no genome fills a class.
DRAWN = {PHAGE: 800_000, VIRUS: 480_000, PROKARYOTE: 1_440_000, EUKARYOTE: 240_000}
NONCODING_TIMES = 2.4  # as many windows without genes as noncoding.py says
MOST = {PHAGE: 60e3, VIRUS: 60e3, PROKARYOTE: 60e3, EUKARYOTE: 1e9}

_began = time.monotonic()


def say(text: str) -> None:
    """Progress, with the minutes since the start."""
    print(f"[{(time.monotonic() - _began) / 60:5.1f} min] {text}", flush=True)


def save(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz that is whole or absent."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.replace(path)


def compare(markers: Path, judging: Path, work: Path) -> Path:
    """compared.npz, by gene: 31-mers that judging genomes have, too; share of 10-residue words that are viral, too."""
    path = work / "compared.npz"
    if path.exists():
        return path
    genes, names = read_markers(markers)
    say(f"{len(names):,} genes, " + ", ".join(f"{(genes.kind == k).sum():,} {c}" for k, c in enumerate(OF_GENES)))
    words = words_of_bases(list(fasta_records(judging)))
    say(f"{len(words.words):,} different 31-mers of judging genomes")
    shared = hits(genes.codes, genes.offsets, words, WORD, 2, 4)
    say(f"{(shared > 0).sum():,} genes share one")
    residues = choose.translated(genes)
    share = choose.viral_share(residues.codes, residues.offsets, choose.viral_words(genes, residues))
    say(f"{(share[np.isin(genes.kind, (PROKARYOTE, EUKARYOTE))] > 0).sum():,} host genes have words of viral ones")
    save(path, shared=shared, share=share)
    return path


def gather(markers: Path, compared: Path, work: Path) -> Path:
    """genes.npz: all genes that may be learnt from; left_out.tsv: the others, and why."""
    path = work / "genes.npz"
    if path.exists():
        return path
    genes, names = read_markers(markers)
    with np.load(compared) as z:
        reason = choose.reasons_of_genes(genes.kind, genes.lengths, z["shared"], z["share"])
    choose.write_log(work / "left_out.tsv", genes.kind, names, reason)
    kept = np.flatnonzero(reason == b"")
    sizes = genes.lengths[kept]
    at = np.repeat(genes.offsets[kept] - np.append(0, np.cumsum(sizes)[:-1]), sizes) + np.arange(sizes.sum())
    save(
        path,
        codes=genes.codes[at],
        offsets=np.append(0, np.cumsum(sizes)),
        **{name: getattr(genes, name)[kept] for name in ("place", "kind", "genome", "whole")},
        fold=genes.genome[kept] * 2654435761 % 2**32 // 256 % FOLDS,  # a hash of the genome
    )
    say(f"kept {len(kept):,} genes: {path}")
    return path


def draw(genes_file: Path, packages: Path, work: Path) -> Path:
    """windows.npz: stretches of windows of all classes, with class and fold."""
    path = work / "windows.npz"
    if path.exists():
        return path
    with np.load(genes_file) as z:
        genes, fold = Genes(*(z[name] for name in ("codes", "offsets", "place", "kind", "genome", "whole"))), z["fold"]
    rng = np.random.default_rng(SEED)
    drawer = Drawer(genes, np.ones(len(genes.kind), dtype=bool), rng)
    parts = []
    for kind, name in enumerate(OF_GENES):
        part = drawer.draw(np.flatnonzero(genes.kind == kind), DRAWN[kind], MOST[kind])
        gene = part.pop("gene")
        parts.append(part | {"kind": genes.kind[gene], "fold": fold[gene].astype(np.int8)})
        say(f"{DRAWN[kind]:,} windows of {name}: {len(gene):,} stretches")
    part = noncoding.draw(packages, rng, NONCODING_TIMES)
    number = len(part["residues"])
    # No table has seen these: they are described by any.
    of = {"kind": np.full(number, NONCODING, dtype=np.int8), "fold": rng.integers(0, FOLDS, number).astype(np.int8)}
    parts.append(part | of)
    say(f"windows of {CLASSES[NONCODING]} DNA: {number:,} stretches")
    save(path, **{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})
    return path
