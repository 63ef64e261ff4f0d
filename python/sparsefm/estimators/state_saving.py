"""The parameters in training as arrays of a file, and back; what is read is not trusted."""

from __future__ import annotations

from sparsefm.errors import FileFormatError
from sparsefm.field_model import checked_weights, own_fields
from sparsefm.io.container import Arrays
from sparsefm.io.reader import REALS, Reader
from sparsefm.optimizers import Optimizer
from sparsefm.training.class_state import ClassState
from sparsefm.training.field_state import FieldState
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.parameters import State


def state_to_arrays(state: State | ClassState, optimizer_state: bool) -> Arrays:
    """Return the parameters, and the optimizer's moments if they are asked for."""
    if isinstance(state, ClassState):
        return _class_state_to_arrays(state, optimizer_state)
    arrays: Arrays = {"w0": state.bias[:1], "w": state.w, "V": state.V}
    if isinstance(state, FieldState):
        arrays |= {"fields": state.fields, "R": state.R, "learned": state.learned != 0}
    if optimizer_state:
        arrays["moments.bias"] = state.bias[1:]
        arrays["moments.scalars"] = state.scalars[:, 2:]
        arrays["moments.factors"] = state.factors[:, 1:, : state.rank]
        if isinstance(state, FieldState):
            arrays["moments.R"] = state.blocks[1:]
    return arrays


def read_state(
    reader: Reader, chosen: Hyperparameters, n_features: int | None
) -> State | ClassState:
    """Return the parameters, and the optimizer's moments if they were saved."""
    if reader.has_array("U"):
        return _read_class_state(reader, chosen)
    rank, solver = chosen.rank, chosen.solver
    w = reader.numbers("w", (n_features,), REALS)
    n_features, real = len(w), (w.dtype.name,)
    V = reader.numbers("V", (n_features, rank), real)  # before there is memory for that rank
    state = State.begin(n_features, rank, solver, w.dtype)
    state.set_parameters(float(reader.numbers("w0", (1,), real)[0]), w, V)
    if reader.has_array("moments.bias"):
        n = solver._moments
        state.bias[1:] = reader.numbers("moments.bias", (n,), real)
        state.scalars[:, 2:] = reader.numbers("moments.scalars", (n_features, n), real)
        moments = reader.numbers("moments.factors", (n_features, n, rank), real)
        state.factors[:, 1:, :rank] = moments
    if chosen.needs_fields:
        return _with_fields(reader, state, solver)
    return state


def _with_fields(reader: Reader, state: State, solver: Optimizer) -> FieldState:
    """Return the state with the fields of features, and the weights of pairs of fields."""
    real = (state.w.dtype.name,)
    R = reader.numbers("R", (None, None), real)
    learned = reader.array("learned", R.shape, ("bool",))
    fields = reader.array("fields", (state.n_features,), ("int32",))
    try:
        R = checked_weights(R, state.w.dtype)
        found = FieldState.of(state, own_fields(fields, state.n_features, len(R)), R, solver)
    except ValueError as error:
        raise FileFormatError(f"has damaged fields ({error})") from None
    found.learned[:] = learned
    if reader.has_array("moments.R"):
        found.blocks[1:] = reader.numbers("moments.R", (solver._moments, *R.shape), real)
    return found


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
