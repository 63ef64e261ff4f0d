"""Tables in parts, as engines hold them."""

import datetime

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")

FEATURES = ("city", "tags", "x", "day")


def table(n=400, seed=0):
    """Draw rows of four kinds of columns with targets, weights and validation rows."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 7, n)
    x = rng.normal(size=n)
    tags = [[f"t{k}" for k in rng.integers(0, 5, rng.integers(0, 4))] for _ in range(n)]
    first = datetime.datetime(2026, 1, 1)
    y = np.sin(city) + x * (city % 2) + 0.1 * rng.normal(size=n)
    return pa.table(
        {
            "city": [None if k == 6 else f"c{k}" for k in city],
            "tags": [None if k == 0 else own for k, own in zip(city, tags, strict=True)],
            "x": np.where(rng.random(n) < 0.05, np.nan, x),
            "day": [first + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9000, n)],
            "y": y,
            "late": np.where(y > 0.2, "yes", "no"),
            "w": rng.integers(0, 3, n) * 0.5,
            "v": rng.random(n) < 0.2,
        }
    )


def parts_of(whole, sizes):
    ends = np.cumsum(sizes)
    assert ends[-1] == whole.num_rows
    return [whole.slice(end - size, size) for end, size in zip(ends, sizes, strict=True)]
