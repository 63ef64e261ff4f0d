"""`train`: from arrays to a model."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sparsefm.data.dataset import Rows
from sparsefm.data.validation import check_dtype, check_flag, check_integer
from sparsefm.losses import find_loss
from sparsefm.model import Model
from sparsefm.optimizers import Adam, Solver
from sparsefm.threads import resolve_threads
from sparsefm.training.callbacks import Callback
from sparsefm.training.initialization import Start
from sparsefm.training.loop import Training, announcer, check_callbacks
from sparsefm.training.metrics import evaluate
from sparsefm.training.trainer import Trainer


def train(
    X: Any,
    y: Any,
    X_val: Any = None,
    y_val: Any = None,
    *,
    task: str = "regression",
    loss: str | None = None,
    rank: int | None = None,
    solver: Solver | None = None,
    epochs: int = 10,
    batch_size: int | None = None,
    shuffle: bool = True,
    init: str | Model | tuple[Any, Any, Any] = "normal",
    init_scale: float | None = None,
    sample_weight: Any = None,
    seed: int | None = 0,
    n_threads: int | None = None,
    dtype: str = "float32",
    callbacks: Iterable[Callback] = (),
    verbose: bool = False,
) -> Model:
    """Train a factorization machine with mini-batches.

    The result depends on the arguments, the build and the processor's instruction set alone: it is
    the same bits on any number of threads.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n, d)
        One row an example. CSR with int32 indices and values of `dtype` (or all one) is used as it
        is, anything else converted once. Callbacks and other threads must not change it meanwhile.
    y : array-like of shape (n,)
        Targets; for task "binary" the classes 0 and 1, or -1 and 1.
    X_val, y_val : optional
        Validation data of the same kind, evaluated after each epoch.
    task : {"regression", "binary"}
    loss : {"squared", "logistic", "hinge"}, optional
        Default: squared loss for regression, logistic for binary.
    rank : int, optional
        Number of factors k >= 0 of each feature; 0 makes a linear model. Default: 8, or the rank of
        `init`.
    solver : Adam or AdaGrad, optional
        Optimizer and its settings. Default: ``Adam()``.
    epochs : int
        Passes over the data.
    batch_size : int, optional
        Rows a step; the last batch may be smaller. Default: 1024, or less where that would make
        fewer than 64 steps an epoch, but at least 16.
    shuffle : bool
        Shuffle the rows once, then the order of the batches in each epoch. Otherwise both stay as
        they are.
    init : {"normal", "uniform"}, Model or (w0, w, V)
        Where to start. A word draws V at random, with w = 0, w0 the constant of least loss, and
        V = 0 for features that no row has, so that they never contribute.
    init_scale : float, optional
        "normal": standard deviation of V's entries, default 0.05. "uniform": they are drawn from
        [0, init_scale / sqrt(rank)), default 0.3.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights of the rows. A weight of zero is the same as leaving the row out.
    seed : int or None
        Of everything random. None takes a new one each time.
    n_threads : int, optional
        Default: every core that the process may use.
    dtype : {"float32", "float64"}
        Of parameters and arithmetic.
    callbacks : iterable of callable
        Each is called with an `Epoch` after each epoch; returning True stops the training.
    verbose : bool
        Log each epoch, as INFO, to the logger "sparsefm"; to standard error if nobody listens.

    Returns
    -------
    Model

    Raises
    ------
    ValueError, TypeError
        If an argument is not what it should be; nothing has been done then.
    DivergenceError
        If the training diverges.
    """
    found_loss = find_loss(task, loss)
    real = check_dtype(dtype)
    solver = check_solver(solver, real)
    epochs = check_integer(epochs, "epochs", 1)
    if batch_size is not None:
        batch_size = check_integer(batch_size, "batch_size", 1)
    shuffle, verbose = check_flag(shuffle, "shuffle"), check_flag(verbose, "verbose")
    threads = resolve_threads(n_threads)
    listeners = check_callbacks(callbacks)
    init_random, order_random = random_streams(seed)
    start = Start.check(init, init_scale, rank)
    rows = Rows.training(X, y, sample_weight, found_loss, real)
    validation = Rows.validation(X_val, y_val, found_loss, real, rows.X.n_features)
    trainer = Trainer(
        rows,
        start.state(rows, found_loss, solver, init_random),
        found_loss,
        solver,
        batch_size=batch_size or default_batch_size(len(rows.counted)),
        random=order_random if shuffle else None,
        threads=threads,
        random_start=start.given is None,
    )

    def validate() -> tuple[float | None, Mapping[str, float]]:
        if validation is None:
            return None, {}
        loss, metrics = evaluate(
            found_loss, validation.y, trainer.state.scores(validation.X, threads)
        )
        trainer.check_validation(loss, validation)
        return loss, metrics

    training = Training([trainer], trainer.model)
    history = training.run(epochs, validate, listeners, announcer(verbose))
    return replace(trainer.model(), history=history)


def default_batch_size(n_rows: int) -> int:
    """Return how many rows a step takes if nobody says: 64 steps an epoch, within limits."""
    return min(max(n_rows // 64, 16), 1024)


def check_solver(solver: Any, real: np.dtype[Any]) -> Solver:
    """Return the argument `solver` if it is one for arithmetic in `real`."""
    if solver is None:
        return Adam()
    if not isinstance(solver, Solver):
        raise TypeError(f"solver must be a solver such as sparsefm.Adam(), got {solver!r:.80}")
    solver.check_range(real)
    return solver


def random_streams(seed: Any) -> list[np.random.Generator]:
    """Return generators for the initial factors and for the order of the rows."""
    if seed is not None:
        seed = check_integer(seed, "seed", 0)
    return [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2)]
