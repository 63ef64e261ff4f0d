"""The common part of regressor and classifier: from tables to trained models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.streams import warn_of_few_rows
from sparsefm.estimators.describing import DescribingMixin
from sparsefm.estimators.encoded import Encoded
from sparsefm.estimators.eval_sets import SEPARATOR, UNNAMED, all_rows, scored_sets
from sparsefm.estimators.field_weights import FieldWeights
from sparsefm.estimators.fitting import FittingMixin
from sparsefm.estimators.fold_in import FoldInMixin
from sparsefm.estimators.following import followed
from sparsefm.estimators.going_on import adapted, changes, check_changes, own, parameters_of
from sparsefm.estimators.nested import NestedParameters
from sparsefm.estimators.parameters import check_parameters
from sparsefm.estimators.saving import SavingMixin
from sparsefm.estimators.scoring import find_metric
from sparsefm.estimators.targets import Classes, Numbers
from sparsefm.history import as_columns
from sparsefm.inspection.mixin import InsightMixin
from sparsefm.model import Model
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import Gibbs, SampledModel, Sweeper
from sparsefm.snapshots import aside
from sparsefm.threads import resolve_threads
from sparsefm.training.callbacks import EarlyStopping
from sparsefm.training.evaluation import evaluate
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.loop import Run, announcer
from sparsefm.training.metrics import Metrics
from sparsefm.training.sampled import Sampled
from sparsefm.training.sampling_run import SamplingRun
from sparsefm.training.solvers import check_going_on, check_sweeps, sampled_models
from sparsefm.training.start import VARIANTS, Start
from sparsefm.training.training_run import TrainingRun
from sparsefm.tuning.schedule import RATE_DECAY, StagedRate

Array = npt.NDArray[Any]
Self = TypeVar("Self", bound="FactorizationMachine")  # typing.Self from Python 3.11 on

ROWS_FOR_THREADS = 256  # with fewer, asking how many threads there may be costs more than they save


class FactorizationMachine(
    InsightMixin,
    FieldWeights,
    FoldInMixin,
    DescribingMixin,
    SavingMixin,
    FittingMixin,
    NestedParameters,
):
    """Common part of `FMRegressor` and `FMClassifier`, which document their parameters."""

    encoder_: TableEncoder
    _learner: Any  # Learner, or Sampled
    _is_shared: bool = False  # whether a shallow copy has the same `_learner`
    _target: Numbers | Classes

    def __init__(
        self,
        *,
        rank: int | None = None,
        variant: str | None = None,
        pairs: Any = None,
        solver: Optimizer | Sweeper | None = None,
        epochs: int | Sequence[int] | None = None,
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
        search: str | None = "fast",
        search_seconds: float | None = None,
        random_state: Any = 0,
        n_threads: int | None = None,
        dtype: str = "float32",
        verbose: bool = False,
    ) -> None:
        self.rank = rank
        self.variant = variant
        self.pairs = pairs
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
        self.search = search
        self.search_seconds = search_seconds
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

    def __copy__(self: Self) -> Self:
        # `partial_fit` changes a large learner in place, unless somebody else has it too.
        self._is_shared = True
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    # --- training -------------------------------------------------------------------------------

    @aside
    def fit(
        self: Self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        eval_set: Any = None,
        *,
        resume: Any = None,
    ) -> Self:
        """Train on `X` and `y`.

        Settings that are left open are chosen: candidates are trained on nine tenths of the rows
        or more and scored on the others. Then the model is trained on all rows, except those that
        `validation_fraction` holds out.

        Until `fit` returns, everybody sees the estimator as it was, and it may predict meanwhile in
        other threads. That includes callbacks: `training.model`, of their method `begin`, is the
        model in training. Of several fits at once in threads the last one to return counts.

        Parameters
        ----------
        X : table, array-like, sparse matrix of shape (n, m), or path
            See `TableEncoder` for how columns are encoded. A path, a pattern or a list of them
            names files that `read_table` or `read` can read; a `SparseText` also says how to read
            them.
        y : array-like of shape (n,), str or None
            Of files: the name of the target column, whose other columns are X; or None if they are
            sparse text, which has the targets.
        sample_weight : array-like of shape (n,) or str, optional
            Non-negative weights, or the name of their column in files. A row of weight 2 has the
            same effect as the row twice, to the bit; a row of weight 0 is left out. `Gibbs` and
            `ALS` take weights of numbers as precisions, which is another model.
        eval_set : tuple, list of tuple, or dict of str to tuple, optional
            Validation rows with their targets, ``(X_val, y_val)`` or ``(X_val, y_val, weights)``.
            Where X names files, sets do, too: ``("valid.csv", "target")``. Candidates are scored on
            them, training stops early by them, and the parameters of the best epoch are kept. There
            may be several sets, in a list, which names them "valid_0", "valid_1" and so on, or in a
            dict by name. Then the last one decides. `history_` has the loss and metrics of each,
            such as "valid_0/loss", and those of the last once more under their usual names.
        resume : str or path-like, optional
            A file of a `Checkpoint`: training goes on after its epoch, with the settings that were
            chosen, and ends with the same bits as one that was never interrupted. Rows and
            parameters must be the same as before, except `epochs`, of which there may be more,
            `n_threads` and `verbose`; `random_state` must be an integer. If there is no such file
            yet, but one of the callbacks is a `Checkpoint` that writes it, training begins.

        Returns
        -------
        self
        """
        self._fit(X, y, sample_weight, eval_set, resume)
        return self

    def _sample_parameters(
        self,
        dataset: Dataset,
        validation: Dataset | None,
        solver: Sweeper,
        rank: int,
        epochs: int,
        *,
        go_on: bool,
    ) -> None:
        """Run sweeps over the features."""
        variant = self.variant or VARIANTS[0]
        start = Start(rank, self.init or "normal", self.init_scale, variant=variant)
        going_on: Sequence[SampledModel] = ()
        if go_on:
            going_on = sampled_models(self._models, solver, dataset.X.n_features)
        check_sweeps(solver, epochs, self.batch_size, start, going_on=go_on)
        run = SamplingRun(
            dataset,
            all_rows(validation),
            solver,
            self._loss,
            start,
            seed=self._seed(),
            threads=resolve_threads(self.n_threads),
            going_on=going_on,
            loss_unit=self._loss_unit,
            model=lambda: self._after(run),
        )
        callbacks = [*self.callbacks, *self._guards(dataset, validation)]
        self._run(run, epochs, validation, callbacks, sampling=solver._random)
        self._after(run)
        chosen = {"rank": rank, "solver": solver, "epochs": epochs}
        self.best_params_ = chosen | self._kept()

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        given = check_parameters(self)
        ordered = self.solver is None and self._loss.task == "ordinal"
        solver = Gibbs() if ordered else self.solver
        if isinstance(solver, Sweeper):
            raise ValueError(
                f"{type(solver).__name__} needs all rows in every sweep: use fit, or "
                "solver=sparsefm.Adam() for rows in parts"
            )
        go_on = hasattr(self, "_learner")
        if go_on and self.solver is None and isinstance(self._learner, Sampled):
            self._learner = self._learner.learner(given, self._seed())
        changed = changes(self) if go_on else {}
        if go_on:
            check_going_on(self._learner, self.solver)
            check_changes(self, changed)
        before = (self.encoder_, self._target) if go_on else None
        X, y, sample_weight, _ = self._opened(X, y, sample_weight, go_on=go_on)
        dataset, _ = self._learn(
            X, y, sample_weight, go_on=go_on, canonical=False, stream=not go_on
        )
        if before is None:
            warn_of_few_rows(self.encoder_, dataset.X.n_rows)
            chosen = Hyperparameters(**(given | self._by_field_given()))
            learner = Learner.begin(chosen, self._loss, dataset, self._seed())
        else:
            learner = own(self, adapted(self, changed)).grown(dataset)
            learner = followed(learner, before, (self.encoder_, self._target))
        planner = new_planner(learner.seed, resolve_threads(self.n_threads), steps=learner.steps)
        self.__dict__.pop("best_params_", None)  # no fit repeats this
        with learner.learning(dataset.used_features):
            self._train(learner, dataset, None, (1,), planner)
        self._fitted_with = parameters_of(self)

    def _train(
        self,
        learner: Learner,
        dataset: Dataset,
        validation: Dataset | None,
        stages: Sequence[int],
        planner: Planner,
    ) -> None:
        """Run epochs of mini-batches, at a learning rate that falls from stage to stage."""
        threads = resolve_threads(self.n_threads)
        self._learner, self._is_shared = learner, False
        run = TrainingRun(
            learner,
            dataset,
            planner,
            threads=threads,
            random_start=learner.steps == 0,
            loss_unit=self._loss_unit,
            model=lambda: self._after(run),
        )
        staged = StagedRate(stages)
        callbacks = [*self.callbacks, staged, *self._guards(dataset, validation)]
        self._run(run, sum(stages), validation, callbacks)
        learner.rate_factor *= RATE_DECAY ** staged.stage(self.best_epoch_)

    def _run(
        self,
        run: Run,
        epochs: int,
        validation: Dataset | None,
        callbacks: list[Any],
        *,
        sampling: bool = False,
    ) -> None:
        """Run epochs with callbacks; with validation rows stop early and record metrics."""
        own = [callback for callback in callbacks if isinstance(callback, EarlyStopping)]
        stopping = own[0] if own else None
        # More sweeps of a sampler do not overfit: there is nothing to stop.
        if validation is not None and self.early_stopping and not own and not sampling:
            stopping = self._early_stopping()
            callbacks.insert(len(self.callbacks), stopping)

        def validate() -> tuple[float | None, Mapping[str, float]]:
            self.n_iter_ = self.best_epoch_ = run.epoch
            if validation is None:
                return None, run.diagnostics
            named: dict[str, float] = {}
            for name, rows, scores in scored_sets(run, validation):
                loss, metrics = self._evaluated(run, rows, scores)
                if name != UNNAMED:
                    found = {"loss": loss, **metrics}.items()
                    named |= {f"{name}{SEPARATOR}{metric}": value for metric, value in found}
            return loss, metrics | run.diagnostics | named  # those of the last set are in charge

        history = run.run(
            epochs,
            validate,
            callbacks,
            announcer(self.verbose),
            validation=all_rows(validation),
            resumption=vars(self).get("_resumption"),
        )
        self.n_iter_ = len(history)
        self.best_epoch_ = len(history) if stopping is None else stopping.best_epoch
        self.history_ = as_columns(history)

    def _evaluated(self, run: Run, rows: Dataset, scores: Array) -> tuple[float, Metrics]:
        """Return the validation loss of some rows, given their scores, and metrics."""
        losses, metrics = evaluate(
            scores, self._loss, rows, lambda scores: self._metrics(rows, scores)
        )
        run.check_validation(losses, rows)
        return sum(losses) * self._loss_unit, metrics | self._own_metric(run, rows)

    def _after(self: Self, run: Run) -> Self:
        """Return this estimator with the parameters and the records of the epochs so far."""
        if isinstance(run, SamplingRun):
            self._learner = Sampled(tuple(run.models()), self._loss)
        if run.history:
            self.history_ = as_columns(run.history)
        return self

    def _own_metric(self, run: Run, validation: Dataset) -> Metrics:
        """Return the metric of the parameter `scoring`, if it is set."""
        if self.scoring is None:
            return {}
        self._after(run)
        metric = find_metric(self.scoring)
        encoded = Encoded.of(validation)
        return {metric.name: metric.value(self, encoded, validation.y, validation.weights)}

    def _early_stopping(self) -> EarlyStopping:
        if self.scoring is not None:
            metric = find_metric(self.scoring)
            monitor, greater = metric.name, metric.greater_is_better
        else:  # the square of a tiny scale is zero, that of a huge one infinite
            representable = np.finfo(float).tiny < self._loss_unit < np.inf
            monitor, greater = "val_loss" if representable else "rmse", False
        return EarlyStopping(
            monitor, patience=self.patience, min_delta=self.min_delta, greater_is_better=greater
        )

    @property
    def _loss_unit(self) -> float:
        """A loss of 1, in the user's units; a squared loss is reported as the squared error."""
        return self._target.loss_unit * (2 if self._loss.name == "squared" else 1)

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    # --- prediction -----------------------------------------------------------------------------

    def _scores(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the scores of each output, shape (n, outputs)."""
        matrix = self._encode(X)
        few = self.n_threads is None and matrix.n_rows < ROWS_FOR_THREADS
        threads = 1 if few else resolve_threads(self.n_threads)
        scores = [model._score_csr(matrix, threads) for model in self._models]
        if len(scores) == 1 and scores[0].ndim == 1:  # in less time
            return scores[0].astype(np.float64)[:, None]
        return np.column_stack(scores).astype(np.float64)

    @property
    def _models(self) -> list[Model]:
        """The fitted models, one for each output."""
        return self._fitted("_learner").models()  # type: ignore[no-any-return]

    def _fitted(self, name: str) -> Any:
        """Return an attribute of a fitted estimator."""
        if name not in vars(self):
            check_is_fitted(self)
        return vars(self)[name]

    # --- what regressor and classifier define ----------------------------------------------------

    @abstractmethod
    def _metrics(self, validation: Dataset, scores: Array) -> Metrics:
        """Return metrics of scores, shape (n, outputs)."""
