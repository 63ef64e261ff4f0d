"""What a file holds, taken out piece by piece: each must be there and be what it should be."""

from typing import Any, TypeVar

import numpy.typing as npt

from sparsefm.errors import FileFormatError

Arrays = dict[str, npt.NDArray[Any]]
T = TypeVar("T")


def take_array(
    arrays: Arrays, name: str, shape: tuple[int | None, ...], dtypes: tuple[str, ...]
) -> npt.NDArray[Any]:
    """Remove the array of that name from `arrays` and return it.

    Parameters
    ----------
    arrays : dict of str to ndarray
        What was read; whoever takes everything leaves it empty.
    name : str
    shape : tuple
        Expected; None stands for any length.
    dtypes : tuple of str
        The types it may have, such as ``("float32", "float64")``.

    Raises
    ------
    FileFormatError
        If it is missing or of another shape or type.
    """
    if name not in arrays:
        raise FileFormatError(f"has no array {name!r}")
    array = arrays.pop(name)
    if array.dtype.name not in dtypes:
        raise FileFormatError(f"has {name} of type {array.dtype}, not {' or '.join(dtypes)}")
    fits = len(shape) == array.ndim and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise FileFormatError(f"has {name} of shape {array.shape}, not {wanted}")
    return array


def take_value(header: dict[str, Any], name: str, kind: type[T]) -> T:
    """Remove the entry of that name from `header` and return it; it must be of exactly that type.

    Raises
    ------
    FileFormatError
        If it is missing or of another type.
    """
    if name not in header:
        raise FileFormatError(f"has no entry {name!r} in its header")
    value = header.pop(name)
    if type(value) is not kind:
        raise FileFormatError(f"has {name} {value!r:.40}, which is no {kind.__name__}")
    return value


def add_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays under longer names, to put them beside others."""
    return {prefix + name: array for name, array in arrays.items()}


def take_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Remove the arrays whose names begin with `prefix` and return them, without it."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in names}


def check_nothing_left(arrays: Arrays) -> None:
    """Raise FileFormatError if there are arrays that nobody took."""
    if arrays:
        names = ", ".join(map(repr, sorted(arrays)[:5]))
        raise FileFormatError(f"has arrays that do not belong to it: {names:.200}")
