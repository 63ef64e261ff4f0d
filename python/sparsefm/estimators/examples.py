"""From tables and targets to datasets: what an estimator does before it trains."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sparsefm import _core
from sparsefm.data.canonical import canonical_rows
from sparsefm.data.dataset import Dataset
from sparsefm.data.formats import shape_of
from sparsefm.data.memory import check_width
from sparsefm.data.validation import as_weights, check_dtype, check_length, unmasked
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.statistics import scaled_weights
from sparsefm.estimators.encoded import Encoded
from sparsefm.estimators.eval_sets import UNNAMED, EvalSets, named_sets
from sparsefm.estimators.parameters import check_fraction
from sparsefm.estimators.sources import rows_in_memory, training_rows
from sparsefm.estimators.targets import Classes, Numbers
from sparsefm.estimators.weighting import proportions, sample_of
from sparsefm.losses import Loss
from sparsefm.sampling.groups import one_hot_fields
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.random import stream
from sparsefm.tuning.splits import Split, split

Array = npt.NDArray[Any]


class ExamplesMixin:
    """Fits the encoding of columns and targets, and applies it."""

    encoder: TableEncoder | None
    encoder_: TableEncoder
    dtype: Any
    rank: int | None
    variant: str | None
    validation_fraction: float | None
    _learner: Any  # Learner, or Sampled
    _target: Numbers | Classes
    _priors: Mapping[int, Any]  # see `FoldInMixin`
    _fields_in_file: Array  # between reading a file of libffm and learning its columns

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the model's features, shape (d,); see `TableEncoder`.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input columns, if the input of `fit` had none.
        """
        check_is_fitted(self)
        return self.encoder_.get_feature_names_out(input_features)

    def _opened(
        self, X: Any, y: Any, sample_weight: Any, eval_set: Any = None, *, go_on: bool
    ) -> tuple[Any, Any, Any, Any]:
        """Return the arguments of `fit` with the rows of files that they name."""
        found = training_rows(self, X, y, sample_weight, eval_set, go_on=go_on)
        if found.fields is not None and (self.encoder is None or self.encoder.fields is None):
            self._fields_in_file = found.fields
        if found.zero_based is not None:
            self._zero_based = found.zero_based
        elif not go_on:
            self.__dict__.pop("_zero_based", None)
        return found[:4]

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        go_on: bool,
        canonical: bool = True,
        searching: bool = False,
        stream: bool = False,
    ) -> tuple[Dataset, Array | None]:
        """Fit the encoding of columns and targets, or extend it.

        Parameters
        ----------
        X, y, sample_weight
            The arguments of `fit`.
        go_on : bool
            Whether to extend what was fitted before.
        canonical : bool
            Whether to bring rows into an order that depends on their content only.
        searching : bool
            Whether a search will choose an encoding. Until then different numbers stay different.
        stream : bool
            Whether statistics of the first rows follow those to come.

        Returns
        -------
        Dataset
        ndarray of shape (n,) or None
            How often each row counts, without class weights; None: once.
        """
        y = self._check_targets(X, y)
        weights = proportions(sample_weight, len(y))
        matrix = self._learn_columns(X, sample_weight, go_on, searching, stream)
        check_length(y, matrix.n_rows, "y")
        if go_on:
            self.encoder_._watch.tell("the target", self._target.contradiction(y, weights))
        self._target = self._target.grown(y, weights) if go_on else self._new_target(y, weights)
        if isinstance(self._target, Numbers) and (stream or self._target.followed is not None):
            in_stream = scaled_weights(sample_weight, len(y), stream=True)
            self._target = self._target.following(y, in_stream)
        codes = self._codes(y, weights)
        if canonical:  # the order does not depend on the encoding
            plain = self.encoder_._plain()
            full = matrix if plain is None else plain._fit_encode(X, sample_weight, plain)
            rows, weights = canonical_rows(full, codes, weights)
        elif weights is None:
            rows = np.arange(len(y), dtype=np.int64)
        else:
            rows = np.flatnonzero(weights > 0)
        if stream:
            self._find_fields(None, "the first rows of a stream do not tell")
        else:
            self._find_fields(matrix)
        self._sample = sample_of(matrix, rows, weights)
        self._priors = {}
        self.__dict__.pop("_n_trained", None)
        return self._weighted(matrix, y, codes, rows, weights), weights

    def _weighted(
        self, matrix: _core.Csr, y: Array, codes: Array, rows: Array, weights: Array | None
    ) -> Dataset:
        """Return the rows that take part, given how often each counts, with class weights."""
        weights = self._class_weighted(codes, rows, weights)
        if weights is not None:
            weights = as_weights(weights, len(y), self._real, "class_weight")
        if weights is not None:  # some may be zero now: those of a class, or what rounds to zero
            rows = rows[weights[rows] > 0]
            if len(rows) == 0:
                raise ValueError(f"all rows have a weight of zero in {self._real}")
        return self._dataset(matrix, y, codes, weights, rows)

    def _check_targets(self, X: Any, y: Any) -> Array:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        return self._paired(X, unmasked(y, "y"))

    def _paired(self, X: Any, y: Any) -> Array:
        """Return targets as an array, one for each row of `X`."""
        if sp.issparse(y):
            raise TypeError("y must be a dense one-dimensional array, got a sparse matrix")
        if sp.issparse(X):
            shape_of(X, "X")  # which scikit-learn takes for granted
        checked = self._check_y(y)
        n_rows = getattr(X, "shape", None)
        if isinstance(n_rows, tuple) and n_rows:  # what else X may be, the encoder finds out
            check_length(checked, n_rows[0], "y")
        return checked

    def _learn_columns(
        self, X: Any, sample_weight: Any, go_on: bool, searching: bool, stream: bool
    ) -> _core.Csr:
        """Fit the encoder, or extend it by new categories; return the encoded matrix."""
        if sp.issparse(X):
            rank = Hyperparameters.rank if self.rank is None else self.rank
            check_width(shape_of(X, "X")[1], rank, check_dtype(self.dtype).itemsize)
        if not go_on:
            encoder = TableEncoder() if self.encoder is None else clone(self.encoder)
            if searching and isinstance(encoder.clip, str):
                encoder.clip = False
            if "_fields_in_file" in vars(self):
                encoder.fields = vars(self).pop("_fields_in_file")
            self.encoder_ = encoder.set_params(dtype=self.dtype)
            self.encoder_._follows = stream
            return self.encoder_._fit_encode(X, sample_weight, self)
        if self._loss.name != self._learner.loss.name:
            raise ValueError(
                f"loss is {self._loss.name!r} now, but was {self._learner.loss.name!r} in the "
                "fit to go on from: fit anew, with warm_start=False"
            )
        self.encoder_ = copy.copy(self.encoder_)
        self.encoder_.dtype = self.dtype
        if "_fields_in_file" in vars(self):
            self.encoder_.fields = vars(self).pop("_fields_in_file")
        self.encoder_._follows = isinstance(self._learner, Learner)  # samples cannot be changed
        return self.encoder_._grow_encode(X, sample_weight, self)

    def _validation(self, eval_set: Any) -> Dataset | None:
        """Return the validation rows; of several sets the last decides, see `EvalSets`."""
        if eval_set is None:
            return None
        sets = {name: self._eval_rows(*part) for name, part in named_sets(eval_set).items()}
        return sets[UNNAMED] if UNNAMED in sets else EvalSets.of_sets(sets)

    def _eval_rows(self, X: Any, y: Any, sample_weight: Any) -> Dataset:
        X = self._in_memory(X)
        matrix = self._encode(X)
        y = self._paired(X, unmasked(y, "y of eval_set"))
        check_length(y, matrix.n_rows, "y of eval_set", "X of eval_set")
        weights = as_weights(sample_weight, len(y), self._real, "sample_weight of eval_set")
        dataset = self._dataset(matrix, y, self._codes(y), weights)
        vars(dataset)["table"] = X  # for scorers that look at columns
        return dataset

    def _dataset(
        self, matrix: _core.Csr, y: Array, codes: Array, weights: Any = None, rows: Any = None
    ) -> Dataset:
        targets = (target.astype(self._real) for target in self._target.of_outputs(codes))
        dataset = Dataset.of(matrix, y, tuple(targets), weights, rows)
        return replace(dataset, fields=self._fields(), n_classes=self._target.n_classes)

    def _fields(self) -> Array | None:
        """Return the field of each feature; None if columns of a matrix have no meaning."""
        encoder = self.encoder_
        if encoder._is_matrix and encoder.fields is None:
            return None
        return encoder.fields_.astype(np.int32)

    def _find_fields(self, matrix: _core.Csr | None, why: str = "X is not one-hot") -> None:
        """Have the encoder of a one-hot matrix know its fields, if the model must have some."""
        needed = self._has_fields or self._has_penalties_by_field
        if not needed or self._fields() is not None:
            return
        fields = None if matrix is None else one_hot_fields(matrix)
        if fields is None:
            what = "pairs" if self.variant is None else f"variant={self.variant!r}"
            if not self._has_fields:
                what = "l2_factors of each field"
            raise ValueError(
                f"{what} needs to know which columns of X are of one field, and {why}: pass "
                "encoder=TableEncoder(fields=...), or a table"
            )
        self.encoder_._set_fields(fields)

    def _hold_out(self, dataset: Dataset) -> Split:
        """Divide a dataset into training rows and validation rows."""
        fraction = check_fraction(self.validation_fraction)
        if len(dataset.rows) < 2:
            raise ValueError("validation_fraction needs at least 2 different rows, but X has 1")
        random = stream(self._seed(), "holdout")
        return split(dataset, fraction, random, stratify=self._loss.task != "regression")

    def _encode(self, X: Any) -> _core.Csr:
        """Return `X` encoded; it may be encoded already."""
        if "_learner" not in vars(self):
            check_is_fitted(self)
        if isinstance(X, Encoded):
            return X.checked(self._real, self._learner.n_features)
        return self.encoder_._encode(self._in_memory(X), self)

    def _in_memory(self, X: Any) -> Any:
        """Return `X`, or the rows in the files that it names."""
        return rows_in_memory(self, X)

    @property
    def _real(self) -> np.dtype[Any]:
        """The type of the arithmetic; a changed `dtype` counts from the next fit on."""
        return check_dtype(self.encoder_.dtype)

    @property
    @abstractmethod
    def _has_fields(self) -> bool:
        """Whether the model is one that needs fields, by the user's choice."""

    @property
    @abstractmethod
    def _has_penalties_by_field(self) -> bool:
        """Whether fields have penalties of their own, by the user's choice."""

    # --- what regressor and classifier define ----------------------------------------------------

    @property
    @abstractmethod
    def _loss(self) -> Loss:
        """The loss to train with."""

    @abstractmethod
    def _check_y(self, y: Any) -> Array:
        """Return targets as an array of shape (n,)."""

    @abstractmethod
    def _new_target(self, y: Array, weights: Array | None) -> Numbers | Classes:
        """Fit the encoding of targets, with the loss open if there is a search."""

    @abstractmethod
    def _codes(self, y: Array, weights: Array | None = None) -> Array:
        """Return numbers that stand for targets, shape (n,); check those of positive weight."""

    @abstractmethod
    def _class_weighted(self, codes: Array, rows: Array, weights: Array | None) -> Array | None:
        """Return the weights of rows, given the codes of their targets, with class weights."""

    @abstractmethod
    def _seed(self) -> int:
        """Return the seed of all random numbers."""
