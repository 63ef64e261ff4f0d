"""Checks of the arguments that users pass, except X, which `sparsefm.data.csr` checks.

Every function raises ``ValueError`` or ``TypeError`` that names the argument, what was found and
the remedy, before any work is done.
"""

import inspect
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.distinct import distinct_values

NO_NUMBERS = (bool, np.bool_, np.timedelta64)  # though Python counts some of them among integers
MOST_CLASSES = 100  # that are ordered; with many, the cuts between them take many sweeps


def check_integer(value: Any, name: str, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`."""
    if isinstance(value, NO_NUMBERS) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r:.80}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def check_real(value: Any, name: str, *, above: float | None = None, least: float = 0.0) -> float:
    """Return `value` as a finite float greater than `above`, or of at least `least`."""
    if isinstance(value, NO_NUMBERS) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r:.80}")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value}")
    if above is not None and number <= above:
        raise ValueError(f"{name} must be greater than {above:g}, got {value}")
    if above is None and number < least:
        raise ValueError(f"{name} must be at least {least:g}, got {value}")
    return number


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r:.80}"
        )
    return value


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """Return `dtype` as float32 or float64."""
    try:
        found = np.dtype(dtype) if isinstance(dtype, str | type | np.dtype) else None
    except (TypeError, ValueError):
        found = None
    if found is None or found not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r:.80}")
    return np.dtype(found.type)


def check_flag(value: Any, name: str) -> bool:
    """Return `value` if it is True or False, or 1 or 0."""
    if not isinstance(value, Integral | np.bool_) or value not in (0, 1):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}")
    return bool(value)


def as_array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return `values` as an array of native byte order; objects that are numbers become float64."""
    array = read_array(unmasked(values, name), name)
    if array.dtype == object and not any(isinstance(value, str | bytes) for value in array.flat):
        try:
            array = array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{name} holds an integer that is too large for float64") from None
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} must hold real numbers, but holds objects that are not numbers"
            ) from None
    if array.dtype == np.float16:  # unknown to scipy
        array = array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def read_array(values: Any, name: str, dtype: Any = None) -> npt.NDArray[Any]:
    """Return `values` as NumPy reads them; what fails has errors of many libraries."""
    try:
        return np.asarray(values, dtype)
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(
            f"{name} is not an array of plain values in rows of one length, but {values!r:.80}"
        ) from error


def takes(function: Any, n_arguments: int) -> bool:
    """Return whether a function can be called with so many arguments, as far as it tells."""
    try:
        inspect.signature(function).bind(*range(n_arguments))
    except TypeError:
        return False
    except ValueError:  # it does not tell
        return True
    return True


def is_mapping(value: Any) -> bool:
    """Return whether a value is a mapping; a sparse matrix may be a dict, but acts otherwise."""
    return isinstance(value, Mapping) and not sp.issparse(value)


def unmasked(values: Any, name: str) -> Any:
    """Return `values`, of a masked array those under the mask, which must mask nothing.

    What lies under a mask is no value, but NumPy and scikit-learn take it for one.
    """
    if isinstance(values, list | tuple) and any(isinstance(v, np.ma.MaskedArray) for v in values):
        values = np.ma.array(values)  # NumPy would lose the masks
    if not isinstance(values, np.ma.MaskedArray):
        return values
    masked = np.argwhere(np.atleast_1d(np.ma.getmaskarray(values)))
    if len(masked):
        missing = ", or mark it as missing with X.filled(np.nan)" if name == "X" else ""
        raise TypeError(
            f"{name} is a masked array, with something masked in row {masked[0, 0]}: leave such "
            f"rows out, or fill it in{missing}"
        )
    return np.ma.getdata(values)


def cast(values: npt.NDArray[Any], dtype: npt.DTypeLike, name: str) -> npt.NDArray[Any]:
    """Convert values to `dtype` without a copy if possible; finite values must stay finite."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore", under="ignore"):
        converted = values.astype(dtype)
    if not np.isfinite(converted).all() and np.isfinite(values).all():
        largest = np.abs(values).max()
        raise ValueError(
            f"{name} holds {largest:g}, too large for {np.dtype(dtype)}: "
            "scale it, or use dtype='float64'"
        )
    return converted


def as_vector(
    values: Any, size: int, dtype: npt.DTypeLike, name: str, of: str = "X"
) -> npt.NDArray[Any]:
    """Return `values` as a contiguous, finite array of shape (size,), one for each row of `of`."""
    if sp.issparse(values):
        raise TypeError(f"{name} must be a dense one-dimensional array, got a sparse matrix")
    array = as_array(values, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    check_length(array, size, name, of)
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{name} holds {array[bad[0]]} at row {bad[0]}: remove such rows or fill them in"
        )
    return np.require(cast(array, dtype, name), requirements=["C", "A"])


def check_length(array: npt.NDArray[Any], size: int, name: str, of: str = "X") -> None:
    """Refuse an array that has not one entry for each of the `size` rows of `of`."""
    if len(array) != size:
        raise ValueError(f"{name} has {len(array)} entries, but {of} has {size} rows")


def as_labels(targets: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return two-class labels, given as 0 and 1, or as -1 and 1, as 0 and 1."""
    found = distinct_values(targets)
    if not (set(found) <= {0, 1} or set(found) <= {-1, 1}):
        shown = ", ".join(f"{label:g}" for label in found[:5]) + (", ..." if len(found) > 5 else "")
        raise ValueError(f"{name} must hold the two classes 0 and 1, or -1 and 1; found {shown}")
    return (targets > 0).astype(targets.dtype)


def as_classes(
    targets: npt.NDArray[Any], name: str, n_classes: int = MOST_CLASSES
) -> npt.NDArray[Any]:
    """Return the numbers of ordered classes, which must be integers from 0 on."""
    bad = np.flatnonzero((targets != np.floor(targets)) | (targets < 0) | (targets >= n_classes))
    if len(bad):
        raise ValueError(
            f"{name} must hold the numbers of classes, integers from 0 to at most {n_classes - 1}; "
            f"row {bad[0]} has {targets[bad[0]]:g}"
        )
    return targets


def as_weights(
    values: Any, n_rows: int, dtype: npt.DTypeLike, name: str
) -> npt.NDArray[Any] | None:
    """Return non-negative weights with a positive sum, or None if there are no weights.

    Only their ratios matter. Equal weights become one (or None, if no weight is zero). Others are
    scaled by a power of two so that `dtype` represents them well.
    """
    if values is None:
        return None
    weights = as_vector(values, n_rows, np.float64, name)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"{name} must not be negative; row {row} has {weights[row]:g}")
    largest = weights.max()
    if not largest > 0:
        raise ValueError(f"{name} must hold a positive weight; all {n_rows} are zero")
    if ((weights == largest) | (weights == 0)).all():
        return None if weights.all() else (weights > 0).astype(dtype)
    _, exponent = np.frexp(largest)
    return cast(np.ldexp(weights, -int(exponent)), dtype, name)


def check_parameters(w0: Any, w: Any, V: Any) -> tuple[float, npt.NDArray[Any], npt.NDArray[Any]]:
    """Return finite w0, w (d,) and V (d, k), the arrays C-contiguous and of one type.

    The type is float32 if both arrays are float32, else float64.
    """
    linear, factors = as_array(w, "w"), as_array(V, "V")
    if factors.ndim != 2:
        raise ValueError(f"V must have shape (n_features, rank), got {factors.shape}")
    if factors.dtype.kind not in "fiub":
        raise TypeError(f"V must hold real numbers, got dtype {factors.dtype}")
    bad = np.flatnonzero(~np.isfinite(factors).all(axis=1))
    if len(bad):
        row = factors[bad[0]]
        raise ValueError(f"V holds {row[~np.isfinite(row)][0]} at row {bad[0]}")
    single = linear.dtype == factors.dtype == np.float32
    dtype = np.dtype(np.float32 if single else np.float64)
    linear = as_vector(linear, len(factors), dtype, "w", "V")
    bias = as_array(w0, "w0")
    if bias.size != 1 or bias.dtype.kind not in "fiub" or not np.isfinite(bias).all():
        raise ValueError(f"w0 must be a finite number, got {w0!r:.80}")
    cast(bias, dtype, "w0")
    return float(bias.reshape(())), linear, np.ascontiguousarray(factors, dtype)
