"""Numbers of 16 bits: rounded to the nearest, and read back as what they are."""

import numpy as np
import pytest

from sparsefm.io.half import check_half, halved, widened

RNG = np.random.default_rng(0)


def nearest(values, digits, smallest):
    """Round to so many binary digits, half-way to even, in float64."""
    values = np.asarray(values, np.float64)
    exponents = np.maximum(np.frexp(values)[1], smallest)
    unit = np.ldexp(1.0, exponents - digits)
    return np.round(values / unit) * unit


@pytest.mark.parametrize(
    ("dtype", "digits", "smallest", "spread"),
    [("float16", 11, -13, (-30, 15)), ("bfloat16", 8, -125, (-120, 127))],
)
def test_the_nearest(dtype, digits, smallest, spread):
    values = np.ldexp(RNG.uniform(-1, 1, 20_000), RNG.integers(*spread, 20_000)).astype("f4")
    halves = np.ldexp(RNG.integers(-512, 512, 5_000) + 0.5, -3).astype("f4")  # often half-way
    for given in (values, halves, np.array([0.0, -0.0, 1.0, -1.0], "f4")):
        found = widened(halved({"V": given}, dtype)["V"])
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, nearest(given, digits, smallest))
        np.testing.assert_array_equal(np.signbit(found), np.signbit(given))
        np.testing.assert_array_equal(widened(halved({"V": found}, dtype)["V"]), found)


def test_what_is_rounded():
    arrays = {"w": np.ones(3), "V": np.ones((3, 2)), "R": np.ones((2, 2)), "fields": np.arange(3)}
    assert halved(arrays, None) is arrays
    found = halved(arrays, "float16")
    types = {name: array.dtype.name for name, array in found.items()}
    assert types == {"w": "float16", "V": "float16", "R": "float32", "fields": "int64"}
    assert arrays["w"].dtype == np.float64


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 3, 4)])
def test_shapes(shape):
    wide = np.ones((*shape, 2))[..., 0]  # with gaps
    for dtype in ("float16", "bfloat16"):
        assert widened(halved({"V": wide}, dtype)["V"]).shape == shape


def test_what_is_too_large():
    with pytest.raises(ValueError, match=r"V holds 70000, too large for float16: dtype='bfloat16'"):
        halved({"V": np.array([1.0, -7e4])}, "float16")
    assert np.isfinite(widened(halved({"V": np.array([-7e4, 1e38])}, "bfloat16")["V"])).all()
    for value in (np.finfo(np.float32).max, 1e300):
        with pytest.raises(ValueError, match="too large for bfloat16: leave dtype out"):
            halved({"V": np.array([value])}, "bfloat16")
    with pytest.raises(ValueError, match="R holds 1e\\+300, too large for float32"):
        halved({"R": np.array([[1e300]])}, "bfloat16")


@pytest.mark.parametrize("wrong", ["float32", "half", 16, np.float16, ["float16"]])
def test_other_types(wrong):
    with pytest.raises(ValueError, match="dtype must be 'float16', 'bfloat16' or None"):
        check_half(wrong)
