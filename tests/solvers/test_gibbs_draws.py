"""The random numbers of the core's Gibbs sampler, and its functions of normal distributions."""

import numpy as np
import pytest
from gibbs_random import log_between, normal_between
from scipy import special, stats

from sparsefm import _core


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, words):
    assert _core.philox(counter, key) == words


@pytest.mark.parametrize("shape", [0.05, 0.5, 0.99, 1, 1.5, 7, 1000, 1e7])
def test_gamma(shape):
    draws = np.empty(40_000)
    _core.gamma_draws(draws, shape, 5, 1)
    assert stats.kstest(draws, stats.gamma(shape).cdf).pvalue > 1e-3


def test_normal():
    draws = np.empty(40_000)
    _core.normal_draws(draws, 5, 1)
    assert stats.kstest(draws, "norm").pvalue > 1e-3


@pytest.mark.parametrize("above", [-40, -8, -3, -0.5, 0, 1, 4.99, 5, 5.01, 8, 20, 38.5, 40, 1e4])
def test_truncated_normal_is_accurate_however_far_out(above):
    u = np.array([2.0**-54, 1e-12, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
    draws = np.array([_core.normal_draw_above(above, p) for p in u])
    assert np.all(np.diff(draws) < 0)
    assert np.all(draws > above)
    expected = -special.ndtri_exp(np.log(u) + special.log_ndtr(-above))
    np.testing.assert_allclose(draws, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("above", [-2, 0.5, 6])
def test_truncated_normal(above):
    u = np.random.default_rng(1).random(20_000)
    draws = np.array([_core.normal_draw_above(above, p) for p in u])
    assert stats.kstest(draws, stats.truncnorm(above, np.inf).cdf).pvalue > 1e-3


BOUNDS = [(-1, 2), (0.1, 0.1001), (-np.inf, -6), (-np.inf, 3), (-2, np.inf), (4.9, 5.1), (6, 7)]
BOUNDS += [(-40, -39.9), (30, np.inf), (-50, 1), (4.99, 60), (1e4, 1e4 + 1e-3), (-1e6, 1e6)]


@pytest.mark.parametrize("bounds", BOUNDS)
def test_normals_between_bounds_are_accurate_however_far_out(bounds):
    u = np.array([1e-9, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
    draws = np.array([_core.normal_draw_between(*bounds, p) for p in u])
    assert ((bounds[0] <= draws) & (draws <= bounds[1])).all()
    assert (np.abs(np.diff(np.sign(np.diff(draws)))) == 0).all()
    np.testing.assert_allclose(draws, normal_between(*map(float, bounds), u), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_logarithm_of_an_interval_and_its_derivatives(bounds):
    parts = _core.normal_interval(*bounds)
    a, b = map(float, bounds)
    log_p = log_between(a, b)
    assert parts[0] == pytest.approx(log_p, rel=1e-11, abs=1e-14)
    if max(map(abs, {a, b} - {np.inf, -np.inf})) > 1e3:  # its logarithm has lost the digits
        assert np.isfinite(parts).all()
        return
    at_a, at_b = np.exp(stats.norm.logpdf([a, b]) - log_p)
    aa = at_a * (at_a - a) if np.isfinite(a) else 0
    bb = at_b * (at_b + b) if np.isfinite(b) else 0
    expected = [-at_a, at_b, aa, bb, -at_a * at_b]
    np.testing.assert_allclose(parts[1:], expected, rtol=1e-7, atol=1e-9)
