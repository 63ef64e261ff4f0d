"""Fixtures that many tests ask for."""

import numpy as np
import pytest

import sparsefm as fm


@pytest.fixture
def rng():
    """Return random numbers, the same for each test."""
    return np.random.default_rng(0)


@pytest.fixture(params=[fm.FMRegressor, fm.FMClassifier])
def kind(request):
    """Return each of the estimators; a test may name others, as a parameter of its own."""
    return request.param
