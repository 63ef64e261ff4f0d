"""Encoded rows, for metrics of the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.data.dataset import Dataset


class Encoded(sp.csr_matrix):  # type: ignore[misc]
    """A matrix of features; an estimator predicts from it without encoding it again.

    Rows can be selected as from any other sparse matrix.
    """

    _source: _core.Csr | None = None  # the matrix that it was made from; its arrays are read-only

    @classmethod
    def of(cls, dataset: Dataset) -> Encoded:
        """Return the matrix of a dataset, made once."""
        cached = vars(dataset).get("encoded")
        if cached is None:
            cached = cls(as_scipy(dataset.X))
            cached.data.flags.writeable = False
            cached._source = dataset.X
            vars(dataset)["encoded"] = cached
        return cached

    def checked(self, real: np.dtype[Any], n_features: int) -> _core.Csr:
        """Return the matrix as the core takes it."""
        source = self._source
        if (
            source is not None
            and self.indices is source.indices
            and len(self.indptr) == source.n_rows + 1
        ):
            return source
        return as_csr(self, real, n_features=n_features)
