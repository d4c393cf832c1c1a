"""The plain DNABERT-S, with which the pipeline's own is compared on site, against what the original code gave."""

import pytest
from safetensors.torch import load_file

from virnucpro.verify import reference_dnabert_s


@pytest.mark.parametrize("tokens", [3, 110, 600])
def test_the_plain_dnabert_s_equals_the_original(data, tokens):
    golden = load_file(data / "dnabert_s_golden/reference.safetensors")
    state = load_file(data / "dnabert_s_golden/model.safetensors")
    hidden = reference_dnabert_s.hidden(golden[f"ids_{tokens}"], state, layers=3, heads=12)
    assert (hidden - golden[f"hidden_{tokens}"]).abs().max() < 1e-4


def test_slopes_of_twelve_heads():
    expected = [2**-i for i in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    assert reference_dnabert_s.slopes(12) == pytest.approx(expected)
