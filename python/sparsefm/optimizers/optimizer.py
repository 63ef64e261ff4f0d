"""What all optimizers have in common; each kind describes itself to the rest of the library."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from sparsefm.data.validation import check_real


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """An optimizer and its settings; use one of its kinds.

    Parameters
    ----------
    learning_rate : float
        About how far one step moves a parameter.
    l2_linear, l2_factors : float
        Weights of the penalty on w and V. The objective is the mean over rows of the loss plus
        ``(l2_linear * w_i**2 + l2_factors * |v_i|**2) / 2`` for every feature i that the row has.
    """

    name: ClassVar[str]
    """What files and the core call it."""
    damping: ClassVar[str]
    """The field that damps the steps of features seen seldom."""
    batch_sizes: ClassVar[tuple[int, int]] = (16, 1024)
    """The smallest and the largest batch that is sensible if nobody says."""

    learning_rate: float
    l2_linear: float = 1e-3
    l2_factors: float = 1e-2

    def __post_init__(self) -> None:
        check_real(self.learning_rate, "learning_rate", above=0)
        check_real(self.l2_linear, "l2_linear")
        check_real(self.l2_factors, "l2_factors")

    @property
    def moment_starts(self) -> tuple[float, ...]:
        """What each number that is remembered of a parameter starts at."""
        raise TypeError(f"{type(self).__name__} is no optimizer: use one such as sparsefm.Adam()")

    @property
    def moments(self) -> int:
        """How many numbers are remembered of each parameter."""
        return len(self.moment_starts)

    @property
    def moves_all(self) -> bool:
        """Whether a step moves also parameters of features that its batch does not have."""
        return False

    @property
    def core_name(self) -> str:
        """What the core calls it (``cpp/core/optimizers``)."""
        return self.name

    @property
    def core_constants(self) -> dict[str, float]:
        """What the core needs to know: every setting that is a number."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: float(value) for name, value in values.items() if not isinstance(value, str)}

    def batch_size_for(self, n_rows: int) -> int:
        """Return how many rows a step takes if nobody says: 64 steps an epoch, within limits."""
        return int(np.clip(n_rows // 64, *self.batch_sizes))

    def check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the settings."""
        with np.errstate(over="ignore"):
            for name in ("learning_rate", "l2_linear", "l2_factors"):
                if not np.isfinite(real.type(getattr(self, name))):
                    raise ValueError(f"{name} of {getattr(self, name):g} is too large for {real}")


def check_optimizer(solver: Any, real: np.dtype[Any]) -> Optimizer:
    """Return the argument `solver` if it is an optimizer for arithmetic in `real`."""
    if not isinstance(solver, Optimizer):
        raise TypeError(f"solver must be a solver such as sparsefm.Adam(), got {solver!r:.80}")
    solver.check_range(real)
    return solver
