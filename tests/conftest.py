"""Shared fixtures. The library under test lives in bin/, beside the scripts that use it."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "tests"))


# Machines are shared and noisy: how long an example takes says nothing about the code.
settings.register_profile("pipeline", deadline=None)
settings.load_profile("pipeline")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Published reference data, which lie beside the checkout and are no part of it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data are absent: no folder {folder.name} beside the checkout")
    return folder
