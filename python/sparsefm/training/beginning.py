"""What a model must know of the training rows to begin with."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Beginning(Protocol):
    """Statistics of training rows: of a `Dataset`, or of rows that are in many places."""

    @property
    def n_features(self) -> int:
        """Number of features d."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the arithmetic."""

    @property
    def fields(self) -> npt.NDArray[np.int32] | None:
        """The field of each feature, shape (d,), if there are fields."""

    @property
    def used_features(self) -> npt.NDArray[np.int64]:
        """The features that occur in a row, ascending."""

    def target_means(self) -> list[float]:
        """Return the weighted mean of the targets of each output."""

    def class_shares(self) -> npt.NDArray[np.float64]:
        """Return the share of the weight of each class, shape (n_classes,)."""

    def fields_with_pairs(
        self, fields: npt.NDArray[np.integer[Any]], n_fields: int
    ) -> npt.NDArray[np.bool_]:
        """Return for each field whether some row has two features of it, shape (F,)."""
