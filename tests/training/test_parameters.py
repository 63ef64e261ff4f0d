"""The arrays of a state: as begun, grown, copied and put back."""

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.training import parameters
from sparsefm.training.parameters import CACHE_LINE, State

ADAGRAD = fm.AdaGrad(initial_accumulator=5.0)
PARTS = ("bias", "scalars", "factors")


def state(optimizer=ADAGRAD, n_features=6, rank=3):
    begun = State.begin(n_features, rank, optimizer, "float64")
    begun.draw_factors(0, 0, "normal", 0.1, np.arange(n_features))
    return begun


def test_moments_start_as_the_optimizer_says():
    begun = State.begin(6, 3, ADAGRAD, "float64")
    assert begun.bias.tolist() == [0, 5]
    assert (begun.scalars[:, 2] == 5).all()
    assert (begun.factors[:, 1] == 5).all()
    assert not begun.w.any()
    assert not begun.V.any()


@pytest.mark.parametrize("optimizer", [ADAGRAD, fm.Adam()], ids=["adagrad", "adam"])
def test_new_features_start_as_begun(optimizer):
    old = state(optimizer)
    grown = old.grown(10, optimizer).grown(13, optimizer)
    begun = State.begin(13, 3, optimizer, "float64")
    for part in ("scalars", "factors"):
        assert np.array_equal(getattr(grown, part)[:6], getattr(old, part))
        assert np.array_equal(getattr(grown, part)[6:], getattr(begun, part)[6:])
    assert grown.bias is old.bias


def test_what_a_failed_training_left_in_the_room_is_gone():
    old = state().grown(7, ADAGRAD)  # and there is room for more
    failed = old.grown(8, ADAGRAD)
    assert np.shares_memory(failed.scalars, old.scalars)
    failed.scalars[7:], failed.factors[7:] = 77, 77
    again = old.grown(8, ADAGRAD)
    begun = State.begin(8, 3, ADAGRAD, "float64")
    assert np.array_equal(again.scalars[7:], begun.scalars[7:])
    assert np.array_equal(again.factors[7:], begun.factors[7:])


def test_growing_often_copies_seldom(monkeypatch):
    copied = []
    lengthened = parameters.lengthened
    monkeypatch.setattr(
        parameters,
        "lengthened",
        lambda array, length: copied.append(len(array)) or lengthened(array, length),
    )
    grown = state()
    for n_features in range(7, 3007):
        grown = grown.grown(n_features, ADAGRAD)
    # Two arrays, each copied whenever it has grown by half: in all no more than thrice its length.
    assert sum(copied) <= 2 * 3 * 3000
    assert grown.n_features == 3006
    assert grown.grown(3006, ADAGRAD) is grown


def test_copies_and_what_is_put_back():
    first = state()
    kept, other = first.copy(), first.copy()
    for part in PARTS:
        getattr(other, part)[:] += 1
        assert np.array_equal(getattr(first, part), getattr(kept, part))
    first.assign(other)
    for part in PARTS:
        assert np.array_equal(getattr(first, part), getattr(other, part))
        assert not np.shares_memory(getattr(first, part), getattr(other, part))
    for made in (first, other, first.grown(9, ADAGRAD)):
        assert made.scalars.ctypes.data % CACHE_LINE == made.factors.ctypes.data % CACHE_LINE == 0


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_all_that_is_not_finite_is_found(part, value):
    damaged = state()
    assert damaged.is_finite()
    getattr(damaged, part)[-1] = value
    assert not damaged.is_finite()
    assert damaged.is_finite(np.arange(5)) is (part != "bias")  # the last feature aside


def test_factors_have_the_distribution_that_was_asked_for():
    for rank in (1, 4, 9):
        begun = State.begin(20_000, rank, ADAGRAD, "float64")
        begun.draw_factors(0, 0, "uniform", 0.3, np.arange(20_000))
        most = 0.3 / np.sqrt(rank)
        assert 0 < begun.V.min() < 0.01 * most
        assert 0.99 * most < begun.V.max() < most
        assert begun.V.mean() == pytest.approx(most / 2, rel=0.02)
        begun.draw_factors(0, 0, "normal", 0.05, np.arange(20_000))
        assert begun.V.mean() == pytest.approx(0, abs=2e-3)
        assert begun.V.std() == pytest.approx(0.05, rel=0.03)
        np.testing.assert_allclose(begun.scalars[:, 0], (begun.V**2).sum(axis=1))
