"""The fields of features: the columns of a table, or groups of the columns of a sparse matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.dataset import checked_fields
from sparsefm.encoding.assembly import fields_of
from sparsefm.encoding.columns import Encoding
from sparsefm.encoding.names import Names
from sparsefm.encoding.reading import column_names, field_positions
from sparsefm.encoding.settings import position_of
from sparsefm.encoding.table import NO_WEIGHTS
from sparsefm.snapshots import consistent

Fields = npt.NDArray[np.intp]


class FieldsMixin:
    """Gives a fitted encoder the fields of its features."""

    _fields: Fields | None = None  # of a sparse matrix, if columns are not fields
    _weights: Mapping[int, int] = NO_WEIGHTS  # the columns of the weights of lists

    if TYPE_CHECKING:
        fields: Any
        n_features_in_: int
        n_features_out_: int
        _encodings: list[Encoding] | None
        _names: Names | None

    @property
    @consistent
    def field_names_(self) -> list[str]:
        """The names of the fields, which are the input columns unless `fields` says otherwise.

        Columns of weights of lists are no fields.
        """
        check_is_fitted(self)
        if self._fields is not None:
            return [f"field {number}" for number in range(int(self._fields.max()) + 1)]
        names = self._column_names
        return [names[position] for position in self._field_positions] if self._weights else names

    @property
    @consistent
    def fields_(self) -> Fields:
        """The field of each feature, shape (d,)."""
        check_is_fitted(self)
        if self._fields is not None:
            return self._fields
        if self._encodings is None:
            return np.arange(self.n_features_out_)
        return fields_of([encoding.spans() for encoding in self._encodings])

    @property
    def _column_names(self) -> list[str]:
        """The input columns' names, "x0", "x1" and so on if they have none."""
        return column_names(self._names, self.n_features_in_)

    @property
    def _field_positions(self) -> list[int]:
        """The positions of the input columns that are fields."""
        return field_positions(self.n_features_in_, self._weights)

    def _field_of(self, key: Any, parameter: str) -> int:
        """Return the number of the field that a parameter names: its column by name or position."""
        if self._fields is not None:
            return position_of(key, parameter, self.field_names_)
        names = self._column_names
        position = position_of(key, parameter, names)
        if position in self._weights.values():
            raise ValueError(
                f"{parameter} names column {names[position]!r}, which holds the weights of lists "
                "and is no field: leave it out"
            )
        return position - sum(own < position for own in self._weights.values())

    def _set_fields(self, fields: npt.NDArray[Any]) -> None:
        """Set the fields of the columns of a sparse matrix, which an estimator has found."""
        self.fields, self._fields = fields, fields_of_columns(fields, self.n_features_in_)


def fields_of_columns(fields: Any, n_columns: int) -> Fields | None:
    """Return the parameter `fields` for a sparse matrix, checked."""
    checked = checked_fields(fields, n_columns)
    return None if checked is None else checked.astype(np.intp)
