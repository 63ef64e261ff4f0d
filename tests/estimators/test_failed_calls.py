"""Calls that fail or are interrupted change nothing, and leave no trace in what follows."""

import pickle

import numpy as np
import pytest
from estimating import assert_same, products, targets

import sparsefm as fm
from sparsefm.estimators import going_on

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "batch_size": 16, "search": None}
SOLVERS = pytest.mark.parametrize(
    "solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()], ids=["lazy", "exact", "adagrad"]
)


@pytest.fixture(autouse=True)
def changed_in_place(monkeypatch):
    """Small models are copied first; have them changed in place, as large ones are."""
    monkeypatch.setattr(going_on, "SMALL_MODEL", 0)


def table(values, numbers):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"city": values, "x": numbers})


class Interrupting:
    """Raises when it has been told of some epochs."""

    def __init__(self, error, epochs):
        self.error, self.left = error, epochs

    def __call__(self, epoch):
        self.left -= 1
        if not self.left:
            raise self.error


@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm fit"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("enough")])
def test_an_interrupted_call_changes_nothing(kind, method, error):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST, warm_start=method == "warm fit")
    interrupting = {"callbacks": [Interrupting(error, 1 if method == "partial_fit" else 2)]}
    fit = {"warm fit": "fit"}.get(method, method)
    with pytest.raises(type(error)):
        getattr(estimator.set_params(**interrupting), fit)(X, y)
    assert not hasattr(estimator, "n_features_in_")
    assert not hasattr(estimator, "encoder_")
    getattr(estimator.set_params(callbacks=()), fit)(X, y)
    kept = pickle.loads(pickle.dumps(estimator))
    interrupting["callbacks"][0].left = 1
    with pytest.raises(type(error)):
        getattr(estimator.set_params(**interrupting), fit)(np.c_[X, X] if fit == "fit" else X, y)
    assert estimator.n_features_in_ == 4
    assert_same(estimator, kept, X)
    assert_same(getattr(estimator.set_params(callbacks=()), fit)(X, y), getattr(kept, fit)(X, y), X)


@SOLVERS
@pytest.mark.parametrize("calls", [1, 3])
def test_a_failed_call_leaves_no_trace_in_what_follows(kind, solver, calls):
    """Nor in features that its rows have not, or that joined in it, nor in moments and steps."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    y = targets(kind, x)
    estimator = kind(**FAST | {"solver": solver})
    for city in ("rome", "oslo", "lima"):
        estimator.partial_fit(table(np.resize([city, "rome"], 90), x), y)
    kept = pickle.loads(pickle.dumps(estimator))
    for call in range(calls):
        failing = [Interrupting(RuntimeError("enough"), 1)]
        with pytest.raises(RuntimeError):
            estimator.set_params(callbacks=failing).partial_fit(table([f"new {call}"] * 90, x), y)
    estimator.set_params(callbacks=())
    known = table(np.resize(["rome", "oslo", "lima"], 90), x)
    assert_same(estimator, kept, known)
    for city in ("oslo", "bern", "rome"):
        more = table([city] * 90, x)
        assert_same(estimator.partial_fit(more, y), kept.partial_fit(more, y), known)


def test_a_call_with_wrong_arguments_changes_nothing(kind):
    rng = np.random.default_rng(0)
    x, city = rng.normal(size=90), rng.choice(["rome", "oslo"], 90)
    old, y = table(city, x), targets(kind, x * (city == "rome"))
    estimator = kind(**FAST).fit(old, y)
    kept = pickle.loads(pickle.dumps(estimator))
    new = table(["lima"] * 90, x)
    for method in ("fit", "partial_fit"):
        for arguments in ((new, y[:-1]), (new, y, -np.ones(90)), (new[["x"]].iloc[:0], [])):
            keywords = dict(zip(("X", "y", "sample_weight"), arguments, strict=False))
            with pytest.raises(ValueError):  # noqa: PT011
                getattr(estimator, method)(**keywords)
            assert_same(estimator, kept, old)
    estimator.partial_fit(new, y)
    assert_same(estimator, kept.partial_fit(new, y), old)


def test_divergence_leaves_what_was_there(kind):
    X, y = products()
    y = targets(kind, y)
    wild = kind(**FAST | {"solver": fm.Adam(learning_rate=1e30)})
    with pytest.raises(fm.DivergenceError, match="learning rate"):
        wild.fit(X, y)
    assert not hasattr(wild, "encoder_")
    estimator = kind(**FAST).fit(X, y)
    kept = pickle.loads(pickle.dumps(estimator))
    with pytest.raises(fm.DivergenceError):
        estimator.set_params(solver=wild.solver).fit(X, y)
    assert_same(estimator, kept, X)
