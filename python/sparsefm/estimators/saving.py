"""Fitted estimators as a header and arrays, and back; what is read is not trusted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.csr import as_csr
from sparsefm.data.validation import check_parameters, check_real
from sparsefm.errors import FileFormatError
from sparsefm.estimators.targets import Classes, Numbers
from sparsefm.io.labels import labels_from_arrays, labels_to_arrays
from sparsefm.io.reader import Arrays, add_prefix, take_array, take_prefix, take_value
from sparsefm.io.values import from_json, settings_from_json, settings_to_json, to_json
from sparsefm.losses import LOSSES
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State

REALS = ("float32", "float64")
RECORDS = ("n_iter_", "best_epoch_", "history_", "search_")


def to_state(estimator: Any, optimizer_state: bool) -> tuple[dict[str, Any], Arrays]:
    """Return all that is fitted but the encoder: JSON values, and arrays."""
    learner: Learner = estimator._learner
    parameters = estimator.get_params(deep=False)
    del parameters["callbacks"]  # nothing that a file can hold
    parameters["dtype"] = np.dtype(estimator.dtype).name
    records = {name: vars(estimator)[name] for name in RECORDS if name in vars(estimator)}
    header = {
        "parameters": settings_to_json(parameters),
        "records": to_json(records),
        "settings": {name: to_json(value) for name, value in vars(learner.hyperparameters).items()},
        "loss": learner.loss.name,
        "machines": len(learner.states),
        "steps": learner.steps if optimizer_state else 0,
        "cooling": learner.rate_factor,
        "seed": learner.seed,
    }
    arrays: Arrays = {"drawn": learner.states[0].scalars[:, 0] != 0}
    for number, state in enumerate(learner.states):
        parts = {"w0": state.bias[:1], "w": state.w, "V": state.V}
        if optimizer_state:
            moments = {"bias": state.bias[1:], "scalars": state.scalars[:, 2:]}
            moments["factors"] = state.factors[:, 1:, : state.rank]
            parts |= add_prefix("moments.", moments)
        arrays |= add_prefix(f"machine.{number}.", parts)
    target = estimator._target
    if isinstance(target, Numbers):
        header["target"] = asdict(target)
    else:
        arrays |= add_prefix("classes.", labels_to_arrays(target.labels))
    sample = estimator._sample
    names = ("indptr", "indices", "data")
    arrays |= {f"sample.{name}": np.asarray(getattr(sample, name)) for name in names}
    return header, arrays


def from_state(cls: Any, header: dict[str, Any], arrays: Arrays) -> Any:
    """Return an estimator without its encoder."""
    estimator = cls(**settings_from_json(take_value(header, "parameters", dict), cls))
    records = from_json(take_value(header, "records", dict))
    kinds = {name: dict if name in ("history_", "search_") else int for name in RECORDS}
    if not isinstance(records, dict) or any(
        name not in kinds or type(record) is not kinds[name] for name, record in records.items()
    ):
        raise FileFormatError("has records that are none")
    vars(estimator).update(records)
    estimator._target = _read_target(header, arrays)
    estimator._learner = learner = _read_learner(header, arrays)
    if len(learner.states) != estimator._target.n_outputs:
        raise FileFormatError(f"has {len(learner.states)} machines, which is not one a target")
    estimator._sample = _read_sample(arrays, learner.n_features)
    return estimator


def _read_target(header: dict[str, Any], arrays: Arrays) -> Numbers | Classes:
    if "target" not in header:
        labels = labels_from_arrays(take_prefix("classes.", arrays))
        if len(labels) < 2 or not (labels[:-1] < labels[1:]).all():
            raise FileFormatError("has classes that are not two or more, in order")
        return Classes(labels)
    entries = take_value(header, "target", dict)
    exponent = take_value(entries, "exponent", int)
    mean, std = (take_value(entries, name, float) for name in ("mean", "std"))
    check_real(mean, "mean", least=-1.0)
    check_real(std, "std", above=0.0)
    if not -1100 <= exponent <= 1100:
        raise FileFormatError(f"has a target of exponent {exponent}")
    return Numbers(exponent, mean, std)


def _read_learner(header: dict[str, Any], arrays: Arrays) -> Learner:
    entries = take_value(header, "settings", dict)
    try:
        settings = Hyperparameters(**{name: from_json(value) for name, value in entries.items()})
    except (TypeError, AttributeError) as error:
        raise FileFormatError(f"has settings that are none ({error})") from None
    loss = take_value(header, "loss", str)
    if loss not in LOSSES:
        raise FileFormatError(f"has an unknown loss {loss!r:.40}")
    drawn = take_array(arrays, "drawn", (None,), ("bool",))
    count = take_value(header, "machines", int)
    if not 1 <= count <= len(arrays):
        raise FileFormatError(f"has a count of {count} machines")
    states = [
        _read_state(take_prefix(f"machine.{number}.", arrays), settings, len(drawn))
        for number in range(count)
    ]
    cooling = check_real(take_value(header, "cooling", float), "cooling", above=0.0)
    steps, seed = (take_value(header, name, int) for name in ("steps", "seed"))
    if steps < 0 or seed < 0:
        raise FileFormatError("has a negative number of steps, or seed")
    return Learner(settings, LOSSES[loss](), states, seed, steps, cooling)


def _read_state(arrays: Arrays, settings: Hyperparameters, n_features: int) -> State:
    """Return parameters, and moments if they were saved."""
    w = take_array(arrays, "w", (n_features,), REALS)
    real = (w.dtype.name,)
    V = take_array(arrays, "V", (n_features, settings.rank), real)
    w0 = take_array(arrays, "w0", (1,), real)
    check_parameters(w0[0], w, V)
    solver = settings.solver
    state = State.begin(n_features, settings.rank, solver, w.dtype)
    state.set_parameters(w0[0], w, V)
    moments = take_prefix("moments.", arrays)
    if moments:
        n = solver.moments
        shapes: dict[str, tuple[tuple[int, ...], npt.NDArray[Any]]] = {
            "bias": ((n,), state.bias[1:]),
            "scalars": ((n_features, n), state.scalars[:, 2:]),
            "factors": ((n_features, n, settings.rank), state.factors[:, 1:, : settings.rank]),
        }
        for name, (shape, place) in shapes.items():
            place[:] = take_array(moments, name, shape, real)
            if not np.isfinite(place).all():
                raise FileFormatError(f"has moments of {name} that are not finite")
    if arrays or moments:
        raise FileFormatError("has arrays of a machine that do not belong to it")
    return state


def _read_sample(arrays: Arrays, n_features: int) -> sp.csr_matrix:
    parts = take_prefix("sample.", arrays)
    data = take_array(parts, "data", (None,), REALS)
    indices = take_array(parts, "indices", (None,), ("int32",))
    indptr = take_array(parts, "indptr", (None,), ("int32", "int64"))
    try:
        sample = sp.csr_matrix((data, indices, indptr), (len(indptr) - 1, n_features))
        as_csr(sample, data.dtype, "the sample")
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"has a sample of rows that is none ({error})") from None
    return sample
