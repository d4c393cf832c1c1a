from pathlib import Path

import pytest
from models_bundles import write_bundle


@pytest.fixture
def bundle(tmp_path) -> Path:
    return write_bundle(tmp_path / "models")
