"""A model in training: its parameters, and everything needed to continue training them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.data.mapped import pieces
from sparsefm.data.plan import Planner, Room
from sparsefm.data.validation import cast
from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import FieldWeightedModel
from sparsefm.losses import Loss, Softmax
from sparsefm.model import Model
from sparsefm.training.beginning import Beginning
from sparsefm.training.class_model import ClassModel
from sparsefm.training.class_state import ClassState
from sparsefm.training.field_aware_state import FieldAwareState
from sparsefm.training.field_state import FieldState
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.parameters import State
from sparsefm.training.random import stream
from sparsefm.training.trainer import Trainer

Features = npt.NDArray[np.int64]


def new_planner(
    seed: int, threads: int, *, steps: int = 0, shuffle: bool = True, room: Room | None = None
) -> Planner:
    """Return a planner for the steps that follow the first `steps`."""
    return Planner(lambda: stream(seed, "rows", steps) if shuffle else None, threads, room)


@dataclass(eq=False)
class Learner:
    """A model in training, with a state of parameters and moments for each output.

    Attributes
    ----------
    hyperparameters : Hyperparameters
    loss : Loss
    states : list of State, or of one ClassState
        One for each output; with more than two classes, one for each class against the rest, or
        with softmax loss one for all.
    seed : int
    steps : int
        Number of steps made so far.
    rate_factor : float
        The optimizer's learning rate is multiplied by this.
    """

    hyperparameters: Hyperparameters
    loss: Loss
    states: list[State | ClassState]
    seed: int
    steps: int = 0
    rate_factor: float = 1.0

    @classmethod
    def begin(
        cls,
        hyperparameters: Hyperparameters,
        loss: Loss,
        dataset: Beginning,
        seed: int,
    ) -> Learner:
        """Return a model at the start of training.

        w is zero, and w0 is a constant with a low loss. V is random for features that occur
        in a row, and zero for others, so that they never contribute. Class vectors are random
        signs.
        """
        learner = cls(hyperparameters, loss, [], seed)
        n_features, rank = dataset.n_features, hyperparameters.rank
        solver = hyperparameters.solver
        if isinstance(loss, Softmax):
            w0 = loss.constants(dataset.class_shares()).astype(dataset.dtype)
            learner.states.append(ClassState.begin(n_features, w0, rank, solver, seed))
        else:
            for mean in dataset.target_means():
                state = _zeros(hyperparameters, dataset)
                state.bias[0] = loss.constant(mean)
                learner.states.append(state)
        learner.join(dataset.used_features)
        return learner

    @classmethod
    def of_models(
        cls,
        models: Sequence[Model | ClassModel],
        hyperparameters: Hyperparameters,
        loss: Loss,
        dtype: np.dtype[Any],
        seed: int,
    ) -> Learner:
        """Return a model that starts from given parameters, those of one model for each output."""
        states: list[State | ClassState] = []
        for model in models:
            if isinstance(model, ClassModel):
                states.append(_class_state_of(model, hyperparameters, dtype, seed))
                continue
            w0 = float(cast(np.asarray(model.w0), dtype, "w0 of init"))
            w, V = cast(model.w, dtype, "w of init"), cast(model.V, dtype, "V of init")
            if isinstance(model, FieldAwareModel):
                solver = hyperparameters.solver
                states.append(FieldAwareState.of_model(w0, w, V, model._checked_fields(), solver))
                continue
            state = State.begin(model.n_features, model.rank, hyperparameters.solver, dtype)
            state.set_parameters(w0, w, V)
            if isinstance(model, FieldWeightedModel):
                R = cast(model.R, dtype, "R of init")
                learns = hyperparameters.variant == "fwfm"
                state = FieldState.of(state, model.fields, R, hyperparameters.solver, learns=learns)
            states.append(state)
        return cls(hyperparameters, loss, states, seed)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return self.states[0].n_features

    @property
    def size(self) -> int:
        """How many numbers parameters and moments are."""
        return sum(state.size for state in self.states)

    @property
    def n_scores(self) -> int:
        """Number of scores that a loss has of each row."""
        state = self.states[0]
        return state.n_classes if isinstance(state, ClassState) else 1

    def models(self) -> list[Any]:
        """Return a `Model` for each output, or a `ClassModel` for all.

        They share the parameters and see every change.
        """
        return [
            ClassModel(state) if isinstance(state, ClassState) else state.model(self.loss)
            for state in self.states
        ]

    def scores(self, X: _core.Csr, threads: int) -> npt.NDArray[np.float64]:
        """Return the current scores, shape (n, outputs)."""
        return np.concatenate(
            [
                np.column_stack([state.scores(rows, threads) for state in self.states])
                for rows in pieces(X)
            ]
        ).astype(np.float64)

    def trainers(self, threads: int, fields: Any = None) -> list[Trainer]:
        """Return a trainer for each output; `fields` has the field of each feature."""
        solver = self.hyperparameters.solver
        trainers = [
            Trainer(state, self.loss, solver, threads=threads, steps=self.steps, fields=fields)
            for state in self.states
        ]
        for trainer in trainers:
            trainer.learning_rate *= self.rate_factor
        return trainers

    def grown(self, dataset: Dataset) -> Learner:
        """Return this model with the features of a dataset; new ones start at zero."""
        chosen, grown = self.hyperparameters, self.extended(dataset.X.n_features, dataset.fields)
        states = list[State | ClassState]()
        for output, state in enumerate(grown.states):
            if isinstance(state, FieldState) and dataset.fields is not None:
                state = state.with_pairs_within(dataset, chosen)
            elif isinstance(state, FieldAwareState) and dataset.fields is not None:
                state = state.with_pairs_within(dataset, chosen, self.seed, output)
            states.append(state)
        return replace(grown, states=states)

    def extended(self, n_features: int, fields: Any) -> Learner:
        """Return this model with more features, which start at zero; `fields` has those of all."""
        chosen, states = self.hyperparameters, list[State | ClassState]()
        for state in self.states:
            grown = state.grown(n_features, chosen.solver)
            if isinstance(grown, FieldState | FieldAwareState) and fields is not None:
                grown = grown.with_fields(fields, chosen)
            states.append(grown)
        return replace(self, states=states)

    def copy(self, features: Any = slice(None)) -> Learner:
        """Return a copy of all features or some, with parameters of its own."""
        return replace(self, states=[state.copy(features) for state in self.states])

    @contextmanager
    def learning(self, features: Features) -> Iterator[Learner]:
        """Yield this model for training on rows that have some features; undo it after an error.

        New features `join` the model. The cost is proportional to the number of these features,
        unless the optimizer moves all parameters.
        """
        touched: Any = slice(None) if self.hyperparameters.solver._moves_all else features
        before = [state.parts(touched) for state in self.states]
        steps, rate_factor = self.steps, self.rate_factor
        try:
            self.join(features)
            yield self
        except BaseException:
            self.steps, self.rate_factor = steps, rate_factor
            for state, parts in zip(self.states, before, strict=True):
                state.put_back(touched, parts)
            raise

    def join(self, features: Features) -> None:
        """Draw random factors for those of some features that occurred in no row before."""
        chosen = self.hyperparameters
        for output, state in enumerate(self.states):
            state.draw_factors(
                self.seed, output, chosen.init, chosen.init_scale, state.undrawn(features)
            )


def _zeros(hyperparameters: Hyperparameters, dataset: Beginning) -> State:
    """Return the state of one output, with parameters of zero."""
    rank, solver = hyperparameters.rank, hyperparameters.solver
    if hyperparameters.variant == "ffm":
        return FieldAwareState.begin_with_fields(rank, dataset, solver)
    state = State.begin(dataset.n_features, rank, solver, dataset.dtype)
    if hyperparameters.needs_fields:
        return FieldState.begin_with_fields(state, dataset, hyperparameters)
    return state


def _class_state_of(
    model: ClassModel, hyperparameters: Hyperparameters, dtype: np.dtype[Any], seed: int
) -> ClassState:
    """Return a state with a model's parameters, in another type or for another optimizer."""
    given = model.state
    w0, w, V, U = (
        cast(getattr(given, name), dtype, f"{name} of init") for name in ("w0", "w", "V", "U")
    )
    state = ClassState.begin(len(w), w0, model.rank, hyperparameters.solver, seed)
    state.set_parameters(w0, w, V, U)
    return state
