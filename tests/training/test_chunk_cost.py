"""A chunk of rows costs what it holds; models share the parameters of their training."""

import copy
import time

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.losses import Squared
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.training_run import TrainingRun

SOLVERS = pytest.mark.parametrize(
    "solver", [fm.Adam(), fm.AdaGrad(), fm.Adam(updates="exact")], ids=["lazy", "adagrad", "exact"]
)


def dataset(n_rows=30, n_features=8, seed=0):
    rng = np.random.default_rng(seed)
    X = sparse.csr_matrix(
        rng.normal(size=(n_rows, n_features)) * (rng.random((1, n_features)) < 0.7)
    )
    y = rng.normal(size=n_rows)
    return Dataset.of(as_csr(X, np.float64), y, (y, -y))


def begun(solver, data):
    return Learner.begin(Hyperparameters(rank=2, solver=solver), Squared(), data, seed=3)


def train(learner, data):
    planner = new_planner(learner.seed, 1, steps=learner.steps)
    run = TrainingRun(learner, data, planner, threads=1, model=lambda: None)
    run.run(2, lambda: (None, {}))


@SOLVERS
def test_models_see_the_parameters(solver):
    data = dataset()
    learner = begun(solver, data)
    models = learner.models()
    assert len(models) == 2
    train(learner, data)
    for model, state in zip(models, learner.states, strict=True):
        assert np.shares_memory(model.V, state.factors)
        assert np.array_equal(model.w, state.w)
    assert copy.copy(learner.models()[0]).loss == "squared"


def test_outputs_start_at_their_own_factors_and_means():
    data = dataset()
    first, second = begun(fm.Adam(), data).states
    assert first.bias[0] == pytest.approx(data.y.mean())
    assert second.bias[0] == pytest.approx(-data.y.mean())
    used = data.used_features
    assert 0 < len(used) < 8
    assert (first.V[used] != second.V[used]).all()
    unused = np.setdiff1d(np.arange(8), used)
    assert not first.V[unused].any()


# --- a chunk costs a chunk ------------------------------------------------------------------------


def chunk_seconds(n_features, known, repeats=9):
    """Return the median time of `partial_fit` on 1,000 rows of a matrix with so many columns.

    The rows have 20 each, out of `known` ones that are spread over all.
    """
    rng = np.random.default_rng(0)

    def chunk():
        columns = rng.integers(0, known, (1000, 20)) * (n_features // known)
        rows = np.repeat(np.arange(1000), 20)
        ones = np.ones(20_000, np.float32)
        X = sparse.csr_matrix((ones, (rows, columns.ravel())), (1000, n_features))
        X.data[:] = 1
        return X, rng.random(1000)

    model = fm.FMRegressor(rank=8, n_threads=1)
    for _ in range(4):
        model.partial_fit(*chunk())
    times = []
    for _ in range(repeats):
        X, y = chunk()
        begun = time.process_time()
        model.partial_fit(X, y)
        times.append(time.process_time() - begun)
    return np.median(times)


def test_a_chunk_costs_the_same_however_many_features_the_model_has():
    def ratio():
        return chunk_seconds(1_000_000, 10_000) / chunk_seconds(10_000, 10_000)

    # It had been 37 times. Other programs may disturb one measurement, but hardly all.
    assert any(ratio() < 2 for _ in range(3))


def test_features_that_are_new_cost_what_they_are():
    known, new = chunk_seconds(10_000, 10_000), chunk_seconds(1_000_000, 1_000_000)
    assert new < 6 * known  # each chunk has 20,000 features of which the model knew few
