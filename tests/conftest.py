"""Fixtures that many tests ask for."""

import os

import numpy as np
import pytest
from hypothesis import settings

import sparsefm as fm
from sparsefm.estimators import views
from sparsefm.tuning import contest, racing, search
from sparsefm.tuning.numbers import CHOICES
from sparsefm.tuning.portfolio import PAIRS, PORTFOLIO
from sparsefm.tuning.trials import begin

# The same examples in every run: who changes nothing sees nothing fail. To look for new ones:
# pytest --hypothesis-profile=default
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

# Workers of `pytest -n` share the cores; what a test starts does, too.
workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if workers > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.fixture
def rng():
    """Return random numbers, the same for each test."""
    return np.random.default_rng(0)


@pytest.fixture(params=[fm.FMRegressor, fm.FMClassifier])
def kind(request):
    """Return each of the estimators; a test may name others, as a parameter of its own."""
    return request.param


@pytest.fixture
def brief_search(monkeypatch):
    """Make searches short: few candidates of each kind, encodings and sweeps."""
    monkeypatch.setattr(contest, "PORTFOLIO", (PORTFOLIO[3], PAIRS))
    for module in (contest, search):
        monkeypatch.setattr(module, "sweeps_for", lambda n_rows, effort: 8)
    monkeypatch.setattr(views, "CHOICES", CHOICES[:3])
    monkeypatch.setattr(contest.Optimizers, "vary", lambda self, candidates: candidates)
    monkeypatch.setattr(search, "MAX_EPOCHS", 20)


@pytest.fixture
def entrants(monkeypatch):
    """Return a list of all settings that are tried, with the folds that they are tried on."""
    found = []

    def spy(settings, fold, conditions):
        found.append((settings, fold))
        return begin(settings, fold, conditions)

    monkeypatch.setattr(racing, "begin", spy)
    return found
