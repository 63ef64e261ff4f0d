"""Parameters of parameters, such as ``solver__learning_rate``, also where the outer one is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from sparsefm.encoding import TableEncoder
from sparsefm.optimizers import AdaGrad, Adam
from sparsefm.sampling import Gibbs

Self = TypeVar("Self", bound="NestedParameters")  # typing.Self from Python 3.11 on

SOLVERS = (Adam, AdaGrad, Gibbs)  # the first that has the parameters stands in for None


class NestedParameters(BaseEstimator):  # type: ignore[misc]
    """Gives `get_params` and `set_params` the parameters of the solver and of the encoder.

    Solvers never change: `set_params` puts another in the place of one. The encoder is an estimator
    itself, for which scikit-learn's own methods do the rest.
    """

    encoder: Any
    solver: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool
            Also return those of the solver and of the encoder, as ``solver__learning_rate`` or
            ``encoder__n_bins``, if these are not None.

        Returns
        -------
        dict of str to object
        """
        found: dict[str, Any] = super().get_params(deep)
        if deep and _has_parameters(self.solver):
            inner = {name: getattr(self.solver, name) for name in _names(self.solver)}
            found |= {f"solver__{name}": value for name, value in inner.items()}
        return found

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters, also those of the solver and of the encoder.

        ``encoder__n_bins=16`` sets a parameter of the encoder; where `encoder` is None, it makes a
        `TableEncoder` with it. ``solver__learning_rate=0.1`` puts a solver with that parameter in
        the place of the present one, which itself stays as it is. Where `solver` is None, it is
        that of the first of `Adam`, `AdaGrad` and `Gibbs` that has all of the parameters given:
        `AdaGrad` for ``solver__initial_accumulator``, `Gibbs` for ``solver__burn_in``.

        Parameters
        ----------
        **params : object
            Parameters by name.

        Returns
        -------
        self
        """
        own = {name: value for name, value in params.items() if not name.startswith("solver__")}
        of_solver = _without_prefix(params, "solver__")
        if of_solver:
            own["solver"] = _changed(own.get("solver", self.solver), of_solver)
        of_encoder = _without_prefix(params, "encoder__")
        if of_encoder and own.get("encoder", self.encoder) is None:
            own = {n: value for n, value in own.items() if not n.startswith("encoder__")}
            own["encoder"] = TableEncoder().set_params(**of_encoder)
        super().set_params(**own)
        return self


def _without_prefix(params: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the parameters whose names have a prefix, without it."""
    found = {name: value for name, value in params.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in found.items()}


def _changed(solver: Any, params: dict[str, Any]) -> Any:
    """Return a solver like this one, or the first suitable one for None, with parameters set."""
    if solver is not None and not _has_parameters(solver):
        raise ValueError(f"solver={solver!r:.80} has no parameter {min(params)!r}")
    choices = [cls for cls in SOLVERS if params.keys() <= _names(cls)] if solver is None else []
    if choices:
        return choices[0](**params)
    if solver is None:
        valid = "; ".join(f"{cls.__name__}: {', '.join(sorted(_names(cls)))}" for cls in SOLVERS)
        raise ValueError(
            f"solver is None, and no solver has the parameters {sorted(params)}. Valid parameters "
            f"are those of {valid}"
        )
    for name in params:
        if name not in _names(solver):
            raise ValueError(
                f"Invalid parameter {name!r} for solver {type(solver).__name__}. Valid parameters "
                f"are: {sorted(_names(solver))}"
            )
    return replace(solver, **params)


def _has_parameters(solver: Any) -> bool:
    return is_dataclass(solver) and not isinstance(solver, type)


def _names(solver: Any) -> set[str]:
    """Return the names of the parameters of a solver, or of a class of solvers."""
    return {field.name for field in fields(solver)}
