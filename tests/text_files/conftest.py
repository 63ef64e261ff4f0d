"""Files to read."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="data.svm"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write
