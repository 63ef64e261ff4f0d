"""Sampling on a cluster: a copy of all rows for each of some tasks, which move chains there."""

from __future__ import annotations

from functools import partial
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.copied_chains import CopiedChains
from sparsefm.distributed.encoded import Encoder
from sparsefm.distributed.gathering import Copy, InOrder
from sparsefm.distributed.parts import Tables
from sparsefm.sampling import Gibbs, Sweeper
from sparsefm.threads import resolve_threads
from sparsefm.training.sampling_run import SamplingRun
from sparsefm.training.solvers import check_sweeps
from sparsefm.training.start import VARIANTS, Start
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.search import Choice


def sampling_of(estimator: Any, choice: Choice | None) -> Sampling | None:
    """Return the sampler that an estimator has or a search chose, None if it is an optimizer."""
    if choice is not None:
        return choice.settings if isinstance(choice.settings, Sampling) else None
    solver = estimator.solver
    if solver is None and estimator._loss.task == "ordinal":
        solver = Gibbs()
    if not isinstance(solver, Sweeper):
        return None
    rank = solver.default_rank if estimator.rank is None else estimator.rank
    epochs = estimator.epochs or solver.default_epochs
    if not isinstance(epochs, int):
        raise ValueError(f"{type(solver).__name__} has no stages: epochs must be a number")
    variant = estimator.variant or VARIANTS[0]
    start = Start(rank, estimator.init or "normal", estimator.init_scale, variant=variant)
    check_sweeps(solver, epochs, estimator.batch_size, start, going_on=False)
    return Sampling(rank, solver, epochs)  # type: ignore[arg-type]


def sample(
    estimator: Any,
    sampling: Sampling,
    tables: Tables,
    encoder: Encoder,
    plain: Any,
    validation: Dataset | None,
    n_workers: int,
) -> None:
    """Sample the parameters of an estimator: they are those of one machine, to the bit.

    Parameters
    ----------
    estimator : FMRegressor or FMClassifier
    sampling : Sampling
    tables : Tables
    encoder : Encoder
    plain : TableEncoder or None
        See `Copy`.
    validation : Dataset or None
        On this node.
    n_workers : int
        The most tasks; none is without a chain.
    """
    solver, epochs, n_outputs = sampling.solver, sampling.epochs, estimator._target.n_outputs
    n_tasks = min(n_workers, n_outputs * solver.chains)
    cells = tables.divide(Copy(encoder, plain, n_tasks), InOrder(encoder), n_tasks)
    try:
        run = SamplingRun(
            cells,
            validation,
            solver,
            estimator._loss,
            Start(sampling.rank, init_scale=estimator.init_scale),
            seed=encoder.seed,
            threads=resolve_threads(estimator.n_threads),
            loss_unit=estimator._loss_unit,
            model=lambda: estimator._after(run),
            chains=partial(
                CopiedChains,
                n_outputs=n_outputs,
                epochs=epochs,
                task_threads=estimator.n_threads or 1,
            ),
        )
        callbacks = [*estimator.callbacks]
        estimator._run(run, epochs, validation, callbacks, sampling=solver._random)
    finally:
        cells.release()
    estimator._after(run)
    estimator.best_params_ = {**vars(sampling), **estimator._kept()}
