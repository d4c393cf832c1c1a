#!/usr/bin/env python3
"""Ways to pack nucleotides with gzip: speed and size, of lines of 80 bases of a real genome.

    benchmarks/packed_sequences.py [GENOME.fna.gz]

Without an argument: the E. coli of the bundled example.
"""

import argparse
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

from measure import machine

from virnucpro.calling.fasta_files import LINE
from virnucpro.frames.fasta import read_fasta

EXAMPLE = Path(__file__).resolve().parent.parent / "assets/example/ecoli.fa.gz"
WAYS = {f"level {level}": (level, zlib.Z_DEFAULT_STRATEGY) for level in (1, 4, 6, 9)}
WAYS |= {"Huffman's code alone": (9, zlib.Z_HUFFMAN_ONLY), "and runs of one letter": (9, zlib.Z_RLE)}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("genome", type=Path, nargs="?", default=EXAMPLE)
    genome = p.parse_args().genome
    bases = b"".join(record.sequence for record in read_fasta(genome))
    text = b"\n".join(bases[i : i + LINE] for i in range(0, len(bases), LINE))
    print(f"{len(bases):,} bases of {genome.name}\n{machine()}\n\n| gzip | MB/s | size, of the text |\n|---|---|---|")
    for name, (level, strategy) in WAYS.items():
        packer = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS, 9, strategy)
        began = time.process_time()
        size = len(packer.compress(text)) + len(packer.flush())
        seconds = time.process_time() - began
        print(f"| {name} | {len(text) / 1e6 / seconds:,.1f} | {size / len(text):.4f} |")


if __name__ == "__main__":
    main()
