"""What a calibration is worth: are probabilities kept, and false discovery rates that were asked for?"""

import numpy as np

from virnucpro.calling.calibration import Calibration, estimated_prevalence, probabilities, q_values
from virnucpro.evaluation.figures import reliability

SHARES = (0.01, 0.1, 0.5)  # of viruses in a sample
ASKED = (0.05, 0.1, 0.2)  # false discovery rates
SEQUENCES = 2000  # of a sample
REPEATS = 50


def logit(score: np.ndarray) -> np.ndarray:
    """Log-odds of scores, as calibration.py takes them."""
    score = np.clip(score, 1e-7, 1 - 1e-7)
    return np.log(score) - np.log1p(-score)


def before_and_after(score: np.ndarray, weight: np.ndarray, label: np.ndarray, calibration: Calibration) -> dict:
    """Reliability of the score, taken for a probability, and of the probability where as many are viruses as here."""
    after = probabilities(calibration(logit(score), weight), float(np.clip(label.mean(), 1e-4, 1 - 1e-4)))
    found = {}
    for name, p in (("before", score), ("after", after)):
        rows, error = reliability(p, label)
        found[name] = {"error": error, "bins": rows}
    return found


def achieved_rates(
    score: np.ndarray, weight: np.ndarray, label: np.ndarray, calibration: Calibration, seed: int
) -> list[dict]:
    """Samples of SEQUENCES drawn with replacement so that a share of SHARES are viruses, each called by q-value at
    ASKED: the mean false discovery rate, viruses found, and the share of viruses that the samples were estimated to
    have. A sample in which nothing is called has no false discovery."""
    random = np.random.default_rng(seed)
    odds = calibration(logit(score), weight)
    pools = [np.flatnonzero(label == value) for value in (0, 1)]
    if not all(map(len, pools)):
        return []
    rows = []
    for share in SHARES:
        viruses = round(share * SEQUENCES)
        truth = np.arange(SEQUENCES) < viruses
        estimates, wrong, right = [], np.zeros((REPEATS, len(ASKED))), np.zeros((REPEATS, len(ASKED)))
        for repeat in range(REPEATS):
            drawn = np.r_[random.choice(pools[1], viruses), random.choice(pools[0], SEQUENCES - viruses)]
            estimates.append(estimated_prevalence(odds[drawn]))
            q = q_values(probabilities(odds[drawn], estimates[-1]))
            for i, asked in enumerate(ASKED):
                called = q <= asked
                wrong[repeat, i] = (called & ~truth).sum() / max(called.sum(), 1)
                right[repeat, i] = (called & truth).sum() / viruses
        for i, asked in enumerate(ASKED):
            rows.append(
                {"share_of_viruses": share, "estimated_share": round(float(np.mean(estimates)), 4)}
                | {"asked": asked, "false_discovery_rate": round(float(wrong[:, i].mean()), 4)}
                | {"found": round(float(right[:, i].mean()), 4)}
            )
    return rows
