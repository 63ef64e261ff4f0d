"""A model in training whose parameters stay in a mapped file until they are to be trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.model import Model
from sparsefm.training.class_state import ClassState
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State


class MappedLearner(Learner):
    """A `Learner` that has models, and makes its states of them when they are asked for.

    Copies and pickles of it are plain ones. No lock is held while the states are read: of several
    threads that read them at once, the states of the first count.

    Parameters
    ----------
    learner : Learner
        All but the states.
    models : list of Model
        One for each output.
    read : callable
        Returns new states, each time.
    """

    def __init__(
        self,
        learner: Learner,
        models: list[Model],
        read: Callable[[], list[State | ClassState]],
    ) -> None:
        known = {name: value for name, value in vars(learner).items() if name != "states"}
        vars(self).update(known, _models=models, _read=read)

    def __getattr__(self, name: str) -> Any:
        held = vars(self)
        if name != "states" or "_read" not in held:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return held.setdefault("states", held["_read"]())

    def __reduce__(self) -> Any:
        plain = self.plain()
        return Learner, tuple(getattr(plain, name) for name in Learner.__dataclass_fields__)

    def plain(self) -> Learner:
        """Return a `Learner` like this one; what it reads for that is not kept here."""
        held = vars(self)
        states = held["states"] if "states" in held else held["_read"]()
        known = {name: held[name] for name in Learner.__dataclass_fields__ if name != "states"}
        return Learner(**known, states=states)

    def grown(self, dataset: Dataset) -> Learner:
        """Return this model with the features of a dataset; new ones start at zero."""
        return self.plain().grown(dataset)

    def copy(self, features: Any = slice(None)) -> Learner:
        """Return a copy of all features or some, with parameters of its own."""
        return self.plain().copy(features)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return int(self.models()[0].n_features)

    def models(self) -> list[Any]:
        """Return the model of each output, which cannot be changed."""
        held = vars(self)
        return super().models() if "states" in held else list(held["_models"])
