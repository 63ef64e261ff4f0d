"""`DaskFMRegressor` and `DaskFMClassifier`: the estimators for rows on a Dask cluster."""

from __future__ import annotations

from typing import Any, TypeVar

import dask
import dask.array
import dask.dataframe
import distributed
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_is_fitted

from sparsefm.dask.engine import DaskTables
from sparsefm.dask.tables import columns_of, delayed_tables
from sparsefm.data.validation import check_integer
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.settings import Rounds
from sparsefm.estimators import FMClassifier, FMRegressor

Self = TypeVar("Self", bound="DaskEstimator")

OWN = ("n_partitions", "rounds")


class DaskEstimator(BaseEstimator):  # type: ignore[misc]
    """Common part of `DaskFMRegressor` and `DaskFMClassifier`."""

    _local: type[Any]

    def __init__(
        self, *, n_partitions: int | None = None, rounds: Rounds | None = None, **settings: Any
    ) -> None:
        self.n_partitions = n_partitions
        self.rounds = rounds
        self._estimator = self._local(**settings)

    # --- what scikit-learn asks for -------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters."""
        own = {name: getattr(self, name) for name in OWN}
        return {**own, **self._estimator.get_params(deep)}

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters."""
        for name in OWN:
            if name in params:
                setattr(self, name, params.pop(name))
        self._estimator.set_params(**params)
        return self

    def __getattr__(self, name: str) -> Any:
        # What a fit leaves is that of the estimator, such as `classes_` and `history_`.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._estimator, name)

    def __sklearn_tags__(self) -> Any:
        return self._estimator.__sklearn_tags__()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self._estimator, "encoder_")

    @property
    def estimator_(self) -> Any:
        """The fitted `FMRegressor` or `FMClassifier`, which needs no Dask."""
        return self._estimator

    # --- training -------------------------------------------------------------------------------

    def fit(
        self: Self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        eval_set: Any = None,
        *,
        resume: Any = None,
    ) -> Self:
        """Train on rows on the workers of the current ``distributed.Client``.

        Settings that are left open are chosen in this process, on at most 100,000 of the rows.

        Parameters
        ----------
        X : dask DataFrame or dask array of shape (n, m)
            Blocks of an array may be sparse matrices.
        y : dask Series or array of shape (n,)
            In partitions like those of `X`. So are the weights.
        sample_weight : dask Series or array of shape (n,), optional
        eval_set : tuple, or list of one tuple, optional
            Validation rows with their targets, ``(X_val, y_val)`` or ``(X_val, y_val, weights)``.
        resume : str or path-like, optional
            A file of a `Checkpoint`: training goes on after its epoch.

        Returns
        -------
        self
        """
        client = _client()
        if self.n_partitions is not None:
            check_integer(self.n_partitions, "n_partitions", 1)
        held_out = _pair(eval_set)
        weighted = sample_weight is not None or (held_out is not None and held_out[2] is not None)
        parts = delayed_tables(X, y, sample_weight, weighted=weighted, is_validation=False)
        columns = columns_of(X, weighted=weighted, validated=held_out is not None)
        if held_out is not None:
            parts += delayed_tables(*held_out, weighted=weighted, is_validation=True)
            _check_alike(X, held_out[0])
        tables = DaskTables(client, client.compute(parts))
        fit(
            self._estimator,
            tables,
            columns,
            rounds=self.rounds,
            n_partitions=self.n_partitions,
            n_workers=int(sum(client.nthreads().values())),
            resume=resume,
        )
        return self

    # --- prediction -----------------------------------------------------------------------------

    def predict(self, X: Any) -> Any:
        """Return predictions, shape (n,).

        Parameters
        ----------
        X : dask DataFrame or dask array of shape (n, m), or what the estimator takes
            Of a DataFrame the result is a Series, of an array an array, both lazy.
        """
        return self._mapped("predict", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R squared of a regressor, the accuracy of a classifier.

        Predictions and targets come to this process, the rows do not.

        Parameters
        ----------
        X : dask DataFrame or dask array of shape (n, m)
        y : dask Series or array of shape (n,)
        sample_weight : dask Series or array of shape (n,), optional
        """
        found, y, weights = dask.compute(self.predict(X), y, sample_weight)
        metric = r2_score if isinstance(self._estimator, FMRegressor) else accuracy_score
        return float(metric(y, found, sample_weight=weights))

    def _mapped(self, method: str, X: Any) -> Any:
        """Return what a method of the estimator says of rows, where they are."""
        check_is_fitted(self)
        if not isinstance(X, dask.array.Array | dask.dataframe.DataFrame):
            return getattr(self._estimator, method)(X)
        shared = dask.delayed(self._estimator, traverse=False)
        example = _of_no_rows(self._estimator, method)
        if isinstance(X, dask.dataframe.DataFrame):
            classes = list(self._estimator.classes_) if example.ndim == 2 else None
            meta = _as_pandas(example, None, classes)
            return X.map_partitions(_of_frame, shared, method, classes, meta=meta)
        if X.numblocks[1] > 1:
            X = X.rechunk({1: -1})
        shape: dict[str, Any] = {"drop_axis": 1}
        if example.ndim == 2:
            shape = {"chunks": (X.chunks[0], example.shape[1:])}
        return X.map_blocks(_of_block, shared, method, dtype=example.dtype, meta=example, **shape)


