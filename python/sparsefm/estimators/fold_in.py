"""New users, or new items, of a fitted estimator: their parameters alone are learned."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.csr import as_scipy
from sparsefm.data.validation import as_vector, as_weights, check_length
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.categories import Categories
from sparsefm.encoding.columns import Encoding, n_outputs
from sparsefm.encoding.reading import Input
from sparsefm.encoding.tables import Labels
from sparsefm.estimators.folding import Machines, Prior, of_categories
from sparsefm.estimators.going_on import own, refuse_ranker
from sparsefm.estimators.mapped import MappedLearner
from sparsefm.estimators.parameters import is_balanced
from sparsefm.model import Model
from sparsefm.sampling import SampledModel
from sparsefm.snapshots import aside
from sparsefm.training.parameters import State, lengthened
from sparsefm.training.sampled import Sampled

Array = npt.NDArray[Any]
Self = TypeVar("Self", bound="FoldInMixin")

LIKELY = ("squared", "huber", "logistic")
LEAST_NOISE = 1e-6  # of the variance of the target


class FoldInMixin:
    """Gives an estimator `fold_in`."""

    _priors: Mapping[int, list[Prior]] = {}
    """What categories are like: by field, and of each output."""

    if TYPE_CHECKING:
        encoder_: TableEncoder
        history_: dict[str, list[Any]]
        best_epoch_: int
        _learner: Any
        _is_shared: bool
        _sample: sp.csr_matrix | None
        _target: Any

        @property
        def _models(self) -> list[Any]: ...
        @property
        def _loss_unit(self) -> float: ...
        @property
        def _real(self) -> np.dtype[Any]: ...
        def _check_targets(self, X: Any, y: Any) -> Array: ...
        def _codes(self, y: Array, weights: Array | None = None) -> Array: ...
        def _class_weighted(
            self, codes: Array, rows: Array, weights: Array | None
        ) -> Array | None: ...
        def _in_memory(self, X: Any) -> Any: ...
        def _fields(self) -> Array | None: ...

    @aside
    def fold_in(
        self: Self, X: Any, y: Any, *, column: str | int, sample_weight: Any = None
    ) -> Self:
        """Learn new categories of one column, such as new users; all else stays, to the bit.

        The parameters of a category become the most likely ones, given its rows and what the
        categories that training knew are like: their mean and covariance are its prior. That takes
        a millisecond for a few rows, and needs no setting. Rows of all other categories are
        predicted as before, to the bit. So are the statistics of numbers, the target and `bounds_`.

        The result depends on the rows of a category alone, not on earlier calls. So give all rows
        of a category: one that is known already is learned anew from these, and what training knew
        of it is lost. To go on from there instead, see ``partial_fit``.

        Parameters
        ----------
        X : table of shape (n, m)
            With the columns of the fit. Categories of other columns that training never saw
            contribute nothing.
        y : array-like of shape (n,)
        column : str or int
            The column of categories, such as "user", by name or position. Each row needs a value.
        sample_weight : array-like of shape (n,), optional
            A row of weight 2 counts like the row twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the column has no categories of its own (numbers, lists, hashed values), or one is
            missing; or the model has another loss than "squared", "huber" and "logistic", which
            says how likely targets are.

        Notes
        -----
        The variance of the noise is that of a sample, with `Gibbs`; else it is the loss on
        validation rows of `fit`, if there are some, or of its search, or on training rows.

        With `Gibbs` the parameters of each sample are learned, and get a spread, so that
        ``predict(X, return_std=True)`` tells how uncertain they are. A call copies all samples:
        give it many categories at once.
        """
        check_is_fitted(self)
        self._check_can_fold_in()
        encoder, y = self.encoder_, self._check_targets(X, y)
        field = _field_to_fold(encoder, column)
        data = encoder._read_known(self._in_memory(X), self).keeping()
        check_length(y, data.shape[0], "y")
        weights = _checked_weights(sample_weight, len(y))
        codes, rows = self._codes(y, weights), np.flatnonzero(weights)
        of_classes = self._class_weighted(codes, rows, weights)
        weights = weights if of_classes is None else of_classes
        encodings, features = _with_categories(encoder, data, field, rows)
        # Other columns have no new features, so these are numbers of the model, too.
        others = _without(as_scipy(encoder._features(data, encodings, encoder._scales)), features)
        rows = rows[np.argsort(features[rows], kind="stable")]
        folded, starts = np.unique(features[rows], return_index=True)
        of_each = np.split(rows, starts[1:])
        priors, outputs = self._priors_of(field), self._target.of_outputs(codes)
        found = []
        for model, prior, targets in zip(self._models, priors, outputs, strict=True):
            machines = Machines.of(model, self._learner.loss)
            given = field, of_each, targets.astype(np.float64), weights
            parameters = of_categories(machines, prior, others, *given)
            found.append(_in_dtype(parameters, self._real))
        self._priors, self._n_trained = {**self._priors, field: priors}, self._known(encoder)
        self.encoder_ = copy.copy(encoder)
        self.encoder_._encodings = encodings
        self.encoder_.n_features_out_ = n_outputs(encodings)
        self._put(folded.astype(np.int64), found)
        return self

    def _known(self, encoder: TableEncoder) -> int:
        """Return how many features training knew."""
        return int(vars(self).get("_n_trained", encoder.n_features_out_))

    def _check_can_fold_in(self) -> None:
        """Refuse models of which no likelihood of one score follows."""
        refuse_ranker(self, "fold_in")
        loss = self._learner.loss
        if loss.name not in LIKELY:
            raise ValueError(
                f"fold_in needs a loss that says how likely targets are, one of {LIKELY}, and one "
                f"score for each of them: the model has loss={loss.name!r}"
            )
        if is_balanced(getattr(self, "class_weight", None)):
            raise ValueError(
                "class_weight='balanced' needs all rows at once: set_params(class_weight=None), "
                "and give fold_in the weights as sample_weight"
            )

    def _priors_of(self, field: int) -> list[Prior]:
        """Return what the categories of a field are like, for each output."""
        if field not in self._priors:
            encodings = self.encoder_._encodings
            assert encodings is not None
            known = encodings[field]
            assert isinstance(known, Categories)
            features = known.columns[known.columns < self._known(self.encoder_)]
            return [
                Prior.of(Machines.of(model, self._learner.loss), features, self._noise(model))
                for model in self._models
            ]
        return self._priors[field]

    def _noise(self, model: Model) -> npt.NDArray[np.float64]:
        """Return the variance of the noise of each machine of a model, in its units."""
        if self._learner.loss.task != "regression":
            n_machines = len(model.samples) if isinstance(model, SampledModel) else 1
            return np.ones(n_machines)
        if isinstance(model, SampledModel):
            return np.array([sample.noise**2 for sample in model.samples])
        searched = vars(self).get("search_", {}).get("loss", [])
        if "val_loss" in self.history_ or not searched:
            losses = self.history_.get("val_loss", self.history_["train_loss"])
            half = losses[self.best_epoch_ - 1] / self._loss_unit
        else:
            half = searched[0]
        return np.array([min(max(2 * half, LEAST_NOISE), 1.0)])

    def _put(self, features: Array, found: list[Array]) -> None:
        """Set the parameters of some features; those beyond the present ones are new.

        Parameters
        ----------
        features : ndarray of int, shape (m,)
        found : list of ndarray of shape (m, M, 1 + k)
            Of each output.
        """
        size = self.encoder_.n_features_out_
        if self._sample is not None:
            parts = self._sample.data, self._sample.indices, self._sample.indptr
            self._sample = sp.csr_matrix(parts, (self._sample.shape[0], size))
        learner = self._learner
        if isinstance(learner, Sampled):
            pairs = zip(learner.outputs, found, strict=True)
            models = (_model_with(model, size, features, numbers) for model, numbers in pairs)
            self._learner = Sampled(tuple(models), learner.loss)
            return
        if isinstance(learner, MappedLearner):
            learner = learner.plain()
        fields = self._fields() if learner.hyperparameters.needs_fields else None
        learner = own(self, learner).extended(size, fields)
        for state, numbers in zip(learner.states, found, strict=True):
            assert isinstance(state, State)
            _set(state.w, state.V, features, numbers[:, 0])
            state.refresh_norms(features)
        self._learner, self._is_shared = learner, False


def _set(w: Array, V: Array, features: Array, numbers: Array) -> None:
    """Set the parameters (m, 1 + k) of some features."""
    w[features] = numbers[:, 0]
    shape = len(features), -1, V.shape[-1]  # of a field-aware model there may be more fields
    blocks = numbers[:, 1:].reshape(shape if V.size else (len(features), 1, 0))
    V[features] = blocks[:, : V.shape[1]] if V.ndim == 3 else blocks[:, 0]


def _in_dtype(numbers: Array, dtype: np.dtype[Any]) -> Array:
    """Return parameters in the type of the model, if they are finite in it."""
    with np.errstate(over="ignore"):
        found = numbers.astype(dtype)
    if not np.isfinite(found).all():
        raise ValueError(f"y has targets that are too large for {dtype}")
    return found


def _model_with(model: Model, size: int, features: Array, numbers: Array) -> Model:
    """Return a model with `size` features, of which some have the parameters (m, M, 1 + k)."""
    pairs: list[Any] = [*model.samples] if isinstance(model, SampledModel) else [model]
    made = []
    for number, one in enumerate(pairs):
        w, V = lengthened(one.w, size), lengthened(one.V, size)
        _set(w, V, features, numbers[:, number])
        made.append((w, V))
    if not isinstance(model, SampledModel):
        return Model(model.w0, *made[0], model.task, model.loss, model.history)
    samples = [replace(one, w=w, V=V) for one, (w, V) in zip(pairs, made, strict=True)]
    known = model.offset, model.scale, model.task, model.progress, model.history
    return SampledModel(samples, *known)


def _field_to_fold(encoder: TableEncoder, column: Any) -> int:
    """Return the number of the field of a column of categories."""
    if encoder._encodings is None:
        raise ValueError(
            "fold_in needs a column of categories, and the model was fitted on a sparse matrix: "
            "fit it on a table"
        )
    field = encoder._field_of(column, "column")
    encoding = encoder._encodings[field]
    if not isinstance(encoding, Categories):
        raise ValueError(
            f"column names {encoder.field_names_[field]!r}, which has no feature for each value "
            f"({type(encoding).__name__}): whole numbers that are identifiers need "
            "TableEncoder(categorical=...) in the fit"
        )
    return field


def _with_categories(
    encoder: TableEncoder, data: Input, field: int, rows: Array
) -> tuple[list[Encoding], Array]:
    """Return the encodings with the new categories of some rows, and the feature of each row."""
    assert encoder._encodings is not None
    assert data.kept is not None
    known, name, column = encoder._encodings[field], data.field_names[field], data.kept[field]
    assert isinstance(known, Categories)
    labels = known._labels(column, name)
    if (labels.codes < 0).any():
        row = int(np.argmax(labels.codes < 0))
        raise ValueError(f"column {name!r} has no value in row {row}: there is nothing to learn")
    used = Labels(labels.codes[rows], labels.values)
    grown = known.grown(used, name, encoder.n_features_out_)
    encodings = [*encoder._encodings]
    encodings[field] = grown
    return encodings, grown.encode(column, name)[0]


def _without(X: sp.csr_matrix, features: Array) -> sp.csr_matrix:
    """Return rows without one feature of each, in float64."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    kept = X.indices != features[rows]
    ends = np.append(0, np.cumsum(kept))[X.indptr]
    return sp.csr_matrix((X.data[kept].astype(np.float64), X.indices[kept], ends), X.shape)


def _checked_weights(sample_weight: Any, n_rows: int) -> npt.NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(n_rows)
    as_weights(sample_weight, n_rows, np.float64, "sample_weight")  # for its checks
    return as_vector(sample_weight, n_rows, np.float64, "sample_weight")
