"""Reading the content of a file piece by piece: each must be there and be what it should be."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.half import is_half, widened
from sparsefm.io.values import from_json, shown

REALS = ("float32", "float64")
T = TypeVar("T")

# What reading may raise if a file is intact but its content is unexpected.
CONTENT_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Turn errors of reading the content of a file into a `FileFormatError` that names the file."""
    try:
        yield
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from error
    except CONTENT_ERRORS as error:
        raise FileFormatError(f"{path}: {type(error).__name__}: {error}") from error


class Reader:
    """The entries of a header and the arrays of a file, each checked as it is read.

    An array can be read once; `check_all_read` tells whether any is left. All methods raise
    `FileFormatError`, with a message that names the entry or array in full.

    Parameters
    ----------
    header : dict
        JSON values.
    arrays : dict of str to ndarray
        Reading an array removes it.
    prefix : str
        Of the names of the arrays that belong to this header.
    unread : bool
        Whether `parameters` leaves arrays in a mapped file as they are, without a look at them.
    path : str
        Of the file, for the errors of what reads it later.
    """

    def __init__(
        self,
        header: Any,
        arrays: Arrays,
        prefix: str = "",
        *,
        unread: bool = False,
        path: str = "",
    ) -> None:
        if not isinstance(header, dict):
            name = prefix.removesuffix(".") or "the header"
            raise FileFormatError(f"{name} must be a JSON object, got {shown(header)}")
        self._header, self._arrays, self._prefix = header, arrays, prefix
        self.unread, self.path = unread, path

    def part(self, name: str, header: Any = None) -> "Reader":
        """Return a reader of the arrays whose names begin with ``name.``.

        Its header is `header`, or the entry `name` of this header, or empty if there is none.
        """
        if header is None:
            header = self._header.get(name, {})
        prefix = f"{self._prefix}{name}."
        return Reader(header, self._arrays, prefix, unread=self.unread, path=self.path)

    def copy(self) -> "Reader":
        """Return a reader of the same, which reads each array once more."""
        return Reader(self._header, dict(self._arrays), self._prefix, path=self.path)

    def skip(self, name: str) -> None:
        """Leave out the arrays that `part` would read."""
        for unread in [one for one in self._arrays if one.startswith(f"{self._prefix}{name}.")]:
            del self._arrays[unread]

    # --- the header -----------------------------------------------------------------------------

    def has_entry(self, name: str) -> bool:
        """Return whether the header has an entry of that name, other than null."""
        return self._header.get(name) is not None

    def entry(self, name: str, kind: type[T]) -> T:
        """Return an entry of exactly this type."""
        value: T = self._get(name)
        if type(value) is not kind:
            self._refuse(name, f"be of type {kind.__name__}")
        return value

    def get(self, name: str) -> Any:
        """Return an entry, a JSON value of any type."""
        return self._get(name)

    def value(self, name: str) -> Any:
        """Return what `to_json` made this entry of."""
        return from_json(self._get(name))

    def integer(self, name: str, least: int, most: int | None = None) -> int:
        """Return an integer between bounds, both included."""
        value = self.entry(name, int)
        if value < least or (most is not None and value > most):
            upper = "" if most is None else f" and at most {most}"
            self._refuse(name, f"be at least {least}{upper}")
        return value

    def real(self, name: str, *, least: float = -math.inf, above: float = -math.inf) -> float:
        """Return a finite number of type float, of at least `least` and greater than `above`."""
        value = self.entry(name, float)
        if not math.isfinite(value):
            self._refuse(name, "be finite")
        if value < least:
            self._refuse(name, f"be at least {least:g}")
        if value <= above:
            self._refuse(name, f"be greater than {above:g}")
        return value

    # --- arrays ---------------------------------------------------------------------------------

    def has_array(self, name: str) -> bool:
        """Return whether there is an array of that name, not read yet."""
        return self._prefix + name in self._arrays

    def array(
        self, name: str, shape: tuple[int | None, ...], dtypes: tuple[str, ...]
    ) -> npt.NDArray[Any]:
        """Return an array of one of these types, such as ``("float32", "float64")``.

        In `shape`, None stands for any length.
        """
        name = self._prefix + name
        if name not in self._arrays:
            raise FileFormatError(f"has no array {name!r}")
        array = self._arrays.pop(name)
        if array.dtype.name not in dtypes:
            raise FileFormatError(f"{name} must be of {' or '.join(dtypes)}, got {array.dtype}")
        fits = len(shape) == array.ndim and all(
            wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
        )
        if not fits:
            expected = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
            raise FileFormatError(f"{name} must have shape {expected}, got {array.shape}")
        return array

    def numbers(
        self, name: str, shape: tuple[int | None, ...], dtypes: tuple[str, ...] = REALS
    ) -> npt.NDArray[Any]:
        """Return an array of finite numbers, of one or more dimensions."""
        array = self.array(name, shape, dtypes)
        finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        if not finite.all():
            row = int(np.argmin(finite))
            value = array[row][~np.isfinite(array[row])].flat[0]
            raise FileFormatError(f"{self._prefix}{name} holds {value} at row {row}")
        return array

    def parameters(
        self, name: str, shape: tuple[int | None, ...], dtypes: tuple[str, ...] = REALS
    ) -> npt.NDArray[Any]:
        """Return an array of a model's parameters: `numbers`, where 16 bits become float32.

        If they are to stay unread, they may not be finite.
        """
        array = self._arrays.get(self._prefix + name)
        if array is not None and is_half(array):
            self._arrays[self._prefix + name] = widened(array)
        elif self.unread:
            return self.array(name, shape, dtypes)
        return self.numbers(name, shape, dtypes)

    def check_all_read(self) -> None:
        """Raise an error if there are arrays that nobody read."""
        names = [name for name in self._arrays if name.startswith(self._prefix)]
        if names:
            some = ", ".join(map(repr, sorted(names)[:5]))
            raise FileFormatError(f"has arrays that do not belong to it: {some:.200}")

    def _get(self, name: str) -> Any:
        if name not in self._header:
            raise FileFormatError(f"has no entry {self._prefix + name!r} in its header")
        return self._header[name]

    def _refuse(self, name: str, must: str) -> None:
        value = self._header[name]
        raise FileFormatError(f"{self._prefix}{name} must {must}, got {shown(value)}")


def add_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays under longer names, to put them beside others; `Reader.part` reads them."""
    return {prefix + name: array for name, array in arrays.items()}
