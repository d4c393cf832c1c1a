"""How far embeddings are from those that they should equal."""

import numpy as np


def differences(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Of float32 [rows, dim]: the largest difference of a value, the largest of a row relative to its length, the least
    cosine, and the least after the mean of `expected` is taken off both. NaN where a row has no embedding.

    All embeddings of an encoder point nearly one way: their cosine flatters, the centred one does not.
    """
    a, b = found.astype(np.float64), expected.astype(np.float64)
    mean = b.mean(axis=0) if len(b) > 1 else np.zeros(b.shape[1])
    return {
        "largest": float(np.abs(a - b).max()),
        "relative": float((np.linalg.norm(a - b, axis=1) / np.maximum(np.linalg.norm(b, axis=1), 1e-30)).max()),
        "cosine": _cosine(a, b),
        "centred_cosine": _cosine(a - mean, b - mean),
    }


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(length, 1e-30)).min())


def told(d: dict[str, float]) -> str:
    """In words."""
    return (
        f"largest difference {d['largest']:.2g} ({d['relative']:.2g} relative), cosine {d['cosine']:.7f}, "
        f"centred {d['centred_cosine']:.6f}"
    )
