"""metaphlan2-data's marker genes in memory: bases as small numbers, what each gene is, and of which genome.

The package's FASTA has a million genes of two million lines; it is read as bytes, not line by line.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BASES = np.full(256, 4, dtype=np.uint8)  # A, C, G, T: 0 .. 3; all else 4
BASES[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
BASES[np.frombuffer(b"acgt", dtype=np.uint8)] = range(4)

CLASSES = ("phage", "other virus", "prokaryote", "eukaryote", "noncoding")  # genes of four kinds; no gene
PHAGE, VIRUS, PROKARYOTE, EUKARYOTE, NONCODING = range(5)
OF_GENES = CLASSES[:NONCODING]
VIRAL, HOSTS = (PHAGE, VIRUS), (PROKARYOTE, EUKARYOTE)
IS_VIRAL = np.isin(np.arange(len(CLASSES)), VIRAL).astype(np.float32)  # [classes], 1 or 0

_VIRAL_GENE = re.compile(rb"GeneID:(\d+)")
_WHOLE = re.compile(rb"N[CZ]_[^\s:|]+$")  # 181 small viral sequences, complete, not genes
_EUKARYOTE = re.compile(rb"(?:gi\|\d+\|ref\|)?[XN]M_")
_ACCESSION = re.compile(rb"(?:gi\|\d+\|\w+\|)?([^:|\s]+)")

GAP_OF_GENOMES = 1  # GeneIDs of a viral genome follow one another; a larger step begins another genome
ALTERNATIVE_STARTS = [16 * c + 4 * 3 + 2 for c in (2, 3)] + [15]  # GTG, TTG, ATT: phages use them, others hardly do
PHAGE_STARTS, PHAGE_SHARE = 2, 0.03  # of such genes, from which a viral genome counts as a phage


@dataclass
class Genes:
    """Genes one after another. `genome`: those with the same number lie on one genome, neighbours as in `order`."""

    codes: np.ndarray  # uint8 [bases], as BASES has them
    offsets: np.ndarray  # int64 [genes + 1]
    place: np.ndarray  # int64 [genes]: their order along the genomes (a viral gene's GeneID, or the place in the file)
    kind: np.ndarray  # int8 [genes], index into CLASSES
    genome: np.ndarray  # int64 [genes]
    whole: np.ndarray  # bool [genes]: a complete small virus, not a gene

    @property
    def lengths(self) -> np.ndarray:
        """int64 [genes], bases"""
        return np.diff(self.offsets)

    def order(self) -> np.ndarray:
        """Genes by genome, and along it."""
        return np.lexsort((self.place, self.genome))


def read_fasta(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """codes (uint8), offsets (int64 [records + 1]) and header lines (bytes) of a FASTA with Unix line ends."""
    raw = np.fromfile(path, dtype=np.uint8)
    if not len(raw) or raw[0] != ord(">"):
        raise SystemExit(f"{path}: is no FASTA file")
    ends = np.flatnonzero(raw == ord("\n"))
    if not len(ends) or ends[-1] != len(raw) - 1:
        raise SystemExit(f"{path}: its last line does not end; unpack the package again")
    starts = np.append(0, ends[:-1] + 1)
    header = raw[starts] == ord(">")
    names = np.array([raw[a + 1 : b].tobytes() for a, b in zip(starts[header], ends[header], strict=True)])
    sizes = (ends - starts) * ~header
    lengths = np.bincount(np.cumsum(header) - 1, weights=sizes, minlength=len(names)).astype(np.int64)
    base = np.ones(len(raw), dtype=bool)
    base[ends] = False
    step = np.zeros(len(raw) + 1, dtype=np.int8)  # inside a header: 1
    step[starts[header]] += 1
    step[ends[header]] -= 1
    base &= np.cumsum(step[:-1], dtype=np.int8) == 0
    return BASES[raw[base]], np.append(0, np.cumsum(lengths)), names


def read_markers(path: Path) -> tuple[Genes, np.ndarray]:
    """metaphlan2-data's markers.fasta and its names (bytes). A viral genome is a run of neighbouring GeneIDs; it is a
    phage's by its start codons."""
    codes, offsets, names = read_fasta(path)
    viral = np.array([bool(_VIRAL_GENE.match(n)) for n in names])
    whole = np.array([bool(_WHOLE.match(n)) for n in names])
    eukaryote = np.array([bool(_EUKARYOTE.match(n)) for n in names])
    kind = np.full(len(names), PROKARYOTE, dtype=np.int8)
    kind[eukaryote], kind[whole] = EUKARYOTE, VIRUS
    genome = np.empty(len(names), dtype=np.int64)
    rows = np.flatnonzero(viral)
    rows = rows[np.argsort(_numbers(names[rows]), kind="stable")]
    genome[rows] = np.cumsum(np.append(0, np.diff(_numbers(names[rows])) > GAP_OF_GENOMES))
    first = int(genome[rows].max(initial=-1)) + 1
    kind[rows] = np.where(_phages(codes, offsets, rows, genome[rows])[genome[rows]], PHAGE, VIRUS)
    hosts = np.flatnonzero(~viral & ~whole)
    accession = np.array([_ACCESSION.match(n).group(1) for n in names[hosts]])
    genome[hosts] = first + np.unique(accession, return_inverse=True)[1]
    genome[whole] = genome[hosts].max(initial=first) + 1 + np.arange(whole.sum())
    return Genes(codes, offsets, _numbers(names), kind, genome, whole), names


def _numbers(names: np.ndarray) -> np.ndarray:
    """GeneID of each name, int64; the place in the file of those that have none."""
    found = (_VIRAL_GENE.match(n) for n in names)
    return np.array([int(m.group(1)) if m else i for i, m in enumerate(found)], dtype=np.int64)


def _phages(codes: np.ndarray, offsets: np.ndarray, rows: np.ndarray, genome: np.ndarray) -> np.ndarray:
    """bool [genomes]: at least PHAGE_STARTS genes, and PHAGE_SHARE of all, begin with GTG, TTG or ATT."""
    start = offsets[rows]
    codon = 16 * codes[start].astype(np.int64) + 4 * codes[start + 1] + codes[start + 2]
    other = np.bincount(genome, weights=np.isin(codon, ALTERNATIVE_STARTS))
    return (other >= PHAGE_STARTS) & (other >= PHAGE_SHARE * np.bincount(genome))
