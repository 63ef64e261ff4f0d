"""What an estimator's checkpoint says of its parameters, and of what a search chose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sparsefm.errors import FileFormatError
from sparsefm.estimators.saving import read_hyperparameters, read_loss, saved_parameters
from sparsefm.io.reader import Reader, naming
from sparsefm.io.values import parameters_to_json, shown, to_json
from sparsefm.sampling import Gibbs
from sparsefm.training.resuming import Resumption, Saved, as_read, check_fixed_seed
from sparsefm.tuning.numbers import NumericChoice
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.schedule import stages_of
from sparsefm.tuning.search import Choice

FREE = ("epochs", "n_threads", "verbose")  # a training that is resumed may have others


def resumption_of(estimator: Any, resume: Any) -> Resumption:
    """Return how the argument `resume` of `fit` has training resumed."""
    check_fixed_seed(resume, estimator.random_state, "random_state")
    parameters, _ = parameters_to_json(saved_parameters(estimator))
    settings = {f"parameter {n}": v for n, v in parameters.items() if n not in FREE}
    name = type(estimator).__name__
    return Resumption(Saved.read(resume, estimator.callbacks, name), name, settings)


def choice_to_json(choice: Choice) -> dict[str, Any]:
    """Return what a search chose as JSON values."""
    kind = "sampling" if isinstance(choice.settings, Sampling) else "settings"
    return {
        kind: {name: to_json(value) for name, value in vars(choice.settings).items()},
        "numeric": None if choice.numeric is None else dict(vars(choice.numeric)),
        "stages": list(map(int, choice.stages)),
        "loss": choice.loss.name,
        "loss_parameters": choice.loss._core_constants or None,
        "record": to_json(choice.record),
    }


def chosen_before(resumption: Resumption, epochs: Any) -> Choice | None:
    """Return what the search of a training to resume chose; None if there is none.

    Parameters
    ----------
    resumption : Resumption
    epochs : int, sequence of int or None
        The parameter; if it is set, it takes the place of the number that was chosen.
    """
    saved = resumption.saved
    if saved is None:
        return None
    saved.check("settings", as_read(resumption.settings), among=resumption.settings)
    with naming(saved.path):
        choice = _read_choice(Reader(saved.reader.entry("choice", dict), {}))
    if epochs is not None and not isinstance(choice.settings, Sampling):
        return replace(choice, stages=stages_of(epochs))
    return choice


def _read_choice(reader: Reader) -> Choice:
    numeric = None
    if reader.has_entry("numeric"):
        part = Reader(reader.entry("numeric", dict), {})
        names = part.entry("numeric", str), part.integer("n_bins", 2), part.entry("clip", bool)
        numeric = NumericChoice(*names)
    stages = reader.entry("stages", list)
    if not stages or not all(type(n) is int and n > 0 for n in stages):
        raise FileFormatError(f"has damaged stages of its training: {shown(stages)}")
    record = reader.value("record")
    if not isinstance(record, dict):
        raise FileFormatError("has a damaged record of its search")
    settings: Any
    if reader.has_entry("sampling"):
        part = Reader(reader.entry("sampling", dict), {})
        solver = part.value("solver")
        if type(solver) is not Gibbs:
            raise FileFormatError(f"has an unknown sampler {shown(solver)}")
        settings = Sampling(part.integer("rank", 0), solver, part.integer("epochs", 1))
    else:
        settings = read_hyperparameters(reader.entry("settings", dict))
    return Choice(settings, numeric, tuple(stages), read_loss(reader), record)
