#!/usr/bin/env python3
"""EXTRACT_FRAMES against VirNucPro's own way (Biopython records, Python per codon) on the same real sequence.

    benchmarks/extract_frames.py GENOME.fna.gz [--megabases 100] [--rounds 3]

GENOME is any real FASTA (Debian's package bowtie-examples has E. coli 536, NC_008253.fna.gz); contigs of mixed lengths
are drawn from it until there are enough bases. Both contenders read the same file and write what they find.
"""

import argparse
import gzip
import random
import sys
import tempfile
from pathlib import Path

from measure import machine, run, table, take_turns

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))


def draw(genome: Path, megabases: int, path: Path) -> None:
    """Contigs of log-normal length (median 3 kb), as assemblies have them, until `megabases` are reached."""
    opened = gzip.open if genome.suffix == ".gz" else open
    with opened(genome, "rt") as text:
        bases = "".join(line.strip() for line in text if not line.startswith(">"))
    rng = random.Random(3)
    total = number = 0
    with path.open("w", encoding="utf-8") as out:
        while total < megabases * 1_000_000:
            length = int(min(len(bases) // 2, 200_000, max(300, rng.lognormvariate(8, 1.2))))
            start = rng.randrange(len(bases) - length)
            contig = bases[start : start + length]
            out.write(f">contig_{number}\n" + "\n".join(contig[i : i + 70] for i in range(0, length, 70)) + "\n")
            total, number = total + length, number + 1


def virnucpro_way(path: Path, size: int, out: Path) -> None:
    """VirNucPro's steps: chunks to a file, read again, frames to two files, these to files of 10,000 sequences."""
    from Bio import SeqIO
    from virnucpro_way import chunks_of, open_frames_of

    with (out / "chunks.fa").open("w", encoding="utf-8") as chunks:
        for record in SeqIO.parse(path, "fasta"):
            for number, part in chunks_of(record, size):
                part.id, part.description = f"{record.id}_chunk_{number}", ""
                SeqIO.write(part, chunks, "fasta")
    with (
        (out / "n.fa").open("w", encoding="utf-8") as nucleotides,
        (out / "p.faa").open("w", encoding="utf-8") as peptides,
    ):
        for record in list(SeqIO.parse(out / "chunks.fa", "fasta")):
            for frame, dna, protein in open_frames_of(str(record.seq)):
                nucleotides.write(f">{record.id}{frame}\n{dna}\n")
                peptides.write(f">{record.id}{frame}\n{protein}\n")
    for name in ("n.fa", "p.faa"):
        split(out / name, out)


def split(path: Path, out: Path, size: int = 10_000) -> None:
    """Line by line into files of `size` sequences, as VirNucPro cuts them; ours are the shards."""
    part, count = None, 0
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(">"):
                if count % size == 0:
                    if part:
                        part.close()
                    part = (out / f"{path.stem}_{count // size + 1}.fa").open("w", encoding="utf-8")
                count += 1
            part.write(line)
    if part:
        part.close()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("genome", type=Path)
    p.add_argument("--megabases", type=int, default=100)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--virnucpro_way", type=Path, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.virnucpro_way:
        virnucpro_way(a.genome, 500, a.virnucpro_way)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        fasta, tenth = out / "in.fa", out / "tenth.fa"
        draw(a.genome, a.megabases, fasta)
        draw(a.genome, max(1, a.megabases // 10), tenth)
        script = [sys.executable, ROOT / "bin/extract_frames.py", "--chunk_length", "500", "--out", out / "o"]
        costs = take_turns(
            {
                "VirNucPro's way": lambda: run([sys.executable, __file__, fasta, "--virnucpro_way", out]),
                "extract_frames.py": lambda: run([*script, "--sample", "s", fasta]),
                "extract_frames.py, a tenth": lambda: run([*script, "--sample", "t", tenth]),
            },
            a.rounds,
        )
    print(f"{a.megabases} Mb of {a.genome.name} in contigs, chunks of 500; {a.rounds} rounds, min / median / max")
    print(f"{machine()}\n")
    print(table(costs, "VirNucPro's way"))


if __name__ == "__main__":
    main()
