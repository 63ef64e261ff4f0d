"""Models in training, as the contents of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsefm.io.reader import Reader
from sparsefm.io.values import to_json
from sparsefm.training.class_state import ClassState
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State
from sparsefm.training.resuming import Content, Snapshot, array_like


def settings_of(learner: Learner, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return what a training depends on besides the data, as JSON values."""
    loss = [learner.loss.name, *learner.loss._core_constants.items()]
    return {
        **{name: to_json(value) for name, value in vars(learner.hyperparameters).items()},
        "loss": to_json(loss),
        "seed": learner.seed,
        "dtype": dtype.name,
    }


def states_to_content(snapshot: Snapshot) -> Content:
    """Return a snapshot, of states and their number of steps, as JSON values and arrays."""
    states, steps = snapshot
    arrays = {
        f"{output}.{number}": part
        for output, state in enumerate(states)
        for number, part in enumerate(state.parts(slice(None)))
    }
    return {"steps": steps}, arrays


def read_states(reader: Reader, like: Sequence[State | ClassState]) -> Snapshot:
    """Return the snapshot of a content; its states are like some others."""
    states = [state.copy() for state in like]
    for output, state in enumerate(states):
        found = [
            array_like(reader, f"{output}.{number}", part)
            for number, part in enumerate(state.parts(slice(None)))
        ]
        state.put_back(slice(None), tuple(found))
    return Snapshot((states, reader.integer("steps", 0)))
