"""Notices when a callback changes the rows that are being trained on.

The core borrows the arrays of a CSR matrix and checks them once. If a callback then changes them,
the core would read wherever they say.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.data.mapped import mapping_of
from sparsefm.history import Epoch


class Guard:
    """A callback, the last one, that raises an error if the others changed what is borrowed.

    Parameters
    ----------
    matrices : iterable of Csr
    """

    def __init__(self, matrices: Iterable[_core.Csr]) -> None:
        self._arrays = [
            (array, _content(array))
            for X in matrices
            for array in (X.indptr, X.indices, X.values)
            if array is not None and mapping_of(array) is None  # files can only be read
        ]

    def begin(self, training: object) -> None:
        """Check after the others have begun."""
        self.check()

    def __call__(self, epoch: Epoch) -> None:
        """Check after an epoch."""
        self.check()

    def check(self) -> None:
        """Raise `ValueError` if an array is not what it was."""
        if any(_content(array) != content for array, content in self._arrays):
            raise ValueError(
                "X, or that of the validation rows, was changed by a callback or metric during "
                "training: let it change a copy"
            )


def guards_of(functions: Iterable[Any], *datasets: Dataset | None) -> list[Guard]:
    """Return a guard of some rows; none if all functions are the package's own.

    Parameters
    ----------
    functions : iterable
        Callbacks and metrics; what cannot be called counts for nothing.
    *datasets : Dataset or None
    """
    if not any(map(_is_foreign, functions)):
        return []
    return [Guard(dataset.X for dataset in datasets if dataset is not None)]


def _is_foreign(function: Any) -> bool:
    return callable(function) and not type(function).__module__.startswith("sparsefm.")


def _content(array: Any) -> tuple[int, int, int]:
    """Return the place, the size and a checksum of an array; it is checksummed at gigabytes/s."""
    return array.ctypes.data, array.nbytes, zlib.crc32(array)
