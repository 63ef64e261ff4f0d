"""What threads see of an object that one of them is fitting."""

import threading

import numpy as np
import pytest
from estimating import products, targets

import sparsefm as fm
from sparsefm.snapshots import consistent, fitted_aside

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "search": None, "n_threads": 1}


class Pair:
    """Two numbers that belong together."""

    def __init__(self):
        self.first = self.second = self.parameter = 0

    def fit(self, value, then=lambda: None):
        with fitted_aside(self) as fitted:
            fitted.first = value
            then()
            fitted.second = value
            vars(fitted).pop("extra", None)

    @consistent
    def both(self):
        """Return both."""
        first = self.first
        return first, self.second


def in_another_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_others_see_the_old_state_and_this_thread_the_new_one():
    pair, seen = Pair(), []

    def look():
        seen.extend([in_another_thread(pair.both), pair.both(), pair.first])

    pair.fit(3, look)
    assert seen == [(0, 0), (3, 0), 0]
    assert pair.both() == in_another_thread(pair.both) == (3, 3)
    assert Pair.both.__doc__ == "Return both."


def test_what_is_set_meanwhile_stays_and_what_fitting_removes_goes():
    pair = Pair()
    pair.extra = 1
    pair.fit(3, lambda: setattr(pair, "parameter", 7))
    assert (pair.parameter, pair.first, hasattr(pair, "extra")) == (7, 3, False)


def test_an_error_changes_nothing():
    pair = Pair()

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pair.fit(3, fail)
    assert pair.both() == (0, 0)


def test_a_call_sees_one_state_even_if_that_is_replaced_meanwhile():
    class Slow(Pair):
        @consistent
        def both(self):
            first = self.first
            pair.fit(first + 1)
            return first, self.second

    pair = Slow()
    assert [pair.both() for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]


# --- estimators -----------------------------------------------------------------------------------


def readings(estimator, X):
    """Return the public calls that read what is fitted."""
    calls = [
        estimator.predict,
        lambda X: estimator.interactions(3),
        lambda X: estimator.explain(X[:5]).bias,
        lambda X: estimator.field_interactions(),
        lambda X: estimator.describe(),
        lambda X: (estimator.w_, estimator.V_, estimator.w0_),
        lambda X: estimator.get_feature_names_out(),
    ]
    if hasattr(estimator, "predict_proba"):
        calls += [estimator.predict_proba, estimator.decision_function]
    else:
        calls += [lambda X: estimator.bounds_]
    return [lambda call=call: call(X) for call in calls]


def watched(estimator, X, work, calls):
    """Return how many calls other threads made while `work` ran, and their errors."""
    errors, counts, done = [], [0, 0], threading.Event()

    def read(place):
        while not done.is_set():
            for call in calls:
                try:
                    call()
                except Exception as error:
                    errors.append(repr(error))
                counts[place] += 1

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return sum(counts), errors


def different(columns, seed):
    rng = np.random.default_rng(seed)
    pd = pytest.importorskip("pandas")
    names = rng.choice(list("abcdefgh")[: 2 + seed % 7], (150, columns))
    return pd.DataFrame(names, columns=list("uvw")), rng.normal(size=150)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm"])
def test_predictions_during_hundreds_of_fits_never_fail(kind, method):
    """Each has other categories, so that half of the one and half of the other does not fit."""
    tables = [different(3, seed) for seed in range(8)]
    tables = [(X, targets(kind, y)) for X, y in tables]
    estimator = kind(**FAST | {"epochs": 1}, warm_start=method == "warm").fit(*tables[0])
    X = tables[0][0].iloc[:20]

    def work():
        for call in range(100):
            fit = estimator.partial_fit if method == "partial_fit" else estimator.fit
            fit(*tables[call % len(tables)])

    n_calls, errors = watched(estimator, X, work, readings(estimator, X))
    assert errors == []
    assert n_calls > 200


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_predictions_are_those_of_the_old_state_until_the_new_is_complete(kind, method):
    X, y = products()
    y = targets(kind, y)
    seen = []

    def look(epoch):
        seen.append(in_another_thread(lambda: estimator.predict(X)))

    estimator = kind(**FAST).fit(X, y)
    before = estimator.predict(X)
    estimator.set_params(callbacks=[look], rank=3)
    fit = getattr(estimator.set_params(rank=2 if method == "partial_fit" else 3), method)
    fit(X[:, ::-1].copy(), y)
    assert seen
    assert all(np.array_equal(predicted, before) for predicted in seen)
    assert not np.array_equal(estimator.predict(X), before)


def test_nothing_is_fitted_for_others_until_the_first_fit_is_complete(kind):
    X, y = products()
    seen = []

    def look(epoch):
        seen.append((in_another_thread(lambda: vars(estimator).keys() & fitted), estimator))
        assert np.isfinite(estimator.w_).all()  # a callback may look

    fitted = {"_learner", "encoder_", "_target", "n_features_in_", "history_", "n_iter_"}
    estimator = kind(**FAST, callbacks=[look])
    estimator.fit(X, targets(kind, y))
    assert [found for found, _ in seen] == [set()] * 3
    assert fitted <= vars(estimator).keys()


def test_parameters_set_during_a_fit_are_kept(kind):
    X, y = products()
    estimator = kind(**FAST, callbacks=[lambda epoch: setattr(estimator, "patience", 9)])
    assert estimator.fit(X, targets(kind, y)).patience == 9
