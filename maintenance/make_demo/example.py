"""The example input: phage lambda and the first bases of E. coli 536, from Debian's packages, cut into contigs."""

import gzip
from collections.abc import Iterable
from pathlib import Path

LAMBDA = Path("/usr/share/doc/bowtie2/examples/reference/lambda_virus.fa.gz")  # package bowtie2-examples
ECOLI = Path("/usr/share/doc/bowtie/examples/genomes/NC_008253.fna.gz")  # package bowtie-examples

# Start (0-based) and lengths of contigs, which are cut one after the other. The E. coli chromosome is numbered from the
# threonine operon; 176,500 bases on, thrW is still far, the first known insertion site of a prophage or island.
ECOLI_CONTIGS = (0, (40_000, 25_000, 15_000, 10_000, 6_000, 3_000, 2_000, 1_200, 800, 450))
MIXED_HOST = (110_000, (30_000, 20_000, 10_000, 5_000, 1_500))
MIXED_PHAGE = (1_000, (20_000, 10_000, 5_000, 2_500, 1_200, 700))

Record = tuple[str, str]


def read_one(path: Path) -> str:
    """The sequence of a file with one record."""
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return "".join(line.strip() for line in f if not line.startswith(">")).upper()


def genomes_of_example() -> tuple[str, str]:
    """Phage lambda, and the stretch of E. coli that the example's contigs are cut from."""
    end = max(start + sum(lengths) for start, lengths in (ECOLI_CONTIGS, MIXED_HOST))
    return read_one(LAMBDA), read_one(ECOLI)[:end]


def contigs(genome: str, accession: str, name: str, plan: tuple[int, tuple[int, ...]]) -> list[Record]:
    """Records (header, sequence): consecutive pieces; the header gives 1-based coordinates in the accession."""
    start, lengths = plan
    records = []
    for number, length in enumerate(lengths, 1):
        end = start + length
        records.append((f"{name}_{number} {accession}:{start + 1}-{end}", genome[start:end]))
        start = end
    return records


def write_fasta(path: Path, records: Iterable[Record], width: int = 80) -> None:
    """Gzip without name and time, so that equal input gives equal bytes."""
    lines = []
    for header, sequence in records:
        lines.append(f">{header}")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


def write_example(folder: Path) -> None:
    """Write the FASTA files and samples.csv into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    phage, host = read_one(LAMBDA), read_one(ECOLI)
    write_fasta(folder / "lambda.fa.gz", [("NC_001416.1 Escherichia phage lambda, complete genome", phage)])
    write_fasta(folder / "ecoli.fa.gz", contigs(host, "NC_008253.1", "ecoli", ECOLI_CONTIGS))
    write_fasta(folder / "mixed_host.fa.gz", contigs(host, "NC_008253.1", "host", MIXED_HOST))
    write_fasta(folder / "mixed_phage.fa.gz", contigs(phage, "NC_001416.1", "phage", MIXED_PHAGE))
    rows = ["sample,fasta", "lambda,lambda.fa.gz", "ecoli,ecoli.fa.gz"]
    rows += ["mixed,mixed_host.fa.gz", "mixed,mixed_phage.fa.gz"]
    (folder / "samples.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
