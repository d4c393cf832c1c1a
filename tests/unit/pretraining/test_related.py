"""Words that judging genomes have, and what is left out for them: against sets of strings."""

import numpy as np
import pytest

COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def dna(rng, n: int) -> str:
    return "".join(rng.choice(list("ACGT"), n))


def codes(text: str) -> np.ndarray:
    from pretraining.corpus import BASES

    return BASES[np.frombuffer(text.encode(), dtype=np.uint8)]


def words(text: str, k: int = 31) -> set[str]:
    return {text[i : i + k] for i in range(len(text) - k + 1) if set(text[i : i + k]) <= set("ACGT")}


@pytest.mark.parametrize(("width", "bits", "known"), [(31, 2, 4), (10, 5, 20), (1, 2, 4), (7, 2, 4)])
def test_a_word_is_its_symbols_as_one_number(rng, width, bits, known):
    from pretraining.related import packed

    symbols = rng.integers(0, known + 1, 200).astype(np.uint8)
    numbers, good = packed(symbols, width, bits, known)
    assert len(numbers) == len(good) == 200 - width + 1
    for i in range(len(numbers)):
        word = symbols[i : i + width].tolist()
        assert good[i] == (max(word) < known)
        if good[i]:
            assert int(numbers[i]) == sum(s << (bits * (width - 1 - j)) for j, s in enumerate(word))


def test_a_sequence_shorter_than_a_word_has_none(rng):
    from pretraining.related import packed

    numbers, good = packed(np.zeros(30, dtype=np.uint8), 31, 2, 4)
    assert len(numbers) == len(good) == 0


def test_genes_that_share_a_31mer_of_either_strand_are_found_and_no_others(rng):
    from pretraining.related import WORD, hits, words_of_bases

    judge = dna(rng, 400) + "N" + dna(rng, 300)
    genes = [
        dna(rng, 200),
        dna(rng, 50) + judge[20:51] + dna(rng, 40),
        dna(rng, 50) + judge[20:50] + dna(rng, 40),  # 30 bases in common
        judge[500:560].translate(COMPLEMENT)[::-1],
        judge[385:416],  # across the N
        judge[100:115],
        judge[115:131],  # a word only together with the gene before
    ]
    both = words(judge) | words(judge.translate(COMPLEMENT)[::-1])
    offsets = np.append(0, np.cumsum([len(g) for g in genes]))
    found = hits(codes("".join(genes)), offsets, words_of_bases([codes(judge)]), WORD, 2, 4)
    assert [n > 0 for n in found.tolist()] == [bool(words(g) & both) for g in genes]
    assert [n > 0 for n in found.tolist()] == [False, True, False, True, False, False, False]


def test_what_is_left_out_and_why(tmp_path, capsys):
    from pretraining.choose import reasons_of_genes, write_log
    from pretraining.corpus import EUKARYOTE, PHAGE, PROKARYOTE, VIRUS

    kind = np.array([PHAGE, PROKARYOTE, PROKARYOTE, EUKARYOTE, VIRUS, PROKARYOTE])
    sizes, shared = np.array([900, 900, 900, 900, 900, 60]), np.array([0, 0, 3, 0, 1, 0])
    share = np.array([1.0, 0.3, 0.3, 0.1, 1.0, 0.0])
    reason = reasons_of_genes(kind, sizes, shared, share)
    word, viral = b"shares a 31-mer with judging genomes", b"host gene of viral words"
    assert reason.tolist() == [b"", viral, word, b"", word, b"shorter than 90 bases"]
    write_log(tmp_path / "left_out.tsv", kind, np.array([b"a", b"b", b"c", b"d", b"e", b"f"]), reason)
    lines = (tmp_path / "left_out.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "b\tprokaryote\thost gene of viral words" and len(lines) == 5
    assert "2 genes kept" in capsys.readouterr().out


def test_host_genes_of_viral_words_are_measured(rng):
    from pretraining.choose import translated, viral_share, viral_words
    from pretraining.corpus import PHAGE, PROKARYOTE, Genes

    phage, other = dna(rng, 3 * 60).replace("T", "G"), dna(rng, 3 * 60).replace("T", "C")  # without stops
    texts = [phage, other, phage[:90] + other[:90]]
    offsets = np.append(0, np.cumsum([len(t) for t in texts]))
    kind = np.array([PHAGE, PROKARYOTE, PROKARYOTE], dtype=np.int8)
    genes = Genes(codes("".join(texts)), offsets, np.arange(3), kind, np.arange(3), np.zeros(3, dtype=bool))
    residues = translated(genes)
    share = viral_share(residues.codes, residues.offsets, viral_words(genes, residues))
    assert share[:2].tolist() == [1, 0] and share[2] == pytest.approx(21 / 51)
