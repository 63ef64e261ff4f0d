"""A data set: which rows take part, what they weigh, and copies of some."""

import os
import signal
import threading

import numpy as np
import pytest
import scipy.sparse as sp

from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset, spread

WEIGHTS = np.array([2.0, 0.0, 1.0, 4.0, 0.5, 8.0])


def dataset(**options):
    X = as_csr(np.diag(np.arange(1.0, 7.0)), np.float64)
    y = np.arange(6.0)
    return Dataset.of(X, y, (y, -y), **options)


def test_rows_of_weight_zero_do_not_take_part():
    assert dataset().rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert dataset(weights=WEIGHTS).rows.tolist() == [0, 2, 3, 4, 5]


def test_only_rows_that_take_part_weigh():
    part = dataset(weights=WEIGHTS).choose(np.array([1, 2]))
    assert part.rows.tolist() == [2, 3]
    assert part.total_weight == 5
    assert part.mean(part.targets[0]) == (1 * 2 + 4 * 3) / 5
    assert part.weights_of(part.rows).tolist() == [1, 4]
    assert part.used_features.tolist() == [2, 3]
    repeated = dataset(weights=WEIGHTS, rows=np.array([0, 0, 4]))
    assert repeated.total_weight == 4.5
    assert dataset().choose(np.array([1, 2])).total_weight == 2
    assert dataset().mean(np.arange(6)) == 2.5


def test_weights_of_one_are_none():
    assert dataset().weights_of(np.arange(3)) is None
    assert dataset(weights=WEIGHTS).weights_of(np.array([2])) is None


def test_chosen_rows_keep_their_order_and_taken_ones_the_asked_for():
    places = np.array([3, 0, 2])
    whole = dataset(weights=WEIGHTS)  # whose places are those of the rows 0, 2, 3, 4, 5
    chosen, taken = whole.choose(places), whole.take(places)
    assert chosen.rows.tolist() == [0, 3, 4]
    assert chosen.X is whole.X
    assert taken.y.tolist() == [4, 0, 3]
    assert taken.rows.tolist() == [0, 1, 2]
    assert taken.weights.tolist() == [0.5, 2, 4]
    assert taken.X.values.tolist() == [5, 1, 4]
    assert [target.tolist() for target in taken.targets] == [[4, 0, 3], [-4, 0, -3]]


@pytest.mark.parametrize(("n", "size"), [(1, 5), (5, 5), (1000, 10)])
def test_places_are_spread_evenly(n, size):
    places = spread(n, size)
    assert len(places) == min(n, size)
    assert (places[0], places[-1]) == (0, n - 1)
    assert np.ptp(np.diff(places)) <= 1 if len(places) > 1 else True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("name", ["used_features", "total_weight"])
def test_no_lock_is_held_while_something_is_computed(name):
    """A child that was forked meanwhile hung: `cached_property` has one lock for all data sets."""
    inside, leave = threading.Event(), threading.Event()

    class Slow:
        """Stands for X or the weights, and takes its time."""

        indices = None

        def features_of(self, rows):
            inside.set()
            leave.wait(30)
            return np.ones(len(rows))

        __getitem__ = features_of

    def dataset(X, weights):
        return Dataset(X, np.ones(2), (np.ones(2),), weights, np.arange(2))

    thread = threading.Thread(target=lambda: getattr(dataset(Slow(), Slow()), name))
    thread.start()
    assert inside.wait(30)
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # ends the child
        getattr(dataset(as_csr(np.ones((2, 2)), np.float64), np.ones(2)), name)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    leave.set()
    thread.join()
    assert status == 0


def test_a_row_that_occurs_twice_does_not_stand_for_another():
    X = sp.csr_matrix(np.array([[1, 0], [0, 0], [1, 1]], float))
    dataset = Dataset.of(as_csr(X, np.float64), np.ones(3), (np.ones(3),), rows=np.array([0, 0, 1]))
    assert [rows.n_nonzeros for rows in dataset.training_rows()] == [2]
    assert not dataset.fields_with_pairs(np.zeros(2, np.int32), 1).any()
