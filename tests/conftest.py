"""Shared fixtures. The library under test lives in bin/, beside the scripts that use it."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "tests" / "support"))

# The suite says the same on every machine: `auto` is the CPU here. What a GPU computes, verify_models.py checks on it.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

# Machines are shared and noisy: how long an example takes says nothing about the code.
settings.register_profile("pipeline", deadline=None)
settings.load_profile("pipeline")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """Reference data that other programs made (README.md there)."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder with small models as they are published."""
    from models_published import publish

    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def server(published):
    """A server of what is published."""
    from models_published import serve
    from models_server import FileServer

    with FileServer() as s:
        yield serve(s, published)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Genomes that are too large for the checkout, or not to be copied; they lie beside it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data are absent: no folder {folder.name} beside the checkout")
    return folder
