"""What threads see of an object that one of them is fitting."""

import threading

import numpy as np
import pytest
from estimating import products, targets
from other_threads import different, in_another_thread, watched

import sparsefm as fm
from sparsefm.snapshots import aside, consistent

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "search": None, "n_threads": 1}


class Pair:
    """Two numbers that belong together."""

    def __init__(self):
        self.first = self.second = self.parameter = 0

    @aside
    def fit(self, value, then=lambda: None):
        """Set both."""
        self.first = value
        then()
        self.second = value
        vars(self).pop("extra", None)
        return self

    @aside
    def fit_more(self, value):
        self.extra = value
        return self.extra

    @consistent
    def both(self):
        """Return both."""
        first = self.first
        return first, self.second


def test_everybody_sees_the_old_state_until_the_new_one_is_complete():
    pair, seen = Pair(), []

    def look():
        seen.extend([in_another_thread(pair.both), pair.both(), pair.first])

    assert pair.fit(3, look) is pair
    assert seen == [(0, 0), (0, 0), 0]
    assert pair.both() == in_another_thread(pair.both) == (3, 3)
    assert pair.fit_more(5) == pair.extra == 5
    assert (Pair.fit.__doc__, Pair.both.__doc__) == ("Set both.", "Return both.")


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


def test_of_fits_at_once_the_last_to_return_counts_with_all_of_its_state():
    """Also where it changes less: what only the other one changed is as before."""
    pair = Pair()
    pair.fit(3, lambda: in_another_thread(lambda: pair.fit_more(7)))
    assert (pair.both(), hasattr(pair, "extra")) == ((3, 3), False)
    pair.extra = 1
    pair.fit(0, lambda: in_another_thread(lambda: pair.fit(4)))
    assert (pair.both(), hasattr(pair, "extra")) == ((0, 0), False)

    pair.fit_more(7)
    pair.fit(3, lambda: setattr(pair, "note", "mine"))
    assert (pair.both(), pair.note, hasattr(pair, "extra")) == ((3, 3), "mine", False)


def test_what_only_another_fit_changed_is_undone():
    pair = Pair()
    pair.fit(0, lambda: in_another_thread(lambda: pair.fit(4)))
    assert pair.both() == (0, 0)


def test_a_fit_within_a_fit_of_the_same_object_is_refused():
    pair, copies = Pair(), []

    class Keeping(Pair):
        @aside
        def fit(self, then):
            copies.append(self)
            then()

    with pytest.raises(RuntimeError, match="fit_more was called within a fit of the same Pair"):
        pair.fit(3, lambda: pair.fit_more(5))
    keeping = Keeping()
    with pytest.raises(RuntimeError, match="fit another Keeping there, for example"):
        keeping.fit(lambda: copies[0].fit_more(5))
    assert pair.both() == (0, 0)
    other = Pair()
    pair.fit(3, lambda: other.fit(4))
    assert (pair.both(), other.both()) == ((3, 3), (4, 4))


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


@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm"])
def test_predictions_during_hundreds_of_fits_never_fail(kind, method):
    """Each has other categories, so that half of the one and half of the other does not fit."""
    tables = [different(3, seed) for seed in range(8)]
    tables = [(X, targets(kind, y)) for X, y in tables]
    estimator = kind(**FAST | {"epochs": 1}, warm_start=method == "warm").fit(*tables[0])
    X = tables[0][0].iloc[:20]

    def work(wait):
        for call in range(100):
            fit = estimator.partial_fit if method == "partial_fit" else estimator.fit
            fit(*tables[call % len(tables)])
            if call % 10 == 9:
                wait()

    assert watched(work, readings(estimator, X)) == []


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
        seen.append(in_another_thread(lambda: vars(estimator).keys() & fitted))
        seen.append(vars(estimator).keys() & fitted)

    fitted = {"_learner", "encoder_", "_target", "n_features_in_", "history_", "n_iter_"}
    estimator = kind(**FAST, callbacks=[look])
    estimator.fit(X, targets(kind, y))
    assert seen == [set()] * 6
    assert fitted <= vars(estimator).keys()


def test_parameters_set_during_a_fit_are_kept(kind):
    X, y = products()
    estimator = kind(**FAST, callbacks=[lambda epoch: setattr(estimator, "patience", 9)])
    assert estimator.fit(X, targets(kind, y)).patience == 9


class Looks:
    """Notes what a callback sees of the estimator in each epoch, and of the model in training."""

    def __init__(self, look):
        self.look, self.seen = look, []

    def begin(self, training):
        self.training = training

    def __call__(self, epoch):
        self.seen.append((self.look(), self.training.model))


@pytest.mark.parametrize("solver", [fm.Adam(), fm.Gibbs(burn_in=1)], ids=["Adam", "Gibbs"])
def test_a_callback_sees_the_estimator_as_it_was_and_the_one_in_training(kind, solver):
    X, y = products()
    estimator = kind(**FAST | {"solver": solver}).fit(X, targets(kind, y))
    before = (estimator.predict(X).tolist(), estimator.history_, estimator.n_iter_)
    looks = Looks(lambda: (estimator.predict(X).tolist(), estimator.history_, estimator.n_iter_))
    epochs = []

    def count(epoch):
        model = looks.training.model
        assert model is not estimator
        assert np.isfinite(model.w_).all()
        assert len(model.predict(X[:, :3])) == len(X)
        epochs.append((model.n_iter_, len(model.history_["epoch"])))

    estimator.set_params(callbacks=[looks, count], epochs=5).fit(X[:, :3], targets(kind, -y))
    assert [seen for seen, _ in looks.seen] == [before] * 5
    assert epochs == [(number, number) for number in range(1, 6)]
    assert estimator.n_iter_ == 5


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_callback_cannot_fit_its_own_estimator_but_a_clone(kind, method):
    X, y = products()
    y = targets(kind, y)
    clones = []
    estimator = kind(**FAST)
    estimator.callbacks = [lambda epoch: getattr(estimator, method)(X, y)]
    with pytest.raises(RuntimeError, match=f"{method} was called within a fit .*clone"):
        estimator.fit(X, y)
    assert not hasattr(estimator, "n_iter_")
    estimator.callbacks = [lambda epoch: clones.append(kind(**FAST).fit(X, y))]
    estimator.fit(X, y)
    assert clones[0].predict(X).tolist() == estimator.predict(X).tolist()


def test_of_two_fits_at_once_one_wins_with_all_it_has(kind):
    """The one has validation rows, and columns of other names."""
    pytest.importorskip("pandas")
    (few, a), (many, b) = different(3, 0), different(3, 1)
    many = many.rename(columns={"w": "z"})
    a, b = targets(kind, a), targets(kind, b)
    options = FAST | {"epochs": 1}
    ways = [(few, a, None), (many, b, (many, b))]
    expected = [kind(**options).fit(*way[:2], eval_set=way[2]) for way in ways]

    def described(estimator):
        names = estimator.feature_names_in_.tolist()
        predicted = estimator.predict(few if "w" in names else many).tolist()
        return names, sorted(estimator.history_), estimator.n_iter_, predicted

    possible = [described(one) for one in expected]
    estimator = kind(**options)
    for _ in range(30):
        start = threading.Barrier(2)

        def fit(X, y, eval_set, start=start):
            start.wait()
            estimator.fit(X, y, eval_set=eval_set)

        threads = [threading.Thread(target=fit, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert described(estimator) in possible
