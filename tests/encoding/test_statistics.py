"""The statistics of one row, which take a short cut, are those of the general code, to the bit."""

import numpy as np
import pytest

from sparsefm.encoding.statistics import Distribution, scale_down


def general(values, weights):
    """Return distinct values, weights and moments without any short cut."""
    present = ~np.isnan(values)
    values = values[present] + 0.0
    if weights is None:
        distinct, counts = np.unique(values, return_counts=True)
        totals = counts.astype(np.float64)
    else:
        weights = weights[present]
        order = np.lexsort((weights, values))
        distinct, totals = values[order], np.add.reduceat(weights[order], [0])
    exponent = int(np.frexp(np.abs(distinct).max())[1])
    scaled = scale_down(distinct, exponent)
    share = totals / totals.sum()
    near = scaled[len(scaled) // 2]
    mean = near + np.sum(share * (scaled - near))
    std = np.sqrt(np.sum(share * (scaled - mean) ** 2))
    return distinct, totals, (exponent, float(mean), float(std))


@pytest.mark.parametrize("n_missing", [0, 1])
@pytest.mark.parametrize("weight", [None, 1.0, 0.3, 5e-324, 1e200])
def test_one_row(weight, n_missing):
    rng = np.random.default_rng(0)
    extremes = [0.0, -0.0, 5e-324, -1e-310, 1.0, -0.1, 1 / 3, np.finfo(float).max, -1e308]
    random = rng.normal(size=200) * 10.0 ** rng.integers(-300, 300, 200)
    for value in [*extremes, *random.tolist()]:
        values = np.array([np.nan] * n_missing + [value])
        weights = None if weight is None else np.full(1 + n_missing, weight)
        found = Distribution.of(values, weights)
        distinct, totals, moments = general(values, weights)
        assert found.values.tobytes() == distinct.tobytes()
        assert found.weights.tobytes() == totals.tobytes()
        assert np.array(found.moments()).tobytes() == np.array(moments).tobytes()
