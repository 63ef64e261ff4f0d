"""The base class of all optimizers; a subclass describes itself to the rest of the library."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import check_real
from sparsefm.optimizers import penalties
from sparsefm.optimizers.penalties import Penalties

Self = TypeVar("Self", bound="Optimizer")  # typing.Self from Python 3.11 on


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """An optimizer and its hyperparameters; use one of its subclasses.

    Parameters
    ----------
    learning_rate : float
        About the distance that one step moves a parameter.
    l2_linear : float
        Weight of the penalty on w.
    l2_factors : float, sequence of float, or dict of str to float
        Weight of the penalty on V. The objective is the mean over rows of the loss plus
        ``(l2_linear * w_i**2 + l2_factors * |v_i|**2) / 2`` for every feature i that the row has.
        A sequence has a number for each field. In estimators there may be a dict from columns to
        numbers, ``{"user": 1e-3}``; the columns that it does not name have the default.
    """

    name: ClassVar[str]
    """Its name in files and in the core."""
    _damping: ClassVar[str]
    """The name of the hyperparameter that damps the steps of rare features."""
    _batch_sizes: ClassVar[tuple[int, int]] = (16, 1024)
    """The smallest and the largest default batch size."""
    default_rank: ClassVar[int] = 8
    default_epochs: ClassVar[int] = 10

    learning_rate: float
    l2_linear: float = 1e-3
    l2_factors: Penalties = 1e-2

    def __post_init__(self) -> None:
        check_real(self.learning_rate, "learning_rate", above=0)
        check_real(self.l2_linear, "l2_linear")
        checked = penalties.check_penalties(self.l2_factors, "l2_factors")
        object.__setattr__(self, "l2_factors", checked)

    @property
    def _moment_starts(self) -> tuple[float, ...]:
        """The initial value of each moment of a parameter."""
        raise TypeError(f"{type(self).__name__} is not an optimizer: use sparsefm.Adam()")

    @property
    def _moments(self) -> int:
        """The number of moments of each parameter."""
        return len(self._moment_starts)

    @property
    def _moves_all(self) -> bool:
        """Whether a step also moves parameters of features that are not in its batch."""
        return False

    @property
    def _core_name(self) -> str:
        """Its name in the core (``cpp/core/optimizers``)."""
        return self.name

    @property
    def _core_constants(self) -> dict[str, float]:
        """Its hyperparameters for the core: those that are numbers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self._is_by_field:
            values["l2_factors"] = 0.0  # the core gets those of features instead
        return {name: float(value) for name, value in values.items() if isinstance(value, Real)}

    @property
    def _is_by_field(self) -> bool:
        """Whether fields have penalties of their own."""
        return penalties.is_by_field(self.l2_factors)

    def _for_fields(
        self: Self, n_fields: int, number_of: Callable[[Any], int] | None = None
    ) -> Self:
        """Return this optimizer with a penalty for each field, if fields have some; check them.

        `number_of` returns the number of a field that a dict names.
        """
        if not self._is_by_field:
            return self
        default: Any = type(self).l2_factors
        found = penalties.of_fields(self.l2_factors, default, n_fields, number_of)
        return replace(self, l2_factors=found)

    def _with_fields_of(self: Self, other: "Optimizer | None", n_fields: int) -> Self:
        """Return this optimizer, which has a number for each field, with those of new fields.

        They are those of another one with numbers for all; without one they are the default.
        """
        known = tuple(self.l2_factors)  # type: ignore[arg-type]
        default: Any = type(self).l2_factors
        every = (default,) * n_fields if other is None else other.l2_factors
        return replace(self, l2_factors=known + tuple(every[len(known) :]))  # type: ignore

    def _penalties_of(
        self, fields: npt.NDArray[np.integer[Any]] | None, real: npt.DTypeLike
    ) -> npt.NDArray[np.floating[Any]] | None:
        """Return the penalty of each feature's factors, given their fields; None if one is all's.

        There must be a number for each field already, see `_for_fields`.
        """
        if not self._is_by_field:
            return None
        if fields is None:
            raise ValueError("l2_factors is by field, but there are no fields")
        found: npt.NDArray[np.floating[Any]] = np.array(self.l2_factors, real)[fields]
        return found

    def _batch_size_for(self, n_rows: int) -> int:
        """Return the default batch size: 64 batches an epoch, within `_batch_sizes`."""
        return int(np.clip(n_rows // 64, *self._batch_sizes))

    def _check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the hyperparameters."""
        with np.errstate(over="ignore"):
            for name in ("learning_rate", "l2_linear", "l2_factors"):
                value = penalties.largest(getattr(self, name))
                if not np.isfinite(real.type(value)):
                    raise ValueError(f"{name} of {value:g} is too large for {real}")


def check_optimizer(solver: Any, real: np.dtype[Any]) -> Optimizer:
    """Return the argument `solver` if it is an optimizer for arithmetic in `real`."""
    if not isinstance(solver, Optimizer):
        raise TypeError(f"solver must be an optimizer such as sparsefm.Adam(), got {solver!r:.80}")
    solver._check_range(real)
    return solver
