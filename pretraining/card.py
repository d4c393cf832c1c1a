"""The honest card of a compact classifier: what it is for, what it is weak at, what it learnt from, its figures."""

TITLE = "Compact: a small model of our own, in the box"
PURPOSE = (
    "A first answer on any computer, without a download: residues, pairs of residues and words of residues, read by a "
    "small network. Where a call matters, compare it with VirNucPro's published models."
)
LIMITS = (
    "It learnt from genes that mark clades, not from whole genomes: of what all bacteria have it has seen little, of "
    "what lies between genes shuffled spacers alone. So ribosomal proteins may look viral to it. It is weakest on "
    "eukaryotes and their viruses, on small genomes of archaea and of the candidate phyla radiation, on plasmids and "
    "other mobile elements, and on pieces below 500 bases. Its figures come from fragments of RefSeq's genomes of "
    "bacteria, archaea and their viruses."
)
CITATION = "Truong et al. 2015, doi:10.1038/nmeth.3589 (MetaPhlAn2's markers)"
DATA = (
    "Genes of Debian's metaphlan2-data 2.6.0 (MIT). Left out: genes that share a 31-mer with the genomes that judge, "
    "and host genes of which more than a fifth of the 10-residue words are viral. For DNA that codes for nothing, "
    "pieces of chromosomes of nine animals (augustus-doc), and DNA made as it follows base by base in 148 species "
    "(augustus-data, Artistic licence)."
)
SPLIT = (
    "DeepVirFinder's 2,000 training fragments by genome, near relatives (30 shared 21-mers) together: on one half "
    "everything was chosen and calibrated, the other half was reported on."
)
DNA = (
    "Pieces of chromosomes, 2 to 4 Mb each, no base of which was learnt from, nor of any nematode (Debian's "
    "augustus-doc, r-bioc-bsgenome): the share called virus."
)


def card(chunk_length: int, found: dict) -> dict:
    """What classifier.yml says beside the machine's part. found: figures by half and size (recipe.finish)."""
    which = "report" if "report" in found else "choose"
    evaluation = {"data": SPLIT, "half": which, "by_length": {f"{size} bases": f for size, f in found[which].items()}}
    evaluation |= {"eukaryotic_dna": DNA, "eukaryotic_dna_called_virus": found["called_virus"]}
    return {
        "title": f"{TITLE} ({chunk_length} bases a chunk)",
        "purpose": PURPOSE,
        "limits": LIMITS,
        "training": {"data": DATA, "recipe": "pretraining/recipe.py, docs/pretraining.md"},
        "evaluation": evaluation,
        "citation": CITATION,
        "licence": "MIT",
        "source": "trained for this pipeline (docs/pretraining.md)",
    }
