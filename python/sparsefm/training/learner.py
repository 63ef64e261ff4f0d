"""The machines of an estimator: one, or one for each class, trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Rows
from sparsefm.losses import LOSSES, Loss
from sparsefm.training.parameters import State
from sparsefm.training.trainer import Trainer
from sparsefm.tuning.hyperparameters import Settings


@dataclass(eq=False)
class Machines:
    """Parameters and moments of machines with the same settings.

    Attributes
    ----------
    settings : Settings
    loss_name : str
    states : list of State
    drawn : ndarray of bool, shape (d,)
        Features whose factors were drawn: those that some row had.
    steps : int
        Made so far.
    seed : int
    cooling : float
        What the solver's learning rate has come to be multiplied by.
    """

    settings: Settings
    loss_name: str
    states: list[State]
    drawn: npt.NDArray[np.bool_]
    steps: int
    seed: int
    cooling: float = 1.0

    @classmethod
    def begin(cls, settings: Settings, loss: Loss, rows: Sequence[Rows], seed: int) -> Machines:
        """Return machines at the start of training on `rows`, one each."""
        start, solver = settings.start, settings.solver
        randoms = [np.random.default_rng((seed, number)) for number in range(len(rows))]
        states = [
            start.state(part, loss, solver, random)
            for part, random in zip(rows, randoms, strict=True)
        ]
        return cls(settings, loss.name, states, rows[0].used_features(), 0, seed)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return len(self.drawn)

    def grown(self, rows: Rows) -> Machines:
        """Return a copy that has also the features that `rows` have and that no row had before."""
        n_features, solver, settings = rows.X.n_features, self.settings.solver, self.settings
        states = [state.grown(n_features, solver) for state in self.states]
        drawn = np.concatenate([self.drawn, np.zeros(n_features - self.n_features, np.bool_)])
        new = rows.used_features() & ~drawn
        if new.any():
            for number, state in enumerate(states):
                random = np.random.default_rng((self.seed, number))  # each feature has its numbers
                state.draw_factors(random, settings.init, settings.init_scale, new)
        return replace(self, states=states, drawn=drawn | new)

    def trainers(self, rows: Sequence[Rows], threads: int) -> list[Trainer]:
        """Return what trains the machines, each on its own targets."""
        trainers = [
            Trainer(
                part,
                state,
                LOSSES[self.loss_name],
                self.settings.solver,
                batch_size=self.settings.batch_size_for(len(part.counted)),
                random=np.random.default_rng((self.seed, self.steps, 1)),
                threads=threads,
                steps=self.steps,
                random_start=self.steps == 0,
            )
            for part, state in zip(rows, self.states, strict=True)
        ]
        for trainer in trainers:
            trainer.learning_rate *= self.cooling
        return trainers

    def scores(self, X: _core.Csr, threads: int) -> npt.NDArray[np.float64]:
        """Return the scores of the machines as they stand, shape (n, machines)."""
        return np.column_stack([state.scores(X, threads) for state in self.states]).astype(
            np.float64
        )
