"""What training depends on besides the data, the loss and the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sparsefm.data.validation import check_choice, check_integer
from sparsefm.optimizers import Adam, Optimizer
from sparsefm.training.pairs import Pairs, as_pairs, number_of_field
from sparsefm.training.start import DEFAULT_SCALE, VARIANTS, Start, check_init_scale


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
    variant : {"fm", "fwfm", "ffm"}
        How features of two fields interact, see `train`.
    pairs : tuple of (int, int), or None
        The pairs of fields that interact, see `as_pairs`; None: all.
    """

    rank: int = Optimizer.default_rank
    solver: Optimizer = field(default_factory=Adam)
    init: str = "normal"
    init_scale: float = DEFAULT_SCALE["normal"]
    batch_size: int | None = None
    variant: str = VARIANTS[0]
    pairs: Pairs | None = None

    def __post_init__(self) -> None:
        check_integer(self.rank, "rank", 0)
        if not isinstance(self.solver, Optimizer):
            raise TypeError(f"solver must be an optimizer, got {self.solver!r:.80}")
        check_init_scale(self.init, self.init_scale)
        if self.batch_size is not None:
            check_integer(self.batch_size, "batch_size", 1)
        check_choice(self.variant, "variant", VARIANTS)
        if self.pairs is not None:
            object.__setattr__(self, "pairs", as_pairs(self.pairs, number_of_field))
            if self.variant == "ffm":
                raise ValueError("variant='ffm' has all pairs: leave pairs out")

    @classmethod
    def of(cls, start: Start, solver: Optimizer, batch_size: Any) -> Hyperparameters:
        """Return the hyperparameters of a training that starts somewhere."""
        scale = check_init_scale(start.init, start.init_scale)
        kind = start.variant, start.pairs
        return cls(start.rank, solver, start.init, scale, batch_size, *kind)

    @property
    def needs_fields(self) -> bool:
        """Whether the model depends on the fields of features."""
        return self.variant != VARIANTS[0] or self.pairs is not None

    def batch_size_for(self, n_rows: int) -> int:
        """Return the batch size for a number of training rows."""
        return self.batch_size or self.solver._batch_size_for(n_rows)
