"""NCBI's genetic codes that differ from the standard one in stops alone: some of its stops are residues there.

A frame that is open under the standard code is therefore open under each of them, with the same peptide. Codes in which
other codons differ, as in mitochondria of animals, are not here. Numbers and residues: NCBI's "The Genetic Codes", to
which the tests hold them by way of Biopython.
"""

from functools import cache
from typing import NamedTuple

CODON_ORDER = "TCAG"
AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"  # code 1, in that order
RESIDUES = {
    1: {},
    4: {"TGA": "W"},
    6: {"TAA": "Q", "TAG": "Q"},
    10: {"TGA": "C"},
    11: {},
    15: {"TAG": "Q"},
    16: {"TAG": "L"},
    25: {"TGA": "G"},
    29: {"TAA": "Y", "TAG": "Y"},
    30: {"TAA": "E", "TAG": "E"},
    32: {"TAG": "W"},
}


class GeneticCode(NamedTuple):
    """Tables by codon number: 25 a + 5 b + c for the letters' codes, A C G T -> 0..3. Of each pair the first is for the
    forward strand, the second for the reverse one, read along the forward strand."""

    residues: tuple[bytes, bytes]  # for bytes.translate; 0 where a codon is none
    stops: tuple[list[int], list[int]]
    former_stops: tuple[list[int], list[int]]  # stops of the standard code that are residues


@cache
def genetic_code(number: int) -> GeneticCode:
    """The code of NCBI's `number`, one of RESIDUES (KeyError)."""
    own = RESIDUES[number]
    codons = [a + b + c for a in CODON_ORDER for b in CODON_ORDER for c in CODON_ORDER]
    tables = bytearray(256), bytearray(256)
    stops, former = ([], []), ([], [])
    for codon, standard in zip(codons, AMINO_ACIDS, strict=True):
        for strand, table in enumerate(tables):
            at = codon_number(codon, strand)
            table[at] = ord(own.get(codon, standard))
            if standard == "*":
                (former if codon in own else stops)[strand].append(at)
    return GeneticCode((bytes(tables[0]), bytes(tables[1])), stops, former)


def codon_number(codon: str, strand: int) -> int:
    """Number of a codon that is read forward (strand 0), or of what it is on the other strand (1)."""
    a, b, c = ("ACGT".index(letter) for letter in codon)
    return 25 * (3 - c) + 5 * (3 - b) + (3 - a) if strand else 25 * a + 5 * b + c


STANDARD = genetic_code(1)
