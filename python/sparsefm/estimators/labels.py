"""Class labels in any container as an array of one type, which a file can hold."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import column_or_1d

from sparsefm.data.validation import check_length, read_array
from sparsefm.encoding.tables import is_missing
from sparsefm.estimators.sources import scored_rows
from sparsefm.estimators.weighting import proportions
from sparsefm.io.labels import NUMBERS

Array = npt.NDArray[Any]

FEW_ROWS = 20


class LabelsMixin(ClassifierMixin):  # type: ignore[misc]
    """Gives a classifier a score for labels in any container."""

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy, the share of rows whose class is predicted.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        y : array-like of shape (n,), str or None
            Labels of any container that `fit` takes; of files the name of their column, or None.
        sample_weight : array-like of shape (n,) or str, optional
        """
        X, y, sample_weight = scored_rows(self, X, y, sample_weight)
        predicted, y = self.predict(X), as_labels(y, "y")
        check_length(y, len(predicted), "y")
        check_classes(y)
        if _is_text(y) != _is_text(predicted):
            raise ValueError(
                f"y holds {y[:1].tolist()}, but the classes are {predicted[:1].tolist()}"
            )
        return float(np.average(y == predicted, weights=proportions(sample_weight, len(y))))


def check_classes(labels: Array) -> None:
    """Refuse numbers that are no classes, as scikit-learn's classifiers do."""
    if labels.dtype.kind == "f" and np.any(labels != np.round(labels)):
        row = int(np.argmax(labels != np.round(labels)))
        raise ValueError(
            f"y holds no class but {labels[row]:g} in row {row}. Unknown label type: continuous: "
            "use FMRegressor"
        )


def warn_of_many_classes(n_classes: int, n_rows: int) -> None:
    """Warn where half of the rows have a class of their own."""
    if n_rows > FEW_ROWS and n_classes > round(0.5 * n_rows):
        warnings.warn(
            f"y holds {n_classes} classes in {n_rows} rows. If they are numbers, use FMRegressor",
            UserWarning,
            stacklevel=2,
        )


def balanced_weights(codes: Array, rows: Array, weights: Array | None, n_classes: int) -> Array:
    """Return weights of classes with which each has the same share of some rows."""
    counts = np.bincount(codes[rows], None if weights is None else weights[rows], n_classes)
    found = np.zeros(n_classes)
    np.divide(counts.sum(), n_classes * counts, out=found, where=counts > 0)
    return found


def weights_of_classes(class_weight: Any, labels: Array, task: str = "") -> Array:
    """Return the weight of each class in a mapping, by default 1, as scikit-learn does.

    Ordered classes must all have rows, so none can have a weight of zero.
    """
    without = [label for label in labels.tolist() if label not in class_weight]
    if without and len(labels) - len(without) < len(class_weight):
        raise ValueError(
            f"class_weight has none of the classes {without}, but others: "
            f"{[label for label in class_weight if label not in labels.tolist()]}"
        )
    found = np.array([class_weight.get(label, 1.0) for label in labels.tolist()], np.float64)
    if task == "ordinal" and not np.all(found > 0):
        lost = labels.tolist()[int(np.argmin(found))]
        raise ValueError(
            f"class_weight leaves ordered class {lost!r} without rows: remove its rows instead"
        )
    return found


def _is_text(labels: Array) -> bool:
    return labels.dtype.kind in "UO"


def as_labels(y: Any, name: str) -> Array:
    """Return labels, shape (n,), as numbers, booleans or text.

    The types of pandas' and Arrow's columns that NumPy does not have, and objects, become those of
    NumPy with the same values.
    """
    if sp.issparse(y):
        raise TypeError(f"{name} must be a dense one-dimensional array, got a sparse matrix")
    is_plain = isinstance(getattr(y, "dtype", None), np.dtype)
    y = read_array(y, name) if is_plain else _from_objects(y, name)
    if y.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} holds {y.dtype}")
    labels = one_column(y, name)
    if labels.dtype.kind in ("O", "T"):
        labels = _as_one_type(labels.astype(object), name)
    if labels.dtype.kind not in "UO" and labels.dtype.name not in NUMBERS:
        raise _unsupported(str(labels.dtype), name)
    with np.errstate(invalid="ignore"):  # it adds infinities up
        assert_all_finite(labels, input_name=name)
    return labels


def one_column(values: Array, name: str) -> Array:
    """Return an array of shape (n,) or (n, 1) in the former shape; of the latter, warn."""
    if values.ndim != 1 and (values.ndim != 2 or values.shape[1] != 1):
        raise ValueError(f"{name} must be one-dimensional, got shape {values.shape}")
    return column_or_1d(values, warn=True)  # type: ignore[no-any-return]


def _from_objects(y: Any, name: str) -> Array:
    """Return the labels of a container that is not NumPy's as it holds them."""
    for method in ("to_pylist", "to_list"):  # of Arrow; of pandas and Polars
        if hasattr(y, method):
            y = getattr(y, method)()
            break
    else:
        is_text = isinstance(y, list | tuple) and all(isinstance(one, str) for one in y)
        if is_text and len(y) and not any(one.endswith("\0") for one in y):
            return np.asarray(y)  # of fixed width, as in NumPy, which drops such ends
    return read_array(y, name, object)


def _as_one_type(labels: Array, name: str) -> Array:
    """Return objects of one type as an array of that type; text stays in objects."""
    types = set(map(type, labels))
    if any(not issubclass(one, str | bool | Integral) for one in types):
        for row, label in enumerate(labels):
            if is_missing(label):
                raise ValueError(
                    f"Input {name} contains NaN or None, in row {row}: leave out rows without a "
                    "label"
                )
    kinds = {_kind(one, name) for one in types}
    if len(kinds) > 1 and kinds != {Integral, Real}:
        shown = ", ".join(sorted(one.__name__ for one in types))
        raise TypeError(
            f"{name} holds labels of several types ({shown}): make them all text, or all numbers"
        )
    if kinds == {bool}:
        return labels.astype(bool)
    if kinds == {Integral}:
        return _as_integers(labels, name)
    if kinds <= {str}:
        return np.array([str.__str__(label) for label in labels] or [""], object)[: len(labels)]
    return _as_floats(labels, name)


def _as_integers(labels: Array, name: str) -> Array:
    for dtype in (np.int64, np.uint64):
        limits = np.iinfo(dtype)
        if limits.min <= labels.min() and labels.max() <= limits.max:
            return labels.astype(dtype)
    raise ValueError(f"{name} holds integers beyond 64 bits: make the labels text")


def _as_floats(labels: Array, name: str) -> Array:
    try:
        floats = labels.astype(np.float64)
    except OverflowError:
        floats = np.full(len(labels), np.nan)
    changed = floats != labels  # exact, as Python compares
    if changed.any():
        raise ValueError(
            f"{name} holds the label {labels[int(np.argmax(changed))]} beside floats, which "
            "float64 does not hold: make the labels text"
        )
    return floats


def _kind(one: type, name: str) -> type:
    """Return which kind of labels a type is."""
    for kind in (str, bool, Integral, Real):
        if issubclass(one, (bool, np.bool_) if kind is bool else kind):
            return kind
    raise _unsupported(one.__name__, name)


def _unsupported(kind: str, name: str) -> TypeError:
    return TypeError(
        f"{name} holds labels of type {kind}, which cannot be saved: make them integers, floats, "
        "booleans or text"
    )
