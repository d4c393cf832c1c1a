"""Genetic codes as Biopython has them, and genomes made with one."""

import numpy as np
from Bio.Data import CodonTable

NCBI = CodonTable.unambiguous_dna_by_id
CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]


def meanings(number: int) -> dict[str, set[str]]:
    """What each codon may be: a residue, a stop, or (in some codes) both."""
    table = NCBI[number]
    residues = {c: {table.forward_table[c]} if c in table.forward_table else set() for c in CODONS}
    return {c: residues[c] | ({"*"} if c in table.stop_codons else set()) for c in CODONS}


def genome(code: int, genes: int, seed: int = 5) -> bytes:
    """Genes of 60 to 400 codons one after another, rich in AT as such phages are, one codon in 40 a former stop."""
    rng = np.random.default_rng(seed)
    former = [c for c in CODONS if meanings(1)[c] == {"*"} != meanings(code)[c]]
    stops = [c for c in CODONS if meanings(code)[c] == {"*"}]
    sense = [c for c in CODONS if meanings(1)[c] != {"*"}]
    share = np.array([2.0 ** sum(base in "AT" for base in codon) for codon in sense])
    parts = []
    for _ in range(genes):
        codons = rng.choice(sense, rng.integers(60, 400), p=share / share.sum())
        if former:
            codons = np.where(rng.random(len(codons)) < 1 / 40, rng.choice(former, len(codons)), codons)
        parts += ["ATG", *codons, rng.choice(stops), "".join(rng.choice(list("AATTCG"), rng.integers(5, 60)))]
    return "".join(parts).encode()
