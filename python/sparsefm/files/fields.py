"""The field of each feature, as files of libffm tell it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError

UNKNOWN = -1  # of a feature that has not occurred
TRAINING, OTHER = "the training", "another file"  # where fields are known from

Array = npt.NDArray[Any]


@dataclass(eq=False)
class FieldTable:
    """The field of each index that has occurred; several rows may have one table together.

    Attributes
    ----------
    of : ndarray of int32
        By index; `UNKNOWN` where there is none.
    """

    of: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def grow(self, size: int) -> None:
        """Make room for so many indices."""
        if size > len(self.of):
            self.of = _of_size(self.of, size)

    def join(self, fields: Array, *, zero_based: bool, name: str) -> None:
        """Add the fields of the features of a file, which must be those that are known."""
        by_index = np.concatenate([np.full(0 if zero_based else 1, UNKNOWN, np.int32), fields])
        self.of = joined_fields(self.of, by_index, base=0, source=OTHER, name=name)

    def of_features(self, n_features: int, *, zero_based: bool) -> npt.NDArray[np.int32]:
        """Return the field of each feature; 0 for one that has not occurred."""
        known = self.of[0 if zero_based else 1 :][:n_features]
        fields = np.zeros(n_features, np.int32)
        np.maximum(known, 0, out=fields[: len(known)])
        return fields


def joined_fields(known: Array, found: Array, *, base: int, source: str, name: str = "") -> Array:
    """Return the field of each feature that one of two knows; the others are `UNKNOWN`.

    Parameters
    ----------
    known, found : ndarray of int32
        They may have features of different number.
    base : int
        The index of the first feature of `found`, for errors.
    source : str
        What is known is from there.
    name : str, optional
        Of the file in which `found` is.

    Raises
    ------
    FileFormatError
        If a feature has two fields.
    """
    size = max(len(known), len(found))
    known, found = _of_size(known, size), _of_size(found, size)
    wrong = np.flatnonzero((found != known) & (found != UNKNOWN) & (known != UNKNOWN))
    if len(wrong):
        feature = int(wrong[0])
        raise FileFormatError(
            f"{name and f'{name}: '}index {feature + base} is in field {found[feature]}, but was "
            f"in field {known[feature]} in {source}; a feature must have one field"
        )
    return np.maximum(known, found)


def _of_size(fields: Array, size: int) -> Array:
    """Return fields of more features, the new ones unknown."""
    larger = np.empty(size, np.int32)
    larger[: len(fields)], larger[len(fields) :] = fields, UNKNOWN
    return larger
