"""`Scorer`: predictions for one row at a time, without a matrix."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import from_arrays
from sparsefm.data.validation import as_array, cast
from sparsefm.field_aware_model import FieldAwareModel, flat_factors
from sparsefm.field_model import FieldWeightedModel
from sparsefm.losses import LOSSES
from sparsefm.losses.classification import sigmoid_of_one
from sparsefm.model import Model, check_scores

Array = npt.NDArray[Any]

CODES = {np.dtype(np.float32): "f", np.dtype(np.float64): "d"}  # in the module array
PLAIN = (list, tuple)


class Scorer:
    """Predicts for one row at a time, with the same bits as the model does for a matrix.

    A row is the numbers of its features and their values. In `predict` of a model, most of the time
    of a single row goes into its sparse matrix.

    Parameters
    ----------
    model : Model, FieldWeightedModel, FieldAwareModel or SampledModel
        It must not be changed meanwhile.

    Notes
    -----
    Any number of threads may use a scorer at once.

    Examples
    --------
    >>> import numpy as np, sparsefm as fm
    >>> scorer = fm.Scorer(fm.Model(0.5, np.ones(4), np.ones((4, 2))))
    >>> scorer.predict([0, 3], [1.0, 2.0])
    7.5
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model, Model):
            raise TypeError(
                f"model must be a Model, as train returns it, got {model!r:.80}; estimators "
                "predict from tables"
            )
        self._model = model
        self._dtype, self._n_features = model.dtype, model.n_features
        self._loss = LOSSES[model.loss]()
        self._code = CODES[model.dtype]
        self._kernel = _kernel(model)

    def score(self, indices: Any, values: Any = None) -> float:
        """Return the score of a row, see `Model.score`.

        Parameters
        ----------
        indices : sequence or array of int
            The features that are not zero, from 0 on, in any order. The values of a feature that
            occurs several times are added up.
        values : sequence or array of float, optional
            Their values; all are 1 by default.

        Raises
        ------
        TypeError, ValueError
            If there is no such feature, a value is not finite, or the score is too large for the
            model's dtype.
        """
        row = self._row(indices, values)
        if self._model.task == "ordinal":
            return float(self._model.score(row, n_threads=1)[0])
        return float(self._scores(row)[0])

    def predict(self, indices: Any, values: Any = None) -> Any:
        """Return the prediction for a row, see `Model.predict`; it takes what `score` takes.

        Returns
        -------
        float, or ndarray of shape (n_classes,)
            The latter, probabilities, for ordered classes.
        """
        row = self._row(indices, values)
        scores = self._scores(row)
        if self._loss.name == "logistic":
            return float(sigmoid_of_one(scores[0]))
        found = self._loss.predict(scores)[0]
        return float(found) if found.ndim == 0 else found

    def _scores(self, row: _core.Csr) -> Array:
        if self._kernel is None:
            return self._model._score_csr(row, 1)
        score, parameters = self._kernel
        scores = np.empty(1, self._dtype)
        score(scores, row, 0, *parameters, 1)
        return scores if isfinite(scores[0]) else check_scores(scores)

    def _row(self, indices: Any, values: Any) -> _core.Csr:
        """Return a row as the core takes it."""
        try:
            columns = indices
            if type(indices) in PLAIN:  # in less time than NumPy takes, and floats are refused
                columns = np.frombuffer(array("i", indices), np.int32)
            if type(values) in PLAIN:
                values_ = np.frombuffer(array(self._code, values), self._dtype)
            else:
                values_ = values
            n = len(columns)
            right = values is None or (values_.dtype == self._dtype and len(values_) == n)
            if right and columns.dtype == np.int32:
                row = self._borrowed(columns, values_)
                if not row.canonical:
                    row = self._borrowed(*_in_order(columns, values_, self._dtype))
                if row.canonical:
                    return row
        except (AttributeError, OverflowError, TypeError, ValueError):
            pass  # what is wrong is found below
        return self._checked(indices, values)

    def _borrowed(self, columns: Array, values: Any) -> _core.Csr:
        ends = np.array([0, len(columns)], np.int32)
        return _core.Csr(ends, columns, values, self._n_features, "row")

    def _checked(self, indices: Any, values: Any) -> _core.Csr:
        """Return any row that is right, or raise what is wrong with it."""
        columns = _flat(indices, "indices")
        if len(columns) and columns.dtype.kind not in "iu":
            raise TypeError(f"indices must hold integers, got dtype {columns.dtype}")
        outside = np.flatnonzero((columns < 0) | (columns >= self._n_features))
        if len(outside):
            raise ValueError(
                f"indices holds {columns[outside[0]]}, but there are features 0 to "
                f"{self._n_features - 1}"
            )
        numbers = None
        if values is not None:
            numbers = _flat(values, "values")
            if len(numbers) != len(columns):
                raise ValueError(f"{len(numbers)} values, but {len(columns)} indices, of one row")
            if len(numbers) and numbers.dtype.kind not in "fiub":
                raise TypeError(f"values must hold real numbers, got dtype {numbers.dtype}")
            wrong = np.flatnonzero(~np.isfinite(numbers))
            if len(wrong):
                raise ValueError(f"values holds {numbers[wrong[0]]} at position {wrong[0]}")
            numbers = np.ascontiguousarray(cast(numbers, self._dtype, "values"))
        ends = np.array([0, len(columns)], np.int32)
        shape = 1, self._n_features
        columns = np.ascontiguousarray(columns, np.int32)
        return from_arrays(ends, columns, numbers, shape, self._dtype, "row")


def _kernel(model: Model) -> tuple[Callable[..., None], tuple[Any, ...]] | None:
    """Return the core's function for scores of rows, and what it takes of a model; None of samples.

    What `predict` does around it takes longer than a row.
    """
    if isinstance(model, FieldWeightedModel):
        return _core.field_scores, (model.w0, model.w, model.V, model.fields, model.R[None])
    if isinstance(model, FieldAwareModel):
        parameters = model.w0, model.w, flat_factors(model.V), model.fields
        return _core.field_aware_scores, (*parameters, *model.V.shape[1:])
    if type(model) is Model:
        return _core.forward, (model.w0, model.w, model.V)
    return None


def _in_order(columns: Array, values: Any, dtype: np.dtype[Any]) -> tuple[Array, Any]:
    """Return a row sorted, without zeros, and with the values of a feature that occurs twice added.

    Features that occur more often stay: in which order SciPy adds their values up, and so the bits
    of the sum, is not known here.
    """
    order = columns.argsort(kind="stable")
    columns = columns[order]
    if values is not None:
        values = values[order]
    same = columns[1:] == columns[:-1]
    if same.any():
        if (same[1:] & same[:-1]).any():
            return columns, values
        values = np.ones(len(columns), dtype) if values is None else values
        with np.errstate(over="ignore"):
            values[:-1][same] += values[1:][same]
        kept = np.append(True, ~same)
        columns, values = columns[kept], values[kept]
    if values is not None and not values.all():
        kept = values != 0
        columns, values = columns[kept], values[kept]
    return columns, values


def _flat(values: Any, name: str) -> Array:
    array = as_array(values, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    return array
