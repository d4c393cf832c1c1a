"""VirNucPro's own way from FASTA to open frames, written anew: Biopython records, Python per codon.

Slow and simple on purpose: the tests hold the pipeline's results against it, the benchmark its speed.
"""

from Bio import SeqIO
from Bio.Seq import Seq

CODONS = {a + b + c: str(Seq(a + b + c).translate()) for a in "ACGT" for b in "ACGT" for c in "ACGT"}
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def chunks_of(record, size):
    """Yield (number from 1, chunk record): the steps back are a list, taken off one after another."""
    length = len(record)
    n = -(-length // size)
    spare = n * size - length
    low = spare // n
    wide = spare - low * (n - 1)
    steps = [low + 1] * wide + [low] * (n - 1 - wide) + [0]
    back = 0
    for k, step in zip(range(n), steps, strict=False):
        yield k + 1, record[k * size - back : k * size - back + size]
        back += step


def translate(strand, frame):
    return "".join(CODONS.get(strand[i : i + 3], "") for i in range(frame, len(strand) - 2, 3))


def open_frames_of(chunk):
    """Yield (frame name, nucleotides, peptide) of a chunk given as a string."""
    chunk = chunk.upper()
    for sense, strand in (("F", chunk), ("R", chunk.translate(COMPLEMENT)[::-1])):
        for frame in range(3):
            peptide = translate(strand, frame)
            if peptide and "*" not in peptide:
                yield f"{sense}{frame + 1}", strand[frame : frame + 1 + 3 * len(peptide)], peptide


def frames_of_file(path, size):
    """Yield (frame id, nucleotides, peptide) for every open frame of a FASTA file."""
    for record in SeqIO.parse(path, "fasta"):
        for number, chunk in chunks_of(record, size):
            for name, nucleotides, peptide in open_frames_of(str(chunk.seq)):
                yield f"{record.id}_chunk_{number}{name}", nucleotides, peptide
