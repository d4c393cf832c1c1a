"""The corpus: records of the package's forms, genomes, phages, and windows with their genes."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def gene(rng, codons: int, start: str = "ATG") -> str:
    from Bio.Data import CodonTable

    coding = sorted(CodonTable.unambiguous_dna_by_id[1].forward_table)
    return start + "".join(rng.choice(coding, codons - 2)) + "TAA"


@pytest.fixture
def markers(rng, tmp_path):
    """A phage of four genes (two with other starts), a virus, two genes of one host, a eukaryote, a whole virus."""
    starts = {101: "GTG", 102: "ATG", 103: "TTG", 104: "ATG", 300: "ATG", 301: "ATG", 302: "ATG"}
    genes = {f"GeneID:{n}": gene(rng, 100, s) for n, s in starts.items()}
    genes |= {f"gi|5|ref|NC_000001.1|:{a}-{a + 299}": gene(rng, 100) for a in (1, 900)}
    genes |= {"gi|9|ref|XM_000001.1|:1-300": gene(rng, 100), "NC_000009": "ACGTN" * 60}
    path = tmp_path / "markers.fasta"
    path.write_text("".join(f">{name}\n{s[:70]}\n{s[70:]}\n" for name, s in genes.items()), encoding="utf-8")
    return path, genes


def test_records_are_read_whole_and_told_apart(markers):
    from pretraining.corpus import EUKARYOTE, PHAGE, PROKARYOTE, VIRUS, read_markers

    path, text = markers
    genes, names = read_markers(path)
    assert [n.decode() for n in names] == list(text)
    for i, sequence in enumerate(text.values()):
        codes = genes.codes[genes.offsets[i] : genes.offsets[i + 1]]
        assert "".join("ACGTN"[c] for c in codes) == sequence
    assert genes.kind.tolist() == [PHAGE] * 4 + [VIRUS] * 3 + [PROKARYOTE] * 2 + [EUKARYOTE, VIRUS]
    assert genes.whole.tolist() == [False] * 10 + [True]
    g = genes.genome.tolist()
    assert len(set(g[:4])) == len(set(g[4:7])) == len(set(g[7:9])) == 1 and len(set(g)) == 5


def test_what_is_no_fasta_is_refused(tmp_path):
    from pretraining.corpus import read_markers

    (tmp_path / "x").write_text("hello\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="no FASTA"):
        read_markers(tmp_path / "x")


def test_windows_hold_neighbours_of_one_genome_and_name_their_genes(markers, rng):
    from pretraining.corpus import read_markers
    from pretraining.stretches import CODONS
    from pretraining.windows import Drawer

    genes, _ = read_markers(markers[0])
    peptide = [
        "".join(
            map(
                chr,
                CODONS[
                    [
                        25 * a + 5 * b + c
                        for a, b, c in genes.codes[genes.offsets[i] : genes.offsets[i + 1]].reshape(-1, 3)
                    ]
                ]
                + 65,
            )
        )
        for i in range(10)
    ]
    drawer = Drawer(genes, np.ones(11, dtype=bool), rng)
    found = drawer.draw(np.arange(10), 300, 1e9)
    assert found["residues"].min() >= 30 and 300 < len(found["residues"]) <= 600
    inside = 0
    for residues, row, gene_of in zip(found["residues"], found["peptide"], found["gene"], strict=True):
        read = "".join(map(chr, row[:residues] + 65))
        inside += read[len(read) // 2 - 10 : len(read) // 2 + 10] in peptide[gene_of]
    assert inside > 150  # the others lie in a wrong frame
    windows, owner, lengths = drawer._cut(np.repeat(np.arange(10), 20))
    for row, length in enumerate(lengths.tolist()):
        of = {int(genes.genome[g]) for g in owner[row, :length] if g >= 0}
        assert of == {int(genes.genome[row // 20])}
        assert (windows[row, length:] == 4).all()
