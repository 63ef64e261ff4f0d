"""A model in training: its parameters, and all that is needed to go on training them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.data.validation import cast
from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.parameters import State
from sparsefm.training.random import stream
from sparsefm.training.trainer import Trainer

Features = npt.NDArray[np.int64]


def new_planner(seed: int, threads: int, *, steps: int = 0, shuffle: bool = True) -> Planner:
    """Return what plans the steps that follow the first so many."""
    return Planner(lambda: stream(seed, "rows", steps) if shuffle else None, threads)


@dataclass(eq=False)
class Learner:
    """Parameters and moments of a model, one state for each of its outputs.

    Attributes
    ----------
    hyperparameters : Hyperparameters
    loss : Loss
    states : list of State
        Several for more than two classes: one for each, against the rest.
    seed : int
    steps : int
        Made so far.
    rate_factor : float
        What the learning rate has come to be multiplied by.
    """

    hyperparameters: Hyperparameters
    loss: Loss
    states: list[State]
    seed: int
    steps: int = 0
    rate_factor: float = 1.0

    @classmethod
    def begin(
        cls, hyperparameters: Hyperparameters, loss: Loss, dataset: Dataset, seed: int
    ) -> Learner:
        """Return a model at the start of training.

        w is zero, w0 the constant of least loss, and V random for features that a row has, so that
        others never contribute.
        """
        learner = cls(hyperparameters, loss, [], seed)
        for target in dataset.targets:
            state = State.begin(
                dataset.X.n_features, hyperparameters.rank, hyperparameters.solver, dataset.dtype
            )
            state.bias[0] = loss.constant(dataset.mean(target))
            learner.states.append(state)
        learner.join(dataset.used_features)
        return learner

    @classmethod
    def of_model(
        cls,
        model: Model,
        hyperparameters: Hyperparameters,
        loss: Loss,
        dtype: np.dtype[Any],
        seed: int,
    ) -> Learner:
        """Return a model that starts from given parameters."""
        state = State.begin(model.n_features, model.rank, hyperparameters.solver, dtype)
        w0 = cast(np.asarray(model.w0), dtype, "w0 of init")
        w, V = cast(model.w, dtype, "w of init"), cast(model.V, dtype, "V of init")
        state.set_parameters(float(w0), w, V)
        return cls(hyperparameters, loss, [state], seed)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return self.states[0].n_features

    def models(self) -> list[Model]:
        """Return a model for each output, which see the parameters as they are and will be."""
        return [
            Model.view(float(state.bias[0]), state.w, state.V, self.loss) for state in self.states
        ]

    def scores(self, X: _core.Csr, threads: int) -> npt.NDArray[np.float64]:
        """Return the scores as they stand, shape (n, outputs)."""
        return np.column_stack([state.scores(X, threads) for state in self.states]).astype(
            np.float64
        )

    def trainers(self, threads: int) -> list[Trainer]:
        """Return what trains each output."""
        solver = self.hyperparameters.solver
        trainers = [
            Trainer(state, self.loss, solver, threads=threads, steps=self.steps)
            for state in self.states
        ]
        for trainer in trainers:
            trainer.learning_rate *= self.rate_factor
        return trainers

    def grown(self, n_features: int) -> Learner:
        """Return this model with more features, of which all start at zero; see `State.grown`."""
        states = [state.grown(n_features, self.hyperparameters.solver) for state in self.states]
        return replace(self, states=states)

    def copy(self) -> Learner:
        """Return a model with the same parameters, of its own."""
        return replace(self, states=[state.copy() for state in self.states])

    @contextmanager
    def learning(self, features: Features) -> Iterator[Learner]:
        """Lend this model for training on rows that have some features; undo it after an error.

        Those that no row had before `join` it. It costs what these features do, unless the
        optimizer moves all.
        """
        touched: Any = slice(None) if self.hyperparameters.solver.moves_all else features
        before = [
            (state.bias.copy(), state.scalars[touched].copy(), state.factors[touched].copy())
            for state in self.states
        ]
        steps, rate_factor = self.steps, self.rate_factor
        try:
            self.join(features)
            yield self
        except BaseException:
            self.steps, self.rate_factor = steps, rate_factor
            for state, (bias, scalars, factors) in zip(self.states, before, strict=True):
                state.bias[:], state.scalars[touched], state.factors[touched] = (
                    bias,
                    scalars,
                    factors,
                )
            raise

    def join(self, features: Features) -> None:
        """Start those of some features that no row had before, their factors at random."""
        chosen = self.hyperparameters
        for output, state in enumerate(self.states):
            state.draw_factors(
                self.seed, output, chosen.init, chosen.init_scale, state.undrawn(features)
            )
