"""Trainings that are interrupted after an epoch, and resumed: the end must be the same bits."""

from contextlib import suppress

import numpy as np

import sparsefm as fm


class Interruption(Exception):  # noqa: N818
    """What ends a training early."""


class Cut:
    """A callback that ends the training in the epoch after some epoch."""

    def __init__(self, last):
        self.last = last

    def __call__(self, epoch):
        if epoch.epoch > self.last:
            raise Interruption


class Wanders:
    """A callback of a user: it changes the rate, goes back and stops by what it has seen.

    It draws random numbers, and keeps a snapshot, which are its state.
    """

    def __init__(self, stop=None):
        self.stop = stop

    def begin(self, training):
        self.training, self.seen, self.snapshot = training, 17, None

    def __call__(self, epoch):
        self.seen = self.seen * 1103515245 % 2**31
        self.training.learning_rate *= 1 + self.seen % 7 / 10
        if epoch.epoch == 2:
            self.snapshot = self.training.snapshot()
        if epoch.epoch == 4:
            self.training.restore(self.snapshot)
        return epoch.epoch == self.stop

    def state_dict(self):
        return {"seen": self.seen, "snapshot": self.snapshot}

    def load_state_dict(self, state):
        vars(self).update(state)


def interrupt(run, path, after):
    """Call ``run(callbacks, resume)`` until it is cut after some epoch, then to its end."""
    with suppress(Interruption):
        run([fm.Checkpoint(path), Cut(after)], path)
    return run([fm.Checkpoint(path)], path)


def records_of(model):
    """Return what the epochs were, without the time that they took; NaN is as good as NaN."""
    if isinstance(model, fm.Model):
        return [repr(vars(record) | {"seconds": 0}) for record in model.history]
    fitted = {name: v for name, v in vars(model).items() if name.startswith(("n_iter", "best_"))}
    return repr([{**model.history_, "seconds": 0}, sorted(fitted.items())])


def numbers_of(model, X):
    """Return all parameters of a model or estimator, and predictions."""
    if isinstance(model, fm.Model):
        more = [model.R] if isinstance(model, fm.FieldWeightedModel) else []
        return [np.array(model.w0), model.w, model.V, *more, model.predict(X)]
    scores = model.predict if isinstance(model, fm.FMRegressor) else model.predict_proba
    return [np.array(model.w0_), model.w_, model.V_, scores(X)]


def assert_same(model, other, X):
    """Check that two are the same to the bit."""
    assert records_of(model) == records_of(other)
    for one, another in zip(numbers_of(model, X), numbers_of(other, X), strict=True):
        assert one.dtype == another.dtype
        assert np.array_equal(one, another)
