"""`FMClassifier`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if

from sparsefm.data.dataset import Dataset
from sparsefm.data.distinct import distinct_values
from sparsefm.encoding import TableEncoder
from sparsefm.estimators.base import FactorizationMachine
from sparsefm.estimators.class_parameters import ClassParameters
from sparsefm.estimators.labels import (
    LabelsMixin,
    as_labels,
    balanced_weights,
    check_classes,
    warn_of_many_classes,
    weights_of_classes,
)
from sparsefm.estimators.parameters import is_balanced
from sparsefm.estimators.targets import Classes
from sparsefm.losses import Logistic, Loss, Softmax, check_loss
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import Sweeper
from sparsefm.snapshots import aside, consistent
from sparsefm.training.metrics import Metrics, class_metrics, metrics_of
from sparsefm.tuning.classes import MOST_AGAINST_REST

Array = npt.NDArray[Any]


def _has_probabilities(estimator: Any) -> bool:
    fitted = getattr(estimator, "_learner", None)
    loss = estimator._loss if fitted is None else fitted.loss
    if not loss.has_probabilities:
        raise AttributeError(
            f"probabilities need loss='logistic', 'softmax' or 'ordinal', not {loss.name!r}"
        )
    return True


def _check_order(y: Any) -> None:
    """Check that a pandas Categorical has no other order than its values."""
    categories = getattr(getattr(y, "dtype", None), "categories", None)
    if categories is not None and list(categories) != sorted(categories):
        raise ValueError(
            f"the order of the categories, {list(categories)}, is not that of their values: use "
            "numbers, such as y.cat.codes"
        )


class FMClassifier(LabelsMixin, ClassParameters, FactorizationMachine):
    """Factorization machine for classification.

    With two classes there is one output, the score of the second class. With more classes there is
    one output for each class against the rest (one-vs-rest), or one model in which the classes
    share the factors of the features, and each class has a vector that says how much each factor
    counts for it (softmax). Ordered classes, such as ratings, have a loss of their own.

    Settings that are left open are chosen from the data: candidates (samplers and optimizers of
    several ranks, and encodings of numbers) are trained on nine tenths of the rows or more and
    scored on the others. Then the model is trained with the best settings on all rows. "How
    defaults are chosen" in the documentation has the details.

    Parameters
    ----------
    loss : {"logistic", "softmax", "hinge", "ordinal"} or Loss, optional
        "logistic" and "hinge" have one output for each class against the rest; with hinge loss
        there are no probabilities. With "softmax" all classes share one model, whose size hardly
        grows with their number. "ordinal" is for classes with an order, which is
        that of `classes_`: they are the intervals of one latent number. There is one output, and
        the cuts between the classes are learned. It needs ``solver=Gibbs()``, and a row of each
        class. Default: "logistic"; with more than two classes "logistic" or "softmax", chosen; with
        more than 20 "softmax", unless the solver samples.
    rank : int, optional
        Number of factors k >= 0 of each feature; 0 makes a linear model. Default: chosen.
    variant : {"fm", "fwfm", "ffm"}, optional
        How columns interact, see `train`: with "fwfm" their pairs have weights, which are learned,
        too; with "ffm" a feature has factors for each column. It needs `Adam` or `AdaGrad`, and for
        a sparse matrix ``TableEncoder(fields=...)``. With
        more than two classes there is a model of each against the rest. Default: chosen.
    pairs : sequence of pairs, optional
        Which columns interact, by name or position: ``[("user", "item")]``, or across groups of
        them: ``[(["user", "city"], ["item", "genre"])]``. It needs an optimizer. Default: all.
    solver : Adam, AdaGrad or Gibbs, optional
        How to train, with its hyperparameters; ``set_params(solver__learning_rate=0.1)`` sets
        one of them. Default: chosen among `Gibbs`, `Adam` and `AdaGrad`.
        `Gibbs` samples the parameters and averages the predicted probabilities, with a probit link;
        nothing is searched for.
    epochs : int or sequence of int, optional
        Number of passes over the training rows; a sequence has the passes at the learning rate,
        at a quarter of it, and so on. Default: chosen (`Gibbs`: 60).
    batch_size : int, optional
        Rows of a step. Default: a 64th of the rows, at least 16, at most 1024 (AdaGrad: 256).
    init : {"normal", "uniform"}, optional
        Distribution of the initial factors, as for `train`. Default: chosen.
    init_scale : float, optional
        Scale of the initial factors, as for `train`. Default: chosen.
    encoder : TableEncoder, optional
        A clone of it turns columns into features. Default: ``TableEncoder()``.
    class_weight : dict or "balanced", optional
        Weight of the rows of each class; "balanced": inversely proportional to their number.
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
    classes_ : ndarray of shape (C,)
        The classes, in ascending order.
    encoder_ : TableEncoder
        The fitted encoder.
    history_ : dict of str to list
        One entry for each epoch in each column: "epoch", "train_loss", with validation data
        "val_loss" and metrics, and "seconds". With more than two classes the losses are the sum
        over the outputs. ``pandas.DataFrame(model.history_)`` makes a table of it.
    search_ : dict of str to list
        A table of the candidates: those for the model, the best first, then those for the encoding
        of numbers, with the loss that is minimised ("objective"), the training rows, epochs,
        validation loss and seconds of each. With one output for each class against the rest and
        more than six classes, "loss" is the mean loss of six outputs, else the log loss of the
        probabilities. "losses" holds the validation loss after each epoch.
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
    >>> y = np.where(X[:, 1] == X[:, 2], "same", "different")
    >>> model = fm.FMClassifier().fit(X, y)
    >>> bool(model.score(X, y) > 0.99)
    True
    """

    _kind = "FMClassifier"
    _target: Classes
    _chosen_loss: Loss = Logistic()  # where `loss` is None

    def __init__(
        self,
        *,
        loss: str | Loss | None = None,
        rank: int | None = None,
        variant: str | None = None,
        pairs: Any = None,
        solver: Optimizer | Sweeper | None = None,
        epochs: int | Sequence[int] | None = None,
        batch_size: int | None = None,
        init: str | None = None,
        init_scale: float | None = None,
        encoder: TableEncoder | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
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
        self.class_weight = class_weight

    @aside
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> "FMClassifier":
        """Train for one pass over more rows.

        The optimizer continues with its moments, and new features join the model.
        Hyperparameters that are not set have fixed defaults; there is no search. The statistics of
        columns follow the rows, unless they are those of `fit`, and parameters are corrected so
        that predictions stay.

        After a fit whose model was sampled, if `solver` is None, the first call compresses it to
        one ordinary model, see `SampledModel.compress`, and trains that with `AdaGrad`.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        y : array-like of shape (n,), or str or None as in `fit`
        classes : array-like of shape (C,), optional
            All classes that will occur; needed in the first call unless its `y` has them all.
        sample_weight : array-like of shape (n,) or str, optional

        Returns
        -------
        self
        """
        if is_balanced(self.class_weight):
            raise ValueError(
                "class_weight='balanced' needs all rows at once: give partial_fit the weights, "
                "which sklearn.utils.class_weight.compute_class_weight computes"
            )
        if classes is not None:
            classes = distinct_values(as_labels(classes, "classes"))
            if hasattr(self, "_learner") and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes={classes} is not the same as on last call to partial_fit, "
                    f"was: {self.classes_}"
                )
        self._announced = classes
        self._partial_fit(X, y, sample_weight)
        del self._announced
        return self

    @consistent
    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return scores: shape (n,), of the second class, with two classes; else (n, C).

        With ordered classes they are log-odds, or the logarithms of the probabilities. With softmax
        only their differences matter.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        """
        scores = self._scores(X)
        if len(self.classes_) > 2:
            return scores
        return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]

    @consistent
    def predict(self, X: Any) -> Array:
        """Return the class with the highest score, shape (n,).

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        """
        scores = self._scores(X)
        chosen = scores[:, 0] >= 0 if scores.shape[1] == 1 else np.argmax(scores, axis=1)
        return self.classes_[chosen.astype(np.intp)]

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class, shape (n, C), in the order of `classes_`.

        With logistic loss and more than two classes the probabilities of the outputs, each for one
        class against the rest, are divided by their sum.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    @consistent
    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the logarithm of the probability of each class, shape (n, C).

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
        """
        return self._fitted("_learner").loss.log_probabilities(  # type: ignore[no-any-return]
            self._scores(X)
        )

    # --- what the base class needs ---------------------------------------------------------------

    @property
    def _loss(self) -> Loss:
        if self.loss is not None:
            return check_loss(("binary", "classes", "ordinal"), self.loss)
        return self._chosen_loss

    @property
    def _loss_of_all(self) -> Loss | None:  # type: ignore[override]
        several = self.loss is None and self._target.n_outputs > 2 and not self._has_fields
        return Softmax() if several else None

    def _check_y(self, y: Any) -> Array:
        if self._loss.task == "ordinal":
            _check_order(y)
        labels = as_labels(y, "y")
        check_classes(labels)
        return labels

    def _new_target(self, y: Array, weights: Array | None) -> Classes:
        announced = getattr(self, "_announced", None)
        known = announced if announced is not None else Classes.labels_of(y, weights)
        if announced is None:
            warn_of_many_classes(len(known), len(y))
        may_share = not isinstance(self.solver, Sweeper) and not self._has_fields
        if self.loss is None and may_share and len(known) > MOST_AGAINST_REST:
            self._chosen_loss = Softmax()  # targets for each class would need much memory
        target = Classes(known, self._loss.is_of_all_classes)
        if len(target.labels) < 2:
            raise ValueError(
                "FMClassifier needs rows (of positive weight) of at least 2 classes, but the data "
                f"hold only one class: {', '.join(map(repr, target.labels.tolist())) or 'none'}"
            )
        return target

    def _codes(self, y: Array, weights: Array | None = None) -> Array:
        codes = self._target.codes(y)
        unknown = codes < 0 if weights is None else (codes < 0) & (weights > 0)
        if unknown.any():
            row = int(np.argmax(unknown))
            raise ValueError(
                f"y holds the class {y[[row]].tolist()[0]!r} in row {row}, which is not one of "
                f"{self.classes_}"
            )
        return codes

    def _class_weighted(self, codes: Array, rows: Array, weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        if is_balanced(self.class_weight):
            of_class = balanced_weights(codes, rows, weights, len(self.classes_))
        else:
            of_class = weights_of_classes(self.class_weight, self.classes_, self._loss.task)
        of_rows = np.where(codes >= 0, of_class[codes], 0)
        return np.asarray(of_rows if weights is None else of_rows * weights)

    def _metrics(self, validation: Dataset, scores: Array) -> Metrics:
        loss = self._loss
        if scores.shape[1] == 1:
            metrics = metrics_of(loss, validation.targets[0], scores[:, 0], validation.weights)
            return {name: value for name, value in metrics.items() if not np.isnan(value)}
        return class_metrics(loss, self._target.codes(validation.y), scores, validation.weights)
