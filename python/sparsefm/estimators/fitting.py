"""What `fit` does: with settings as they are given, or with those that a search chooses."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.data.validation import check_flag
from sparsefm.estimators.examples import ExamplesMixin
from sparsefm.estimators.following import followed
from sparsefm.estimators.going_on import adapted, changes, check_changes, parameters_of
from sparsefm.estimators.parameters import check_parameters
from sparsefm.estimators.resuming import choice_to_json, chosen_before, resumption_of
from sparsefm.estimators.targets import Classes
from sparsefm.estimators.views import Views
from sparsefm.losses import Loss
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import Gibbs, Sweeper
from sparsefm.threads import resolve_threads
from sparsefm.training.guard import Guard, guards_of
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.loop import announcer
from sparsefm.training.resuming import Resumption
from sparsefm.training.solvers import check_going_on
from sparsefm.tuning.contest import samples_for
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.racing import Candidate
from sparsefm.tuning.schedule import stages_of
from sparsefm.tuning.search import DEFAULT_EPOCHS, Choice, Search, may_sample

logger = logging.getLogger("sparsefm")


class FittingMixin(ExamplesMixin):
    """Gives an estimator the steps of `fit`."""

    loss: Any
    rank: int | None
    pairs: Any
    solver: Optimizer | Sweeper | None
    epochs: int | Sequence[int] | None
    search: str | None
    search_seconds: float | None
    warm_start: bool
    callbacks: Sequence[Any]
    scoring: Any
    n_threads: int | None
    verbose: bool
    n_iter_: int
    _resumption: Resumption
    _loss_of_all: Loss | None = None
    """With several classes, the loss of one model of all classes, if the loss is open."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, eval_set: Any, resume: Any) -> None:
        go_on = check_flag(self.warm_start, "warm_start") and hasattr(self, "_learner")
        if not go_on:
            self.__dict__.pop("_chosen_loss", None)
        given = check_parameters(self)
        self._resumption = resumption_of(self, resume)
        changed = changes(self) if go_on else {}
        if go_on:
            check_going_on(self._learner, self.solver)
            check_changes(self, changed)
        X, y, sample_weight, eval_set = self._opened(X, y, sample_weight, eval_set, go_on=go_on)
        searching = not go_on and self._has_open_settings(given)
        before = (self.encoder_, self._target) if go_on else None
        dataset, counts = self._learn(X, y, sample_weight, go_on=go_on, searching=searching)
        held_out = eval_set is None and self.validation_fraction is not None
        split = self._hold_out(dataset) if held_out else None
        views = Views(self, X, sample_weight, eval_set, dataset, counts, split)
        given |= self._by_field_given()
        del dataset  # its memory is free once it is encoded otherwise
        if go_on and not isinstance(self.solver, Sweeper):
            self._go_on(changed, before, *views(None))
        elif searching:
            self._search_and_train(given, views)
        else:
            self.__dict__.pop("search_", None)
            self._train_as_given(given, *views(None), go_on=go_on)
        del self._resumption
        self._fitted_with = parameters_of(self)

    def _has_open_settings(self, given: Mapping[str, Any]) -> bool:
        """Return whether there is something to search for."""
        if self.search is None or isinstance(self.solver, Sweeper):
            return False
        fixed = {"rank", "solver", "init", "init_scale"} <= given.keys()
        return not (fixed and self.epochs is not None)

    def _go_on(
        self,
        changed: Mapping[str, Any],
        before: Any,
        dataset: Dataset,
        validation: Dataset | None,
    ) -> None:
        """Continue training with mini-batches."""
        self.__dict__.pop("best_params_", None)  # it was for the first fit
        learner = adapted(self, changed).copy().grown(dataset)
        learner = followed(learner, before, (self.encoder_, self._target))
        learner.join(dataset.used_features)
        planner = new_planner(learner.seed, resolve_threads(self.n_threads), steps=learner.steps)
        self._train(learner, dataset, validation, stages_of(self.epochs or self.n_iter_), planner)

    def _train_as_given(
        self,
        given: Mapping[str, Any],
        dataset: Dataset,
        validation: Dataset | None,
        *,
        go_on: bool,
    ) -> None:
        """Train without a search; what is not given has fixed defaults."""
        solver = self.solver
        may = may_sample(given, self.epochs, self._loss) and dataset.X.n_nonzeros > 0
        if solver is None and may and not self.warm_start:
            solver = Gibbs()
        if isinstance(solver, Sweeper):
            rank = solver.default_rank if self.rank is None else self.rank
            epochs = self.epochs or solver.default_epochs
            if not isinstance(epochs, int):
                raise ValueError(f"{type(solver).__name__} has no stages: epochs must be a number")
            self._sample_parameters(dataset, validation, solver, rank, epochs, go_on=go_on)
        else:
            chosen = replace(Hyperparameters(), **given)
            self._begin(chosen, dataset, validation, stages_of(self.epochs or DEFAULT_EPOCHS))

    def _search_and_train(self, given: Mapping[str, Any], views: Views) -> None:
        """Choose settings that are not given, and train with them."""
        choice = chosen_before(self._resumption, self.epochs)
        if choice is None:
            choice = self._choose(given, views)
        self._resumption.choice = choice_to_json(choice)
        dataset, validation = views(choice.numeric)
        if choice.loss.name != self._loss.name:
            self._chosen_loss = choice.loss
            assert isinstance(self._target, Classes)
            self._target = self._target.for_all()
            dataset = dataset.of_all_classes()
            validation = None if validation is None else validation.of_all_classes()
        self.search_ = choice.record
        settings = choice.settings
        if isinstance(settings, Sampling):
            solver = replace(settings.solver, samples=samples_for(dataset, settings.rank))
            self._sample_parameters(
                dataset, validation, solver, settings.rank, settings.epochs, go_on=False
            )
        else:
            self._begin(settings, dataset, validation, choice.stages)

    def _choose(
        self, given: Mapping[str, Any], views: Views, kind: type[Optimizer] = Optimizer
    ) -> Choice:
        """Choose settings that are not given, perhaps with optimizers of one kind alone."""
        may_sample = kind is Optimizer and not self.warm_start
        guards = self._guards(*views(None))
        search = Search(
            given,
            self.epochs,
            self._loss,
            resolve_threads(self.n_threads),
            effort=self.search or "fast",
            seconds=np.inf if self.search_seconds is None else self.search_seconds,
            sampling=may_sample or self._loss.task == "ordinal",
            loss_of_all=self._loss_of_all,
            report=lambda candidate: self._report(candidate, guards),
            kind=kind,
        )
        choice = search.run(views, views.choices())
        self._log_choice(choice)
        return choice

    def _begin(
        self,
        hyperparameters: Hyperparameters,
        dataset: Dataset,
        validation: Dataset | None,
        stages: Sequence[int],
    ) -> None:
        """Train a new model with mini-batches."""
        seed = self._seed()
        planner = new_planner(seed, resolve_threads(self.n_threads))
        learner = Learner.begin(hyperparameters, self._loss, dataset, seed)
        self._train(learner, dataset, validation, stages, planner)
        epochs = stages[0] if len(stages) == 1 else tuple(stages)
        named = {"pairs": self.pairs}  # by name, not by number
        if self._has_penalties_by_field:
            named["solver"] = self.solver
        self.best_params_ = {"epochs": epochs, **vars(hyperparameters), **named, **self._kept()}

    def _kept(self) -> dict[str, Any]:
        """Return the parameters that give another estimator this one's encoding and loss."""
        kept = {"encoder": clone(self.encoder_).set_params(dtype="float32")}
        return kept if self.loss is not None else kept | {"loss": self._loss.name}

    def _guards(self, *datasets: Dataset | None) -> list[Guard]:
        """Return guards of rows that are borrowed from the user; those of a table are not."""
        if not self.encoder_._is_matrix:
            return []
        return guards_of([*self.callbacks, self.scoring], *datasets)

    def _report(self, candidate: Candidate, guards: Sequence[Guard]) -> None:
        """Tell those who listen about a candidate of the search."""
        announcer(self.verbose)(str(candidate))
        for callback in self.callbacks:
            getattr(callback, "search", lambda candidate: None)(candidate)
        for guard in guards:
            guard.check()

    def _log_choice(self, choice: Choice) -> None:
        if choice.settings.rank == 0 and np.isfinite(choice.pairs):
            logger.info(
                "the linear model was chosen: its validation loss is %.5g, the best with "
                "interactions has %.5g",
                choice.linear,
                choice.pairs,
            )

    @abstractmethod
    def _by_field_given(self) -> dict[str, Any]:
        """Return the parameters that are set and name fields, with numbers of fields instead."""

    # --- what the estimator defines ---------------------------------------------------------------

    @abstractmethod
    def _train(
        self,
        learner: Learner,
        dataset: Dataset,
        validation: Dataset | None,
        stages: Sequence[int],
        planner: Planner,
    ) -> None:
        """Run epochs of mini-batches."""

    @abstractmethod
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