class DaskFMRegressor(DaskEstimator):
    """Train an `FMRegressor` on rows on a Dask cluster.

    The rows stay on the workers. Each of `n_partitions` partitions trains on its rows with the core
    of `FMRegressor`; what they change is joined in rounds.

    Parameters
    ----------
    n_partitions : int, optional
        By how many the rows are divided, or fewer if that leaves a partition less than 1,600 rows.
        The same number gives the same model, to the bit, whatever the workers are. Default: as many
        as the workers have threads, or fewer if that leaves a partition less than ten million rows.
    rounds : Rounds, optional
        How often partitions join what they learned.
    **settings
        Those of `FMRegressor`, except `warm_start`. An `Adam` must have lazy updates; `Gibbs` and
        `ALS` need all rows in each task.

    Attributes
    ----------
    estimator_ : FMRegressor
        The fitted estimator, which needs no Dask; its attributes are those of this one, too.
    """

    _local = FMRegressor


class DaskFMClassifier(DaskEstimator):
    """Train an `FMClassifier` on rows on a Dask cluster; see `DaskFMRegressor`.

    Parameters
    ----------
    n_partitions : int, optional
    rounds : Rounds, optional
    **settings
        Those of `FMClassifier`.

    Attributes
    ----------
    estimator_ : FMClassifier
        The fitted estimator, which needs no Dask; its attributes are those of this one, too.
    """

    _local = FMClassifier

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, shape (n, C), as `predict` does."""
        return self._mapped("predict_proba", X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of the probabilities, shape (n, C), as `predict` does."""
        return self._mapped("predict_log_proba", X)

    def decision_function(self, X: Any) -> Any:
        """Return scores, shape (n,) of two classes, else (n, C), as `predict` does."""
        return self._mapped("decision_function", X)


def _client() -> Any:
    try:
        return distributed.get_client()
    except ValueError:
        raise ValueError(
            "there is no Dask cluster: create one with `client = distributed.Client()` first"
        ) from None


def _pair(eval_set: Any) -> tuple[Any, Any, Any] | None:
    """Return X, y and weights of the validation rows."""
    if isinstance(eval_set, list) and len(eval_set) == 1:
        eval_set = eval_set[0]
    if eval_set is None:
        return None
    if not isinstance(eval_set, tuple) or len(eval_set) not in (2, 3):
        raise TypeError(
            "eval_set must be (X_val, y_val) or (X_val, y_val, weights), got "
            f"{type(eval_set).__name__}"
        )
    return eval_set if len(eval_set) == 3 else (*eval_set, None)


def _check_alike(X: Any, other: Any) -> None:
    """Refuse validation rows of other columns."""
    found = [columns_of(one, weighted=False, validated=False) for one in (X, other)]
    if found[0] != found[1] or X.shape[1] != other.shape[1]:
        raise ValueError(
            f"X of eval_set has other columns than X: {', '.join(found[1].features):.80} instead "
            f"of {', '.join(found[0].features):.80}"
        )


def _of_no_rows(estimator: Any, method: str) -> npt.NDArray[Any]:
    """Return what a method says of no rows."""
    if method == "predict":
        return np.asarray(getattr(estimator, "classes_", np.zeros(0))[:0])
    n_classes = len(estimator.classes_)
    flat = method == "decision_function" and n_classes == 2
    return np.zeros(0) if flat else np.zeros((0, n_classes))


def _of_frame(X: Any, estimator: Any, method: str, classes: Any) -> Any:
    return _as_pandas(_of_block(X, estimator, method), X.index, classes)


def _of_block(X: Any, estimator: Any, method: str) -> Any:
    if X.shape[0] == 0:
        return _of_no_rows(estimator, method)
    return getattr(estimator, method)(X)


def _as_pandas(found: npt.NDArray[Any], index: Any, classes: Any) -> Any:
    if found.ndim == 2:
        return pd.DataFrame(found, index, classes)
    return pd.Series(found, index)
