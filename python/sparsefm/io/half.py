"""Parameters of 16 bits in a file: float16 and bfloat16, which are read as float32."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.io.container import BFLOAT16, Arrays

HALVES = ("float16", "bfloat16")
LARGE = (
    "w",
    "V",
    "samples.w",
    "samples.V",
)  # what there is one of for each feature: nearly all of a file

Array = npt.NDArray[Any]


def check_half(dtype: Any) -> str | None:
    """Return the type in which parameters are to be stored; None stands for their own."""
    if dtype is None or (isinstance(dtype, str) and dtype in HALVES):
        return dtype
    raise ValueError(f"dtype must be 'float16', 'bfloat16' or None, got {dtype!r:.80}")


def halved(arrays: Arrays, dtype: str | None) -> Arrays:
    """Return the parameters of a model as a file of this type holds them.

    Parameters
    ----------
    arrays : dict of str to ndarray
        `w` and `V`, and those of samples, are rounded to the nearest number of 16 bits, half-way to
        the one whose last binary digit is 0. Others of float64 become float32, the type that all of
        them are loaded in.
    dtype : {"float16", "bfloat16"} or None
        None: leave them as they are.

    Raises
    ------
    ValueError
        If a number is too large for the type.
    """
    if dtype is None:
        return arrays
    return {name: _halved(name, array, dtype) for name, array in arrays.items()}


def exact(arrays: Arrays, dtype: str | None) -> Arrays:
    """Return numbers that stay as they are beside those of `halved`: all must fit in float32."""
    if dtype is not None:
        halved(arrays, dtype)
    return arrays


def is_half(array: Array) -> bool:
    """Return whether an array of a file has parameters of 16 bits."""
    return array.dtype in (np.float16, BFLOAT16)


def widened(array: Array) -> Array:
    """Return parameters of 16 bits as float32, which can hold each of them."""
    if array.dtype == np.float16:
        return array.astype(np.float32)
    bits = array.view(np.uint16).astype(np.uint32)
    bits <<= np.uint32(16)
    return bits.view(np.float32)


def _halved(name: str, array: Array, dtype: str) -> Array:
    if array.dtype.kind != "f":
        return array
    large = name in LARGE
    with np.errstate(over="ignore", under="ignore"):
        single = array.astype(np.float32, copy=False)
        stored = _rounded(single, dtype) if large else single
    wide = widened(stored) if large else stored
    if np.isfinite(wide).all():
        return stored
    largest = np.abs(array[np.isfinite(array)]).max(initial=0)
    widest = dtype == "bfloat16" or not large
    remedy = "leave dtype out" if widest else "dtype='bfloat16' has the range of float32"
    kind = dtype if large else "float32"
    raise ValueError(f"{name} holds {largest:g}, too large for {kind}: {remedy}")


def _rounded(single: Array, dtype: str) -> Array:
    if dtype == "float16":
        return single.astype(np.float16)
    bits = np.array(single, np.float32, order="C").view(np.uint32)  # a copy, to work in
    last = (bits >> np.uint32(16)) & np.uint32(1)  # of the digits that stay: half-way goes to even
    bits += last + np.uint32(0x7FFF)
    bits >>= np.uint32(16)
    return bits.astype(np.uint16).view(BFLOAT16)
