"""The parameters in training as arrays of a file, and back; what is read is not trusted."""

from __future__ import annotations

from sparsefm.errors import FileFormatError
from sparsefm.field_model import checked_weights, own_fields
from sparsefm.io.container import Arrays
from sparsefm.io.reader import REALS, Reader
from sparsefm.training.class_state import ClassState
from sparsefm.training.field_aware_state import FieldAwareState
from sparsefm.training.field_state import FieldState
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.parameters import Array, State


def state_to_arrays(state: State | ClassState, optimizer_state: bool) -> Arrays:
    """Return the parameters, and the optimizer's moments if they are asked for."""
    if isinstance(state, ClassState):
        return _class_state_to_arrays(state, optimizer_state)
    arrays: Arrays = {"w0": state.bias[:1], "w": state.w, "V": state.V}
    if isinstance(state, FieldState):
        arrays |= {"fields": state.fields, "R": state.R, "learned": state.learned != 0}
    elif isinstance(state, FieldAwareState):
        arrays["fields"] = state.fields
    if optimizer_state:
        arrays["moments.bias"] = state.bias[1:]
        arrays["moments.scalars"] = state.scalars[:, 2:]
        arrays["moments.factors"] = state.factor_moments
        if isinstance(state, FieldState):
            arrays["moments.R"] = state.blocks[1:]
    return arrays


def read_state(
    reader: Reader, chosen: Hyperparameters, n_features: int | None
) -> State | ClassState:
    """Return the parameters, and the optimizer's moments if they were saved."""
    if reader.has_array("U"):
        return _read_class_state(reader, chosen)
    w = reader.numbers("w", (n_features,), REALS)
    n, real = chosen.solver._moments, (w.dtype.name,)
    w0 = float(reader.numbers("w0", (1,), real)[0])
    try:
        state = _read_parameters(reader, chosen, w0, w)
    except ValueError as error:
        raise FileFormatError(f"has damaged fields ({error})") from None
    if reader.has_array("moments.bias"):
        state.bias[1:] = reader.numbers("moments.bias", (n,), real)
        state.scalars[:, 2:] = reader.numbers("moments.scalars", (len(w), n), real)
        shape = state.factor_moments.shape
        state.factor_moments[:] = reader.numbers("moments.factors", shape, real)
        if isinstance(state, FieldState):
            state.blocks[1:] = reader.numbers("moments.R", (n, *state.R.shape), real)
    return state


def _read_parameters(reader: Reader, chosen: Hyperparameters, w0: float, w: Array) -> State:
    """Return the parameters, with the fields of features if the model has some."""
    rank, solver, real = chosen.rank, chosen.solver, (w.dtype.name,)
    if chosen.variant == "ffm":
        V = reader.numbers("V", (len(w), None, rank), real)
        fields = own_fields(_read_fields(reader, len(w)), len(w), V.shape[1], "V")
        return FieldAwareState.of_model(w0, w, V, fields, solver)
    V = reader.numbers("V", (len(w), rank), real)  # before there is memory for that rank
    state = State.begin(len(w), rank, solver, w.dtype)
    state.set_parameters(w0, w, V)
    if not chosen.needs_fields:
        return state
    R = checked_weights(reader.numbers("R", (None, None), real), w.dtype)
    found = FieldState.of(state, _read_fields(reader, len(w)), R, solver)
    found.learned[:] = reader.array("learned", R.shape, ("bool",))
    return found


def _read_fields(reader: Reader, n_features: int) -> Array:
    return reader.array("fields", (n_features,), ("int32",))


def _class_state_to_arrays(state: ClassState, optimizer_state: bool) -> Arrays:
    n_classes, rank, first = state.n_classes, state.rank, state.bias.shape[1]
    arrays: Arrays = {"w0": state.w0, "w": state.w, "V": state.V, "U": state.U}
    if optimizer_state:
        arrays["moments.w0"] = state.bias[1:, :n_classes]
        arrays["moments.w"] = state.blocks[:, 1:, :n_classes]
        arrays["moments.V"] = state.blocks[:, 1:, first : first + rank]
        arrays["moments.U"] = state.vectors[:, 1:, :rank]
    return arrays


def _read_class_state(reader: Reader, chosen: Hyperparameters) -> ClassState:
    rank, solver = chosen.rank, chosen.solver
    w = reader.numbers("w", (None, None), REALS)
    (n_features, n_classes), real = w.shape, (w.dtype.name,)
    if n_classes < 2:
        raise FileFormatError(f"has a model of {n_classes} classes")
    w0 = reader.numbers("w0", (n_classes,), real)
    V = reader.numbers("V", (n_features, rank), real)
    U = reader.numbers("U", (n_classes, rank), real)
    state = ClassState.begin(n_features, w0, rank, solver, 0)
    state.set_parameters(w0, w, V, U)
    if reader.has_array("moments.w0"):
        n, first = solver._moments, state.bias.shape[1]
        state.bias[1:, :n_classes] = reader.numbers("moments.w0", (n, n_classes), real)
        moments = reader.numbers("moments.w", (n_features, n, n_classes), real)
        state.blocks[:, 1:, :n_classes] = moments
        moments = reader.numbers("moments.V", (n_features, n, rank), real)
        state.blocks[:, 1:, first : first + rank] = moments
        state.vectors[:, 1:, :rank] = reader.numbers("moments.U", (n_classes, n, rank), real)
    return state
