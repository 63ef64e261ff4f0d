"""`FMRegressor`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import assert_all_finite

from sparsefm.data.dataset import Dataset
from sparsefm.data.validation import as_array, cast, check_flag, check_length
from sparsefm.encoding import TableEncoder
from sparsefm.estimators.base import FactorizationMachine
from sparsefm.estimators.bounds import UNBOUNDED, check_bounds
from sparsefm.estimators.labels import one_column
from sparsefm.estimators.sources import scored_rows
from sparsefm.estimators.targets import Numbers
from sparsefm.estimators.weighting import proportions
from sparsefm.losses import Loss, check_loss
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import SampledModel, Sweeper
from sparsefm.snapshots import aside, consistent
from sparsefm.training.metrics import Metrics, metrics_of

Array = npt.NDArray[Any]


class FMRegressor(RegressorMixin, FactorizationMachine):  # type: ignore[misc]
    """Factorization machine for regression.

    The target is standardised for training, so its offset and scale do not matter.

    Settings that are left open are chosen from the data: candidates (samplers and optimizers of
    several ranks, and encodings of numbers) are trained on nine tenths of the rows or more and
    scored on the others. Then the model is trained with the best settings on all rows. "How
    defaults are chosen" in the documentation has the details.

    Parameters
    ----------
    loss : {"squared", "huber"} or Loss
        With "huber" errors beyond 1.35 standard deviations of the target count linearly, so
        outliers have less influence; ``sparsefm.losses.Huber(delta=...)`` sets another bound.
    rank : int, optional
        Number of factors k >= 0 of each feature; 0 makes a linear model. Default: chosen.
    variant : {"fm", "fwfm", "ffm"}, optional
        How columns interact, see `train`: with "fwfm" their pairs have weights, which are learned,
        too; with "ffm" a feature has factors for each column. It needs `Adam` or `AdaGrad`, and for
        a sparse matrix ``TableEncoder(fields=...)``. Default: chosen between "fm"
        and "fwfm".
    pairs : sequence of pairs, optional
        Which columns interact, by name or position: ``[("user", "item")]``, or across groups of
        them: ``[(["user", "city"], ["item", "genre"])]``. It needs an optimizer. Default: all.
    solver : Adam, AdaGrad, Gibbs or ALS, optional
        How to train, with its hyperparameters; ``set_params(solver__learning_rate=0.1)`` sets
        one of them. Default: chosen among `Gibbs`, `Adam` and `AdaGrad`.
        `Gibbs` samples the parameters and averages the predictions, and `ALS` is alternating least
        squares; for both nothing is searched for.
    epochs : int or sequence of int, optional
        Number of passes over the training rows; a sequence has the passes at the learning rate,
        at a quarter of it, and so on. Default: chosen (`Gibbs`: 60, `ALS`: 20).
    batch_size : int, optional
        Rows of a step. Default: a 64th of the rows, at least 16, at most 1024 (AdaGrad: 256).
    init : {"normal", "uniform"}, optional
        Distribution of the initial factors, as for `train`. Default: chosen.
    init_scale : float, optional
        Scale of the initial factors, as for `train`. Default: chosen.
    encoder : TableEncoder, optional
        A clone of it turns columns into features. Default: ``TableEncoder()``.
    bounds : "auto", tuple (low, high) or None
        Predictions are clipped to it; None is no bound, also for one of the two. "auto": if the
        training targets are at most 32 different values in even steps, such as ratings or small
        counts, the range of these values, otherwise no bounds. Losses, standard deviations and
        explanations are those of the score, which is not clipped. A change counts at once.
    early_stopping : bool
        With validation data (`eval_set` or `validation_fraction`): stop when `patience` runs out,
        and keep the parameters of the best epoch.
    validation_fraction : float, optional
        Share of the rows, in (0, 1), to hold out as validation rows if there is no `eval_set`.
        Default: candidates are scored on parts of the rows, and the model is trained on all rows.
    patience : int
        Stop after this many epochs in a row without improvement.
    min_delta : float
        A change counts as an improvement if it is larger than this.
    scoring : str or callable, optional
        The metric for early stopping: a name of one of scikit-learn's scorers, with or without
        ``neg_``; a scorer ``f(estimator, X, y)``, whose X is encoded; or a metric
        ``f(y_true, y_pred)`` whose name ends in "_score" (greater is better), "_error" or
        "_loss". Default: the validation loss.
    warm_start : bool
        Whether `fit` continues from the parameters and optimizer state of the previous fit. A
        `rank` or `solver` that has changed since counts from then on; not another `init`.
    callbacks : sequence of callable
        Each is called with an `Epoch` after each epoch. If one returns True, training stops.
    search : {"fast", "thorough"} or None
        How much to spend on settings that are left open. "thorough" tries larger ranks and more
        optimizers, also on many rows. None: no search; a sampler of rank 16 where there can be
        one, otherwise `Adam` of rank 8 for ten epochs.
    search_seconds : float, optional
        After so many seconds no more candidates are begun. What is chosen then depends on the
        machine.
    random_state : int, RandomState or None
        Seed of all random numbers. None: a new seed each time.
    n_threads : int, optional
        Default: every core that the process may use. The result does not depend on it.
    dtype : {"float32", "float64"}
        Type of parameters and arithmetic.
    verbose : bool
        Log each epoch, as INFO, to the logger "sparsefm"; print to standard error if nothing
        listens to that logger.

    Attributes
    ----------
    bounds_ : tuple of float
        Predictions are clipped to this range (low, high).
    encoder_ : TableEncoder
        The fitted encoder.
    history_ : dict of str to list
        One entry for each epoch in each column: "epoch", "train_loss", with validation data
        "val_loss" and "rmse", and "seconds". With squared loss the losses are mean squared errors,
        of predictions that are not clipped to `bounds_`, as those for "rmse" are.
        ``pandas.DataFrame(model.history_)`` makes a table of it.
    search_ : dict of str to list
        A table of the candidates: those for the model, the best first, then those for the encoding
        of numbers, with the training rows, epochs, validation loss (of standardised targets; with
        squared loss half the mean squared error) and seconds of each. "losses" holds the
        validation loss after each epoch.
    best_params_ : dict
        The settings that were chosen or given: ``type(model)(**model.best_params_)`` trains the
        same model without a search.
    n_iter_ : int
        Number of epochs run.
    best_epoch_ : int
        The epoch whose parameters were kept.
    n_features_in_ : int
        Number of input columns m.
    feature_names_in_ : ndarray of str, shape (m,)
        Names of the input columns, if the input was a table and all names are text.

    Examples
    --------
    >>> import numpy as np, sparsefm as fm
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 2, (500, 6)).astype(float)
    >>> y = 100 + X[:, 0] + 3 * X[:, 1] * X[:, 2]
    >>> model = fm.FMRegressor().fit(X, y)
    >>> bool(model.score(X, y) > 0.99)
    True
    """

    _kind = "FMRegressor"
    _target: Numbers

    def __init__(
        self,
        *,
        loss: str | Loss = "squared",
        rank: int | None = None,
        variant: str | None = None,
        pairs: Any = None,
        solver: Optimizer | Sweeper | None = None,
        epochs: int | Sequence[int] | None = None,
        batch_size: int | None = None,
        init: str | None = None,
        init_scale: float | None = None,
        encoder: TableEncoder | None = None,
        bounds: Any = "auto",
        early_stopping: bool = True,
        validation_fraction: float | None = None,
        patience: int = 5,
        min_delta: float = 0.0,
        scoring: Any = None,
        warm_start: bool = False,
        callbacks: Sequence[Any] = (),
        search: str | None = "fast",
        search_seconds: float | None = None,
        random_state: Any = 0,
        n_threads: int | None = None,
        dtype: str = "float32",
        verbose: bool = False,
    ) -> None:
        super().__init__(
            rank=rank,
            variant=variant,
            pairs=pairs,
            solver=solver,
            epochs=epochs,
            batch_size=batch_size,
            init=init,
            init_scale=init_scale,
            encoder=encoder,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            min_delta=min_delta,
            scoring=scoring,
            warm_start=warm_start,
            callbacks=callbacks,
            search=search,
            search_seconds=search_seconds,
            random_state=random_state,
            n_threads=n_threads,
            dtype=dtype,
            verbose=verbose,
        )
        self.loss = loss
        self.bounds = bounds

    @aside
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "FMRegressor":
        """Train for one pass over more rows.

        The optimizer continues with its moments, and new features join the model.
        Hyperparameters that are not set have fixed defaults; there is no search. The statistics of
        columns and targets follow the rows, unless they are those of `fit`, and parameters are
        corrected so that predictions stay. `bounds_` grow with the targets.

        After a fit whose model was sampled, if `solver` is None, the first call compresses it to
        one ordinary model, see `SampledModel.compress`, and trains that with `AdaGrad`.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        y : array-like of shape (n,), or str or None as in `fit`
        sample_weight : array-like of shape (n,) or str, optional

        Returns
        -------
        self
        """
        self._partial_fit(X, y, sample_weight)
        return self

    @consistent
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return predicted targets, shape (n,).

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        return_std : bool
            Also return the standard deviation of the targets, shape (n,): that of the noise and of
            what is not known about the parameters. Only with ``solver=Gibbs()``.

        Returns
        -------
        ndarray of float64, shape (n,), or two of them
        """
        return_std, X = check_flag(return_std, "return_std"), self._in_memory(X)
        scores = self._scores(X)[:, 0]
        mean = np.clip(self._target.offset + self._target.scale * scores, *self._bounds())
        if not return_std:
            return mean
        noise, parameters = self._sampled("return_std").predict_std(
            self._encode(X), n_threads=self.n_threads
        )
        return mean, self._target.scale * np.hypot(noise, parameters)

    @consistent
    def predict_quantiles(
        self, X: Any, quantiles: Sequence[float] = (0.05, 0.5, 0.95)
    ) -> npt.NDArray[np.float64]:
        """Return quantiles of the targets, shape (n, n_quantiles). Only with ``solver=Gibbs()``.

        They are clipped to `bounds_`, as predictions are.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        quantiles : sequence of float
            Each in (0, 1). The default gives the median within a 90% interval.
        """
        sampled = self._sampled("predict_quantiles").predict_quantiles(
            self._encode(X), quantiles, n_threads=self.n_threads
        )
        return np.clip(self._target.offset + self._target.scale * sampled, *self._bounds())

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R squared, the share of the targets' variance that the predictions explain.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        y : array-like of shape (n,), str or None
            Of files the name of their column, or None.
        sample_weight : array-like of shape (n,) or str, optional
        """
        X, y, sample_weight = scored_rows(self, X, y, sample_weight)
        predicted, y = self.predict(X), self._check_y(y)
        check_length(y, len(predicted), "y")
        weights = proportions(sample_weight, len(y))
        with np.errstate(over="ignore"):
            return float(r2_score(y, predicted, sample_weight=weights))

    def _sampled(self, name: str) -> SampledModel:
        model = self._models[0]
        if not isinstance(model, SampledModel):
            raise ValueError(f"{name} needs samples of the parameters: fit with solver=Gibbs()")
        return model

    @property
    @consistent
    def bounds_(self) -> tuple[float, float]:
        """The range that predictions are clipped to."""
        return self._bounds()

    def _bounds(self) -> tuple[float, float]:
        levels = self._fitted("_target").levels
        given = check_bounds(self.bounds)
        if given is not None:
            return given
        return (levels[0], levels[-1]) if levels else UNBOUNDED

    @property
    @consistent
    def w0_(self) -> float:
        """The bias."""
        return self._target.offset + self._target.scale * self._models[0].w0

    _n_scores = 1

    def _of_score(self, c: int) -> tuple[float, Array, Array]:
        """Return w0, w (d,) and V (d, k) of the one score."""
        return self.w0_, self.w_, self.V_

    @property
    @consistent
    def w_(self) -> Array:
        """The linear weights, shape (d,)."""
        return np.asarray(self._target.scale * self._models[0].w.astype(np.float64))

    @property
    @consistent
    def V_(self) -> Array:
        """The factors, shape (d, k)."""
        return np.asarray(np.sqrt(self._target.scale) * self._models[0].V.astype(np.float64))

    @property
    def _loss(self) -> Loss:
        return check_loss("regression", self.loss)

    def _check_y(self, y: Any) -> Array:
        numbers = as_array(y, "y")
        if numbers.dtype.kind == "c":
            raise ValueError(f"Complex data not supported: y holds {numbers.dtype}")
        if numbers.dtype.kind not in "fiub":
            raise TypeError(f"y must hold real numbers, got dtype {numbers.dtype}")
        numbers = cast(one_column(numbers, "y"), np.float64, "y")
        assert_all_finite(numbers, input_name="y")
        return numbers

    def _new_target(self, y: Array, weights: Array | None) -> Numbers:
        return Numbers.learn(y, weights)

    def _codes(self, y: Array, weights: Array | None = None) -> Array:
        return self._target.codes(y)

    def _class_weighted(self, codes: Array, rows: Array, weights: Array | None) -> Array | None:
        return weights

    def _metrics(self, validation: Dataset, scores: Array) -> Metrics:
        codes = self._target.codes(validation.y)
        predicted = np.clip(scores[:, 0], *self._target.codes(np.array(self.bounds_)))
        metrics = metrics_of(self._loss, codes, predicted, validation.weights)
        return {"rmse": self._target.scale * metrics["rmse"]}
