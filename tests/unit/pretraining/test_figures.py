"""How members are judged: AUROC by counting pairs, scores by hand, the centre, halves of whole genomes."""

import numpy as np
import pytest

pytest.importorskip("torch")


def test_auroc_counts_pairs():
    from pretraining.judge import auroc

    rng = np.random.default_rng(1)
    score, label = rng.integers(0, 8, 60).astype(float), rng.integers(0, 2, 60)
    pairs = [(a > b) + (a == b) / 2 for a in score[label == 1] for b in score[label == 0]]
    assert auroc(score, label) == pytest.approx(np.mean(pairs))


def test_a_piece_is_the_mean_of_its_stretches_by_residues():
    from pretraining.judge import Pieces, of_pieces

    residues = np.array([[100, 50, 0, 0, 0, 0], [40, 0, 0, 0, 0, 0], [0] * 6])
    odds = np.array([[2.0, -1, 9, 9, 9, 9], [1, 9, 9, 9, 9, 9], [9] * 6])
    p = Pieces(np.zeros(2), np.zeros(2), np.zeros(2), np.array([0, 0, 1]), np.array([500, 500, 80]), None, residues)
    assert of_pieces(p, odds).tolist() == pytest.approx([(200 - 50 + 40) / 190, 0])


def test_the_centre_is_where_both_are_as_likely():
    from pretraining.figures import centred

    rng = np.random.default_rng(2)
    label = (rng.random(40_000) < 0.2).astype(int)
    odds = rng.normal(np.where(label == 1, 1.0, -1.0) - 0.7, 1.0)  # equal spread: as likely half way, at -0.7
    assert centred(odds, label) == pytest.approx(0.7, abs=0.05)


def test_pieces_that_code_for_nothing_are_no_viruses():
    """By hand: odds for virus of 2 each; one piece codes, one does not."""
    from pretraining.figures import scored
    from pretraining.judge import CODING, Pieces

    residues = np.array([[100, 0, 0, 0, 0, 0], [60, 0, 0, 0, 0, 0], [0] * 6])
    p = Pieces(np.zeros(3), np.zeros(3), np.zeros(3), np.arange(3), np.full(3, 500), None, residues)
    logits = np.zeros((18, 5))
    logits[[0, 6]] = [[2.0, -99, 0, -99, -3.0], [2.0, -99, 0, -99, 3.0]]
    found = scored(p, logits)
    genes = np.log(np.exp(2) + 1)
    codes = np.array([genes + 3, genes - 3])
    expected = -np.log(np.exp(-2) + np.exp(-(CODING.slope * codes + CODING.intercept)))
    assert found.log_odds.tolist() == pytest.approx([*expected, 0], abs=1e-6)
    assert found.residues.tolist() == [100, 60, 0] and found.log_odds[0] > 1.9 and found.log_odds[1] < 0
    more = found.shifted(1.0)  # of viruses alone: the odds of coding change with it
    assert more.log_odds[0] > found.log_odds[0] + 0.9


def test_no_genome_stands_on_both_sides(shared_data):
    from pretraining.judge import fragments

    names, _, labels, group, half = fragments(shared_data / "deepvirfinder_train")
    assert len(names) == 2000 and labels.sum() == 1000
    accession = np.array([n.split("#")[0] for n in names])
    for of in (accession, group):
        assert all(len(set(half[of == x].tolist())) == 1 for x in np.unique(of))
    assert 900 < half.sum() < 1100
