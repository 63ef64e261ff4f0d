"""Where a training starts: the arguments `init`, `init_scale` and `rank` of `train`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparsefm.data.validation import check_choice, check_integer, check_real
from sparsefm.field_model import FieldModel
from sparsefm.model import Model
from sparsefm.training.pairs import Pairs, as_pairs, number_of_field

LARGEST_SCALE = 1e6  # with larger scales float32 scores overflow
VARIANTS = ("fm", "fwfm", "ffm")
DEFAULT_SCALE = {"normal": 0.05, "uniform": 0.3}


@dataclass(frozen=True, eq=False)
class Start:
    """The parameters of the first epoch: drawn at random, or those of a model.

    Attributes
    ----------
    rank : int
    init : {"normal", "uniform"}
        The distribution of V.
    init_scale : float or None
        None: the solver's default.
    model : Model or None
    variant : {"fm", "fwfm", "ffm"}
    pairs : tuple of (int, int), or None
    """

    rank: int
    init: str = "normal"
    init_scale: float | None = None
    model: Model | None = None
    variant: str = VARIANTS[0]
    pairs: Pairs | None = None

    @classmethod
    def check(
        cls,
        init: Any,
        init_scale: Any,
        rank: Any,
        default_rank: int,
        variant: Any = VARIANTS[0],
        pairs: Any = None,
    ) -> Start:
        """Check the arguments."""
        check_choice(variant, "variant", VARIANTS)
        pairs = None if pairs is None else as_pairs(pairs, number_of_field)
        if rank is not None:
            rank = check_integer(rank, "rank", 0)
        if isinstance(init, str):
            scale = check_init_scale(init, init_scale)
            rank = default_rank if rank is None else rank
            scale_or_none = None if init_scale is None else scale
            return cls(rank, init, scale_or_none, variant=variant, pairs=pairs)
        if init_scale is not None:
            raise ValueError("init_scale says how to draw V; it has no use with a given init")
        if not isinstance(init, Model):
            if not isinstance(init, tuple | list) or len(init) != 3:
                raise TypeError(
                    "init must be 'normal', 'uniform', a Model or a tuple (w0, w, V), "
                    f"got {init!r:.80}"
                )
            init = Model(*init)
        if rank not in (None, init.rank):
            raise ValueError(f"rank is {rank}, but init has rank {init.rank}: leave rank out")
        if isinstance(init, FieldModel) and variant != init._variant:
            raise ValueError(f"init is a {type(init).__name__}: pass variant={init._variant!r}")
        if isinstance(init, FieldModel) and pairs is not None:
            raise ValueError("init has fields already, and says how they interact: leave pairs out")
        return cls(init.rank, model=init, variant=variant, pairs=pairs)


def check_init_scale(init: Any, init_scale: Any) -> float:
    """Return `init_scale`, or the default of the distribution `init` for None."""
    check_choice(init, "init", tuple(DEFAULT_SCALE))
    if init_scale is None:
        return DEFAULT_SCALE[init]
    scale = check_real(init_scale, "init_scale")
    if scale > LARGEST_SCALE:
        raise ValueError(f"init_scale must be at most {LARGEST_SCALE:g}, got {scale:g}")
    return scale
