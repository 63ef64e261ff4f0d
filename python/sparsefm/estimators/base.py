"""What regressor and classifier share: from tables to trained machines."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sparsefm import _core
from sparsefm.data.canonical import Encoded, Examples, merge_repeated, repetitions
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Rows
from sparsefm.data.validation import as_weights, check_dtype, check_real
from sparsefm.encoding import TableEncoder
from sparsefm.estimators.parameters import check_parameters
from sparsefm.estimators.saving import from_state, to_state
from sparsefm.estimators.scoring import find_metric
from sparsefm.estimators.targets import Classes, Numbers
from sparsefm.estimators.weighting import proportions, sample_of
from sparsefm.inspection.mixin import InsightMixin
from sparsefm.io.load import PersistenceMixin
from sparsefm.io.reader import Arrays
from sparsefm.losses import Loss
from sparsefm.optimizers import Solver
from sparsefm.threads import resolve_threads
from sparsefm.training.callbacks import EarlyStopping
from sparsefm.training.learner import Machines
from sparsefm.training.loop import Training, announcer, as_columns
from sparsefm.training.trainer import Trainer
from sparsefm.tuning.hyperparameters import COOLER, DEFAULT, Cooling
from sparsefm.tuning.search import Search

Array = npt.NDArray[Any]
Self = TypeVar("Self", bound="FactorizationMachine")  # typing.Self from Python 3.11 on


class FactorizationMachine(InsightMixin, PersistenceMixin, BaseEstimator):  # type: ignore[misc]
    """Common part of `FMRegressor` and `FMClassifier`, which document their parameters."""

    _needs_encoder = True

    encoder_: TableEncoder
    _machines: Machines
    _target: Numbers | Classes

    def __init__(
        self,
        *,
        rank: int | None = None,
        solver: Solver | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        init: str | None = None,
        init_scale: float | None = None,
        encoder: TableEncoder | None = None,
        early_stopping: bool = True,
        validation_fraction: float | None = None,
        patience: int = 5,
        min_delta: float = 0.0,
        scoring: Any = None,
        warm_start: bool = False,
        callbacks: Sequence[Any] = (),
        random_state: Any = 0,
        n_threads: int | None = None,
        dtype: str = "float32",
        verbose: bool = False,
    ) -> None:
        self.rank = rank
        self.solver = solver
        self.epochs = epochs
        self.batch_size = batch_size
        self.init = init
        self.init_scale = init_scale
        self.encoder = encoder
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.min_delta = min_delta
        self.scoring = scoring
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the model's features, shape (d,); see `TableEncoder`.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input columns, if they were fitted without.
        """
        check_is_fitted(self)
        return self.encoder_.get_feature_names_out(input_features)

    # --- training -------------------------------------------------------------------------------

    def fit(self: Self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> Self:
        """Train on `X` and `y`.

        What the parameters leave open is chosen by training on a part of the rows and predicting
        the others; then the model is trained on all rows, but for those that `validation_fraction`
        holds out.

        Parameters
        ----------
        X : table, array-like or sparse matrix of shape (n, m)
            See `TableEncoder` for what becomes of its columns.
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), optional
            Non-negative weights. A row of weight 2 is the same as the row twice, to the bit; one of
            weight 0 the same as none.
        eval_set : tuple (X_val, y_val), optional
            Validation data: settings are chosen and training is stopped by how well they are
            predicted, and the parameters of the best epoch are kept.

        Returns
        -------
        self
        """
        with unchanged_by_errors(self):
            self._fit(X, y, sample_weight, eval_set)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, eval_set: Any) -> None:
        given = check_parameters(self)
        go_on = self.warm_start and hasattr(self, "_machines")
        examples = self._learn(X, y, sample_weight, go_on=go_on, merge=True)
        validation = self._validation(eval_set)
        if validation is None and self.validation_fraction is not None:
            examples, validation = self._carve(examples)
        seed = self._seed()
        if go_on:
            self._machines = self._machines.grown(examples.rows[0])
            schedule: tuple[int, ...] = (self.epochs or self.n_iter_,)
        else:
            threads = resolve_threads(self.n_threads)
            choice = Search(given, self.epochs, self._loss, seed, threads).run(examples, validation)
            self._machines = Machines.begin(choice.settings, self._loss, examples.rows, seed)
            self.search_ = choice.record
            schedule = choice.schedule
        self._train(examples, validation, schedule)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        given = check_parameters(self)
        go_on = hasattr(self, "_machines")
        examples = self._learn(X, y, sample_weight, go_on=go_on, merge=False)
        if go_on:
            self._machines = self._machines.grown(examples.rows[0])
        else:
            settings = DEFAULT.fixed(given)
            self._machines = Machines.begin(settings, self._loss, examples.rows, self._seed())
        self._train(examples, None, (1,))

    def _train(
        self, examples: Examples, validation: Examples | None, schedule: Sequence[int]
    ) -> None:
        """Run epochs with callbacks; with validation stop early, and record its figures."""
        trainers = self._machines.trainers(examples.rows, resolve_threads(self.n_threads))
        callbacks: list[Any] = [*self.callbacks]
        stopping = None
        if validation is not None and self.early_stopping:
            stopping = self._early_stopping()
            callbacks.append(stopping)
        else:
            own = (callback for callback in callbacks if isinstance(callback, EarlyStopping))
            stopping = next(own, None)

        def evaluate() -> tuple[float | None, Mapping[str, float]]:
            self._machines.steps = trainers[0].steps
            self.n_iter_ = self.best_epoch_ = trainers[0].epoch
            return (None, {}) if validation is None else self._evaluate(validation, trainers)

        training = Training(trainers, lambda: self, self._target.loss_unit)
        cooling = Cooling(schedule)
        history = training.run(
            sum(schedule), evaluate, [*callbacks, cooling], announcer(self.verbose)
        )
        self._machines.steps = trainers[0].steps
        self.best_epoch_ = len(history) if stopping is None else stopping.best_epoch
        self._machines.cooling *= COOLER ** cooling.stage(self.best_epoch_)
        self.history_ = as_columns(history)

    def _evaluate(
        self, validation: Examples, trainers: Sequence[Trainer]
    ) -> tuple[float, dict[str, float]]:
        """Return the validation loss, summed over the machines, and metrics."""
        scores = self._machines.scores(validation.X, resolve_threads(self.n_threads))
        total = 0.0
        for trainer, rows, column in zip(trainers, validation.rows, scores.T, strict=True):
            loss = rows.mean(trainer.loss.values(rows.y, column.astype(rows.y.dtype)))
            trainer.check_validation(loss, rows)
            total += loss
        weights = validation.rows[0].weights
        metrics = self._metrics(validation.y, scores, weights)
        if self.scoring is not None:
            metric = find_metric(self.scoring)
            metrics[metric.name] = metric.value(self, validation.encoded, validation.y, weights)
        return total * self._target.loss_unit, metrics

    def _early_stopping(self) -> EarlyStopping:
        if self.scoring is not None:
            metric = find_metric(self.scoring)
            monitor, greater = metric.name, metric.greater_is_better
        else:  # the square of a tiny target is zero, that of a huge one infinite
            representable = np.finfo(float).tiny < self._target.loss_unit < np.inf
            monitor, greater = "val_loss" if representable else "rmse", False
        return EarlyStopping(
            monitor, patience=self.patience, min_delta=self.min_delta, greater_is_better=greater
        )

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    # --- rows -----------------------------------------------------------------------------------

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, go_on: bool, merge: bool) -> Examples:
        """Learn what columns and targets are like, or what is new in them; return the examples."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        if go_on:
            if self._loss.name != self._machines.loss_name:
                raise ValueError(
                    f"loss is {self._loss.name!r} now, but was {self._machines.loss_name!r} in the "
                    "fit to go on from: fit anew, with warm_start=False"
                )
            self.encoder_ = copy.copy(self.encoder_)
            matrix = self.encoder_._grow_encode(X, sample_weight, self)
        else:
            encoder = TableEncoder() if self.encoder is None else clone(self.encoder)
            self.encoder_ = encoder.set_params(dtype=self.dtype)
            matrix = self.encoder_._fit_encode(X, sample_weight, self)
        y = self._check_y(y)
        check_consistent_length(X, y)
        weights = proportions(sample_weight, matrix.n_rows)
        if not go_on:
            self._target = self._new_target(y, weights)
        codes = self._codes(y, weights)
        rows = Rows(matrix, codes, weights)
        if merge:
            rows = merge_repeated(rows)
        self._sample = sample_of(rows)
        weights, chosen = self._weights(rows), rows.chosen
        if chosen is not None and rows.weights is not None and weights is not None:
            again = np.ones(len(y), np.int64)
            again[chosen] = repetitions(rows.weights[chosen])
            weights, chosen = weights / again, np.repeat(chosen, again[chosen])
        weights = as_weights(weights, len(y), self._real, "class_weight")
        return self._examples(replace(rows, weights=weights, chosen=chosen), y)

    def _validation(self, eval_set: Any) -> Examples | None:
        if eval_set is None:
            return None
        if isinstance(eval_set, list) and len(eval_set) == 1:
            (eval_set,) = eval_set
        if not isinstance(eval_set, tuple | list) or len(eval_set) != 2:
            raise TypeError("eval_set must be a tuple (X_val, y_val)")
        X, y = eval_set
        matrix = self._encode(X)
        y = self._check_y(y)
        check_consistent_length(X, y)
        return self._examples(Rows(matrix, self._codes(y)), y)

    def _examples(self, rows: Rows, y: Array) -> Examples:
        targets = self._target.of_machines(rows.y)
        return Examples([replace(rows, y=target.astype(self._real)) for target in targets], y)

    def _carve(self, examples: Examples) -> tuple[Examples, Examples]:
        """Split examples into those to train on and those to validate with."""
        fraction = check_real(self.validation_fraction, "validation_fraction", above=0)
        if fraction >= 1:
            raise ValueError(f"validation_fraction must be less than 1, got {fraction:g}")
        if len(examples.counted) < 2:
            raise ValueError("validation_fraction needs at least 2 different rows, but X has 1")
        random = np.random.default_rng((self._seed(), 2))
        train, held_out = examples.split(fraction, random, stratify=self._loss.task == "binary")
        return examples.choose(train), examples.take(held_out)

    def _encode(self, X: Any) -> _core.Csr:
        """Return `X` as the machines take it; it may be so already."""
        check_is_fitted(self)
        if isinstance(X, Encoded):
            return as_csr(X, self._real, n_features=self._machines.n_features)
        return self.encoder_._encode(X, self)

    def _scores(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the machines' scores, shape (n, machines)."""
        matrix = self._encode(X)
        scores = self._machines.scores(matrix, resolve_threads(self.n_threads))
        if not np.isfinite(scores).all():
            row = int(np.argmin(np.isfinite(scores).all(axis=1)))
            raise ValueError(
                f"the score of row {row} of X is too large for {self._real}: its values are far "
                "from those of the training data"
            )
        return scores

    @property
    def _real(self) -> np.dtype[Any]:
        """The type of the arithmetic; a new `dtype` is that of the next fit."""
        return check_dtype(self.encoder_.dtype)

    def _fitted(self, name: str) -> Any:
        """Return an attribute that fitting sets."""
        check_is_fitted(self)
        return vars(self)[name]

    # --- saving ---------------------------------------------------------------------------------

    def _to_state(self, optimizer_state: bool) -> tuple[dict[str, Any], Arrays]:
        return to_state(self, optimizer_state)

    @classmethod
    def _from_state(cls, header: dict[str, Any], arrays: Arrays) -> Any:
        return from_state(cls, header, arrays)

    def _adopt(self, encoder: TableEncoder) -> None:
        if encoder.n_features_out_ != self._machines.n_features:
            raise ValueError("has an encoder that does not fit its parameters")
        self.encoder_ = encoder
        for name in ("n_features_in_", "feature_names_in_"):
            if name in vars(encoder):
                setattr(self, name, getattr(encoder, name))

    # --- what regressor and classifier fill in ----------------------------------------------------

    @property
    @abstractmethod
    def _loss(self) -> Loss:
        """The loss of the machines."""

    @abstractmethod
    def _check_y(self, y: Any) -> Array:
        """Return targets as an array of shape (n,)."""

    @abstractmethod
    def _new_target(self, y: Array, weights: Array | None) -> Numbers | Classes:
        """Learn what machines' targets are."""

    @abstractmethod
    def _codes(self, y: Array, weights: Array | None = None) -> Array:
        """Return numbers that stand for targets, shape (n,); check those of positive weight."""

    @abstractmethod
    def _weights(self, rows: Rows) -> Array | None:
        """Return the weights in training of rows whose targets are codes."""

    @abstractmethod
    def _metrics(self, y: Array, scores: Array, weights: Array | None) -> dict[str, float]:
        """Return metrics of the machines' scores, shape (n, machines)."""


@contextmanager
def unchanged_by_errors(estimator: Any) -> Iterator[None]:
    """Put an estimator back to what it was if fitting it fails or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
