"""Where training starts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Rows
from sparsefm.data.validation import cast, check_choice, check_integer, check_real
from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.optimizers import Solver
from sparsefm.training.parameters import State

Array = npt.NDArray[Any]

DEFAULT_RANK = 8
LARGEST_SCALE = 1e6  # beyond, float32 scores overflow
DEFAULT_SCALE = {"normal": 0.05, "uniform": 0.3}


@dataclass(frozen=True)
class Start:
    """A checked choice of initial parameters: a distribution of V, or given ones."""

    rank: int
    distribution: str = ""
    scale: float = 0.0
    given: tuple[float, Array, Array] | None = None

    @classmethod
    def check(cls, init: Any, scale: Any, rank: Any) -> "Start":
        """Check the arguments `init`, `init_scale` and `rank` of `train`."""
        if rank is not None:
            rank = check_integer(rank, "rank", 0)
        if isinstance(init, str):
            check_choice(init, "init", tuple(DEFAULT_SCALE))
            scale = DEFAULT_SCALE[init] if scale is None else check_real(scale, "init_scale")
            if scale > LARGEST_SCALE:
                raise ValueError(f"init_scale must be at most {LARGEST_SCALE:g}, got {scale:g}")
            return cls(DEFAULT_RANK if rank is None else rank, init, scale)
        if scale is not None:
            raise ValueError("init_scale says how to draw V; it has no use with a given init")
        given = _check_given(init)
        found = given[2].shape[1]
        if rank not in (None, found):
            raise ValueError(f"rank is {rank}, but init has rank {found}: leave rank out")
        return cls(found, given=given)

    def state(self, rows: Rows, loss: Loss, solver: Solver, random: np.random.Generator) -> State:
        """Return the initial state for training on `rows` with `solver`."""
        state = State.begin(rows.X.n_features, self.rank, solver, rows.y.dtype)
        if self.given is None:
            state.bias[0] = loss.constant(rows.mean(rows.y))
            state.draw_factors(random, self.distribution, self.scale, rows.used_features())
            return state
        w0, w, V = self.given
        if len(V) != rows.X.n_features:
            raise ValueError(f"init has {len(V)} features, but X has {rows.X.n_features}")
        dtype = rows.y.dtype
        state.bias[0] = cast(np.asarray(w0), dtype, "w0 of init")
        state.w[:], state.V[:] = cast(w, dtype, "w of init"), cast(V, dtype, "V of init")
        return state


def _check_given(init: Any) -> tuple[float, Array, Array]:
    if isinstance(init, Model):
        return init.w0, init.w, init.V
    if not isinstance(init, tuple | list) or len(init) != 3:
        raise TypeError(
            f"init must be 'normal', 'uniform', a Model or a tuple (w0, w, V), got {init!r:.80}"
        )
    model = Model(*init)
    return model.w0, model.w, model.V
