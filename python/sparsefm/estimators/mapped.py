"""A model in training whose parameters stay in a mapped file until they are to be trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparsefm.model import Model
from sparsefm.training.class_state import ClassState
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State


class MappedLearner(Learner):
    """A `Learner` that has models, and makes its states of them when they are asked for.

    It then is a `Learner` like any other.

    Parameters
    ----------
    learner : Learner
        All but the states.
    models : list of Model
        One for each output.
    states : callable
        Returns the states.
    """

    def __init__(
        self,
        learner: Learner,
        models: list[Model],
        states: Callable[[], list[State | ClassState]],
    ) -> None:
        known = {name: value for name, value in vars(learner).items() if name != "states"}
        vars(self).update(known, _models=models, _states=states)

    def __getattr__(self, name: str) -> Any:
        held = vars(self)
        if name != "states" or not held.keys() & {"states", "_states"}:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        read = held.get("_states")
        if read is not None:
            held.setdefault("states", read())  # those of the first of several threads
            self.__class__ = Learner  # type: ignore[assignment]
            for private in ("_models", "_states"):
                held.pop(private, None)
        return held["states"]

    def __reduce__(self) -> Any:
        assert self.states is not None  # a copy, or a pickle, has no file
        return self.__reduce_ex__(2)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return int(self.models()[0].n_features)

    def models(self) -> list[Any]:
        """Return the model of each output, which cannot be changed."""
        held = vars(self).get("_models")
        return super().models() if held is None else list(held)
