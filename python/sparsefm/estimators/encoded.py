"""Rows that the encoder has been through, for metrics of the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.data.dataset import Dataset

Array = npt.NDArray[Any]


class Encoded(sp.csr_matrix):  # type: ignore[misc]
    """A matrix of features; an estimator predicts from it without encoding it again.

    Rows can be selected as from any other sparse matrix.
    """

    _source: _core.Csr | None = None  # what it was made of
    table: Any = None  # the rows before they were encoded, if they are known
    _shared: tuple[Array, ...] = ()  # the read-only arrays that it had then

    @classmethod
    def of(cls, dataset: Dataset) -> Encoded:
        """Return the rows of a data set, made once."""
        cached = vars(dataset).get("encoded")
        if cached is None:
            cached = cls(as_scipy(dataset.X))
            cached._source, cached._shared = dataset.X, tuple(map(_read_only, cached._arrays()))
            cached.table = vars(dataset).get("table")
            cached.data, cached.indices, cached.indptr = cached._shared
            vars(dataset)["encoded"] = cached
        return cached

    def checked(self, real: np.dtype[Any], n_features: int) -> _core.Csr:
        """Return it as the core takes it."""
        pairs = zip(self._arrays(), self._shared, strict=False)
        if self._source is not None and all(now is then for now, then in pairs):
            return self._source
        return as_csr(self, real, n_features=n_features)

    def _arrays(self) -> tuple[Array, ...]:
        return self.data, self.indices, self.indptr


def _read_only(array: Array) -> Array:
    """Return a view: the array itself may be the user's."""
    view: Array = array.view()
    view.flags.writeable = False
    return view
