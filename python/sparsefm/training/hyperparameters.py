"""What training depends on besides the data, the loss and the seed."""

from dataclasses import dataclass, field
from typing import Any

from sparsefm.data.validation import check_choice, check_integer, check_real
from sparsefm.optimizers import Adam, Optimizer

DEFAULT_RANK = 8
LARGEST_SCALE = 1e6  # with larger scales float32 scores overflow
DEFAULT_SCALE = {"normal": 0.05, "uniform": 0.3}


@dataclass(frozen=True)
class Hyperparameters:
    """How a model is trained.

    Attributes
    ----------
    rank : int
    solver : Optimizer
    init : {"normal", "uniform"}
        Distribution of the initial factors.
    init_scale : float
    batch_size : int or None
        None: the optimizer's default for the number of rows.
    """

    rank: int = DEFAULT_RANK
    solver: Optimizer = field(default_factory=Adam)
    init: str = "normal"
    init_scale: float = DEFAULT_SCALE["normal"]
    batch_size: int | None = None

    def __post_init__(self) -> None:
        check_integer(self.rank, "rank", 0)
        if not isinstance(self.solver, Optimizer):
            raise TypeError(f"solver must be an optimizer, got {self.solver!r:.80}")
        check_init_scale(self.init, self.init_scale)
        if self.batch_size is not None:
            check_integer(self.batch_size, "batch_size", 1)

    def batch_size_for(self, n_rows: int) -> int:
        """Return the batch size for a number of training rows."""
        return self.batch_size or self.solver.batch_size_for(n_rows)


def check_init_scale(init: Any, init_scale: Any) -> float:
    """Return `init_scale`, or the default of the distribution `init` for None."""
    check_choice(init, "init", tuple(DEFAULT_SCALE))
    if init_scale is None:
        return DEFAULT_SCALE[init]
    scale = check_real(init_scale, "init_scale")
    if scale > LARGEST_SCALE:
        raise ValueError(f"init_scale must be at most {LARGEST_SCALE:g}, got {scale:g}")
    return scale
