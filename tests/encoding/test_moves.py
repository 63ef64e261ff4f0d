"""How features relate to what they were."""

import numpy as np
import pytest

from sparsefm.encoding.columns import UNKNOWN
from sparsefm.encoding.moves import moves
from sparsefm.encoding.numeric import Logarithm, Number
from sparsefm.encoding.statistics import Distribution
from sparsefm.encoding.tables import Numbers

RNG = np.random.default_rng(0)
FIRST, LATER = RNG.normal(5, 1, 200), RNG.normal(8, 3, 2000)


def begun(cls, values, *, clip):
    distribution = Distribution.of(values, None)
    return cls.fitted(distribution, 4, clip=clip).begin_following(distribution, len(values))


def encoded(number, values):
    return number.encode(Numbers(values), "x")[1]


@pytest.mark.parametrize("cls", [Number, Logarithm])
@pytest.mark.parametrize("unit", [1.0, 1e-200, 1e200])
def test_the_line_is_exact_where_the_range_stays(cls, unit):
    first, later = np.abs(FIRST) * unit, np.abs(LATER) * unit
    old = begun(cls, first, clip=False)
    new = old.following(later, None, "standardize", clip=False)
    ((feature, missing, factor, offset),) = moves([old], [new])
    assert (feature, missing) == (4, UNKNOWN)
    np.testing.assert_allclose(
        encoded(old, later), factor * encoded(new, later) + offset, rtol=1e-9, atol=1e-9
    )
    assert factor != 1
    assert offset != 0


def test_least_squares_where_it_was_wrong():
    old = begun(Number, FIRST, clip=True)
    far = LATER + 30
    new = old.following(far, None, "standardize", clip=True)
    assert new.high > old.high
    ((_, _, factor, offset),) = moves([old], [new])
    sample = np.repeat(new.followed.sample.values, 10)  # about all rows
    x, y = encoded(new, sample), encoded(old, sample)
    errors = y - factor * x - offset
    assert np.mean(errors**2) < 0.3 * np.mean(y**2)
    straight = new.std * 2.0 ** (new.exponent - old.exponent) / old.std
    assert factor < 0.3 * straight


@pytest.mark.parametrize("kind", ["standardize", "log"])
def test_0_and_1_are_two_points_of_a_line(kind):
    zeros_and_ones = np.array([0.0, 1.0] * 50)
    old = Number(4).begin_following(Distribution.of(zeros_and_ones, None), 100)
    new = old.following(np.array([7.0, 30.0, 1.0] * 20), None, kind, clip=True)
    ((_, _, factor, offset),) = moves([old], [new])
    points = np.array([0.0, 1.0])
    np.testing.assert_allclose(factor * encoded(new, points) + offset, points, atol=1e-12)


def test_what_stays_or_never_counted_does_not_move():
    number, waiting = begun(Number, FIRST, clip=True), Number(7, std=0.0, seen=(3.0,))
    assert moves([number, waiting], [number, begun(Number, LATER, clip=True)]) == []
    more = number.following(FIRST, None, "standardize", clip=True)
    assert more.followed.rows == 400
    assert moves([number], [more, waiting]) == []
