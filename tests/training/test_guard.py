"""A callback that changes the rows is told so; the core never reads what it did not check."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm.training.guard import Guard, guards_of

CHANGES = {
    "columns": lambda X: X.indices.fill(10**8),
    "one column": lambda X: X.indices.__setitem__(5, -7),
    "values": lambda X: X.data.__setitem__(5, 3.5),
    "not a number": lambda X: X.data.fill(np.nan),
    "offsets": lambda X: X.indptr.__setitem__(3, 10**9),
    "offsets, swapped": lambda X: X.indptr.__setitem__([2, 3], X.indptr[[3, 2]]),
    "memory": lambda X: X.indices.resize(3, refcheck=False),
}
QUICK = {"rank": 2, "epochs": 3, "solver": fm.Adam(), "init": "normal", "init_scale": 0.1}


def data():
    X = sparse.random(60, 8, density=0.4, format="csr", dtype="f4", random_state=0)
    X.data, X.indices = np.ones_like(X.data), X.indices.copy()  # an estimator borrows ones, too
    return X, np.arange(60.0) % 7


class Changing:
    """A callback that changes a matrix, at one of the moments at which it is called."""

    def __init__(self, change, X, moment):
        self.change, self.X, self.moment = change, X, moment

    def begin(self, training):
        self.do("begin")

    def __call__(self, epoch):
        self.do("epoch")

    def search(self, candidate):
        self.do("search")

    def do(self, moment):
        if moment == self.moment:
            self.change(self.X)
            self.moment = None


CALLS = {
    "train": lambda X, y, c: fm.train(X, y, rank=2, epochs=3, callbacks=[c]),
    "Gibbs": lambda X, y, c: fm.train(X, y, solver=fm.Gibbs(), epochs=8, callbacks=[c]),
    "fit": lambda X, y, c: fm.FMRegressor(**QUICK, callbacks=[c]).fit(X, y),
    "fit, Gibbs": lambda X, y, c: fm.FMRegressor(solver=fm.Gibbs(), callbacks=[c]).fit(X, y),
    "partial_fit": lambda X, y, c: fm.FMRegressor(callbacks=[c]).partial_fit(X, y),
}


@pytest.mark.parametrize("moment", ["begin", "epoch"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_changed_rows_are_an_error(call, change, moment):
    X, y = data()
    with pytest.raises(ValueError, match=r"^X, or .* was changed by a callback or metric"):
        call(X, y, Changing(change, X, moment))


@pytest.mark.parametrize("change", [CHANGES["columns"], CHANGES["offsets"]])
def test_changed_validation_rows_are_an_error(change):
    (X, y), (X_val, y_val) = data(), data()
    calls = (
        lambda c: fm.train(X, y, X_val, y_val, rank=2, epochs=3, callbacks=[c]),
        lambda c: fm.FMRegressor(**QUICK, callbacks=[c]).fit(X, y, eval_set=(X_val, y_val)),
    )
    for call in calls:
        with pytest.raises(ValueError, match="was changed by a callback"):
            call(Changing(change, X_val, "epoch"))
        X_val, y_val = data()


def test_changes_during_the_search_are_an_error():
    X, y = data()
    with pytest.raises(ValueError, match="was changed by a callback"):
        fm.FMRegressor(callbacks=[Changing(CHANGES["columns"], X, "search")]).fit(X, y)


def test_changes_by_a_metric_are_an_error():
    X, y = data()

    def bad_error(truth, predicted):
        X.indices[:] = 10**8
        return 0.0

    model = fm.FMRegressor(**QUICK, scoring=bad_error)
    with pytest.raises(ValueError, match="was changed by a callback or metric"):
        model.fit(X, y, eval_set=data())


def test_changed_targets_change_nothing():
    X, y = data()
    expected = fm.train(X, y, X, y, rank=2, epochs=3)

    def change(epoch):
        y[:] = np.nan

    found = fm.train(X, y, X, y, rank=2, epochs=3, callbacks=[change])
    np.testing.assert_array_equal(found.V, expected.V)
    assert found.history[-1].val_loss == expected.history[-1].val_loss


def test_what_is_copied_may_be_changed():
    X, y = data()
    X = X.toarray()

    def change(epoch):
        X[1:] = np.nan

    fm.train(X, y, epochs=2, callbacks=[change])
    X, _ = data()
    X = X.toarray()
    fm.FMRegressor(**QUICK, callbacks=[change]).fit(X, y)


def test_the_callbacks_of_the_package_cost_nothing():
    own = [fm.EarlyStopping(), fm.LearningRateSchedule(lambda epoch: 0.1), None, "rmse"]
    assert guards_of(own) == []
    assert len(guards_of([*own, print])) == 1
    Guard([]).check()


def test_the_process_lives():
    code = """
import numpy as np, scipy.sparse as sp, sparsefm as fm
X = sp.random(5000, 1000, density=0.01, format="csr", random_state=0)
def change(epoch):
    X.indices[:] = 2**31 - 1
try:
    fm.train(X, np.ones(5000), epochs=5, callbacks=[change])
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "changed by a callback" in done.stdout
