import pytest
from models_published import Run


@pytest.fixture
def run(tmp_path, server, published) -> Run:
    return Run(tmp_path, server.url, published)
