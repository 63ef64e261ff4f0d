"""Fixtures of the tests of the encoding."""

import pytest
from table_libraries import LIBRARIES


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def table(request):
    """Return what makes a table of a dict of columns."""
    if request.param not in LIBRARIES:
        pytest.skip(f"{request.param} is not installed")
    return LIBRARIES[request.param]
