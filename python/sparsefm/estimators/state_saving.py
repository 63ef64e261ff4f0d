"""The parameters in training as arrays of a file, and back; what is read is not trusted."""

from __future__ import annotations

from sparsefm.errors import FileFormatError
from sparsefm.estimators.mapped import MappedLearner
from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import Fields, FieldWeightedModel, checked_weights, read_fields
from sparsefm.io.container import Arrays
from sparsefm.io.half import halved
from sparsefm.io.reader import REALS, Reader, naming
from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.training.class_state import ClassState
from sparsefm.training.field_aware_state import FieldAwareState
from sparsefm.training.field_state import FieldState
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import Array, State


def state_to_arrays(
    state: State | ClassState, optimizer_state: bool, dtype: str | None = None
) -> Arrays:
    """Return the parameters, in `dtype`, and the optimizer's moments if they are asked for."""
    return halved(_state_to_arrays(state, optimizer_state), dtype)


def _state_to_arrays(state: State | ClassState, optimizer_state: bool) -> Arrays:
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


def read_machines(reader: Reader, learner: Learner, n_machines: int) -> Learner:
    """Return a learner with the states that a file holds; in a mapped one models may stay there."""
    first = reader.part("machine.0")
    copies = first.has_array("U") or first.has_array("moments.bias")  # to the layout of the core
    if reader.unread and not copies:
        whole, n_features = reader.copy(), None
        models: list[Model] = []
        for number in range(n_machines):
            part = reader.part(f"machine.{number}")
            model = read_model(part, learner.hyperparameters, learner.loss, n_features)
            if isinstance(model, FieldWeightedModel):
                read_learned(part, model)
            models.append(model)
            n_features = model.n_features

        def read() -> list[State | ClassState]:
            with naming(whole.path):
                return _read_states(whole.copy(), learner, n_machines)

        return MappedLearner(learner, models, read)
    learner.states = _read_states(reader, learner, n_machines)
    return learner


def _read_states(reader: Reader, learner: Learner, n_machines: int) -> list[State | ClassState]:
    states: list[State | ClassState] = []
    for number in range(n_machines):  # ends where the arrays do
        n_features = states[0].n_features if states else None
        part = reader.part(f"machine.{number}")
        states.append(read_state(part, learner.hyperparameters, learner.loss, n_features))
    return states


def read_model(
    reader: Reader, chosen: Hyperparameters, loss: Loss, n_features: int | None
) -> Model:
    """Return the model of one output, which borrows the parameters in the file."""
    w = reader.parameters("w", (n_features,), REALS)
    real = (w.dtype.name,)
    w0 = float(reader.numbers("w0", (1,), real)[0])
    if chosen.variant == "ffm":
        V = reader.parameters("V", (len(w), None, chosen.rank), real)
        fields = _read_fields(reader, len(w), V.shape[1], "V")
        return FieldAwareModel._of((w0, w, V), fields, loss)
    V = reader.parameters("V", (len(w), chosen.rank), real)
    if not chosen.needs_fields:
        return Model._view(w0, w, V, loss)
    R = checked_weights(reader.numbers("R", (None, None), real), w.dtype)
    fields = _read_fields(reader, len(w), len(R), "R")
    return FieldWeightedModel._of((w0, w, V), fields, R, loss)


def read_learned(reader: Reader, model: FieldWeightedModel) -> Array:
    """Return which weights of pairs of fields are learned, shape (F, F)."""
    return reader.array("learned", model.R.shape, ("bool",))


def read_state(
    reader: Reader, chosen: Hyperparameters, loss: Loss, n_features: int | None
) -> State | ClassState:
    """Return the parameters, and the optimizer's moments if they were saved."""
    if reader.has_array("U"):
        return _read_class_state(reader, chosen)
    model = read_model(reader, chosen, loss, n_features)  # before there is memory for that rank
    state = _state_of(model, reader, chosen)
    n, real = chosen.solver._moments, (model.dtype.name,)
    if reader.has_array("moments.bias"):
        state.bias[1:] = reader.numbers("moments.bias", (n,), real)
        state.scalars[:, 2:] = reader.numbers("moments.scalars", (len(model.w), n), real)
        shape = state.factor_moments.shape
        state.factor_moments[:] = reader.numbers("moments.factors", shape, real)
        if isinstance(state, FieldState):
            state.blocks[1:] = reader.numbers("moments.R", (n, *state.R.shape), real)
    return state


def _state_of(model: Model, reader: Reader, chosen: Hyperparameters) -> State:
    """Return a state with the parameters of a model."""
    solver, parameters = chosen.solver, (model.w0, model.w, model.V)
    if isinstance(model, FieldAwareModel):
        return FieldAwareState.of_model(*parameters, model.fields, solver)
    state = State.begin(model.n_features, model.rank, solver, model.dtype)
    state.set_parameters(*parameters)
    if not isinstance(model, FieldWeightedModel):
        return state
    found = FieldState.of(state, model.fields, model.R, solver)
    found.learned[:] = read_learned(reader, model)
    return found


def _read_fields(reader: Reader, n_features: int, n_fields: int, name: str) -> Fields:
    fields = reader.array("fields", (n_features,), ("int32",))
    try:
        return read_fields(reader, fields, n_fields, name)
    except ValueError as error:
        raise FileFormatError(f"has damaged fields ({error})") from None


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
    w = reader.parameters("w", (None, None), REALS)
    (n_features, n_classes), real = w.shape, (w.dtype.name,)
    if n_classes < 2:
        raise FileFormatError(f"has a model of {n_classes} classes")
    w0 = reader.numbers("w0", (n_classes,), real)
    V = reader.parameters("V", (n_features, rank), real)
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
