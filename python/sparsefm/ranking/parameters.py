"""The parameters of a ranker, checked when it is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsefm.data.validation import (
    check_choice,
    check_dtype,
    check_flag,
    check_integer,
    check_real,
)
from sparsefm.encoding import TableEncoder
from sparsefm.optimizers import AdaGrad, Adam
from sparsefm.ranking.all_pairs import LeastSquares
from sparsefm.ranking.comparing import Comparing
from sparsefm.threads import resolve_threads
from sparsefm.training.random import check_seed
from sparsefm.training.start import check_init_scale

Training = Comparing | LeastSquares
Chosen = tuple[Training, int]  # and the number of epochs

LOSSES = ("softmax", "warp", "bpr", "all-pairs")
NEGATIVES = {"bpr": 4, "softmax": 50, "warp": 100}
SOLVER = AdaGrad(learning_rate=0.05, initial_accumulator=0.1)


def checked(ranker: Any) -> Chosen:
    """Check the parameters; return how to train, and for how many epochs."""
    check_choice(ranker.loss, "loss", LOSSES)
    real = check_dtype(ranker.dtype)
    for name in ("early_stopping", "verbose"):
        check_flag(getattr(ranker, name), name)
    check_integer(ranker.patience, "patience", 1)
    if not isinstance(ranker.encoder, TableEncoder | None):
        raise TypeError(f"encoder must be a sparsefm.TableEncoder, got {ranker.encoder!r:.80}")
    rank, epochs = check_integer(ranker.rank, "rank", 0), check_integer(ranker.epochs, "epochs", 1)
    init_scale = check_init_scale("normal", ranker.init_scale)
    alpha = check_real(ranker.unobserved_weight, "unobserved_weight", above=0)
    l2 = None if ranker.l2 is None else check_real(ranker.l2, "l2", above=0)
    threads = resolve_threads(ranker.n_threads)
    power = check_real(ranker.popularity, "popularity")
    if ranker.loss == "all-pairs":
        if ranker.solver is not None or ranker.n_negatives is not None or power:
            raise ValueError(
                "loss='all-pairs' has neither solver nor n_negatives nor popularity: it takes "
                "all pairs, by least squares"
            )
        return LeastSquares(rank, init_scale, alpha, l2, _seed_of(ranker), threads), epochs
    solver = SOLVER if ranker.solver is None else ranker.solver
    if not isinstance(solver, AdaGrad | Adam):
        raise TypeError(f"solver must be a sparsefm.AdaGrad or Adam, got {solver!r:.80}")
    solver._check_range(real)
    if solver._moves_all or solver._is_by_field:
        raise ValueError(
            "solver must be lazy and have one l2_factors: FMRanker has no exact updates and no "
            "penalties by field"
        )
    n_negatives = NEGATIVES[ranker.loss]
    if ranker.n_negatives is not None:
        least = 1 if ranker.loss == "warp" else 0
        n_negatives = check_integer(ranker.n_negatives, "n_negatives", least)
    how = Comparing(
        ranker.loss,
        solver,
        rank,
        init_scale,
        check_integer(ranker.batch_size, "batch_size", 1),
        n_negatives,
        power,
        _seed_of(ranker),
        threads,
    )
    return how, epochs


def _seed_of(ranker: Any) -> int:
    if ranker.random_state is None or isinstance(ranker.random_state, int | np.integer):
        return check_seed(ranker.random_state, "random_state")
    if not isinstance(ranker.random_state, np.random.RandomState):
        raise TypeError(
            "random_state must be an integer, a numpy.random.RandomState or None, "
            f"got {ranker.random_state!r:.80}"
        )
    return int(ranker.random_state.randint(2**31 - 1))
