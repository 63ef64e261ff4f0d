"""`train`, and the only epoch loop."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.callbacks import Callback, Epoch
from sparsefm.divergence import DivergenceWatch
from sparsefm.initialization import Start
from sparsefm.inputs import check_dtype, check_flag, check_integer
from sparsefm.losses import Loss, find_loss
from sparsefm.metrics import evaluate
from sparsefm.model import Model
from sparsefm.pace import Pace
from sparsefm.rows import Rows
from sparsefm.solvers import Adam, Solver
from sparsefm.state import State
from sparsefm.threads import resolve_threads

Batches = npt.NDArray[np.int64]

logger = logging.getLogger("sparsefm")

# Bytes of transposed batches kept at a time. No number of this machine: segments end where they are
# full, and with exact updates the last bits of a result know where.
PLAN_BUDGET = 4 << 30
SAMPLE_SIZE = 1024  # rows that tell what training begins with and ends in


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
    solver = _check_solver(solver, real)
    epochs = check_integer(epochs, "epochs", 1)
    if batch_size is not None:
        batch_size = check_integer(batch_size, "batch_size", 1)
    shuffle, verbose = check_flag(shuffle, "shuffle"), check_flag(verbose, "verbose")
    threads = resolve_threads(n_threads)
    listeners = _check_callbacks(callbacks)
    init_random, order_random = _random_streams(seed)
    start = Start.check(init, init_scale, rank)
    rows = Rows.training(X, y, sample_weight, found_loss, real)
    validation = Rows.validation(X_val, y_val, found_loss, real, rows.X.n_features)
    state = start.state(rows, found_loss, solver, init_random)

    random = order_random if shuffle else None
    order = rows.order(random)
    run = _core.TrainingRun(
        rows.X,
        order,
        rows.y[order],
        rows.weights_of(order),
        min(batch_size or _default_batch_size(len(order)), len(order)),
        found_loss.name,
        state.bias,
        state.scalars,
        state.factors,
        solver,
        threads,
    )
    sample = rows.sample(order, SAMPLE_SIZE)
    watch = DivergenceWatch(
        rows, sample, found_loss, solver, state, random_start=start.given is None
    )
    history: list[Epoch] = []
    announce = _announcer(verbose)
    started = time.perf_counter()
    with _closing(listeners):
        for epoch, train_loss in _epochs(run, rows, epochs, solver, random, watch):
            val_loss, metrics = _evaluate(state, validation, found_loss, threads)
            if validation is not None and val_loss is not None:
                watch.check_validation(epoch, val_loss, validation)
            seconds = time.perf_counter() - started
            record = Epoch(epoch, epochs, train_loss, val_loss, metrics, seconds)
            history.append(record)
            announce(str(record))
            answers = [listener(record) for listener in listeners]  # every one is told
            if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                break
    watch.check_end(len(history), state)
    return Model(
        float(state.bias[0]), state.w, state.V, found_loss.task, found_loss.name, tuple(history)
    )


def _epochs(
    run: _core.TrainingRun,
    rows: Rows,
    epochs: int,
    solver: Solver,
    random: np.random.Generator | None,
    watch: DivergenceWatch,
) -> Iterator[tuple[int, float]]:
    """Run the epochs; yield the number and the mean training loss of each."""
    pace = Pace()
    batches = np.arange(run.n_batches, dtype=np.int64)
    steps = 0
    for epoch in range(1, epochs + 1):
        order = batches if random is None else random.permutation(batches)
        total = 0.0
        for segment in _segments(run, order):
            run.begin_segment(segment, steps, solver.learning_rate)
            for begin, end in pace.calls(len(segment)):
                total = run.run(begin, end, total)
                watch.check_finite(epoch, total)
            steps += len(segment)
        mean = total / rows.total_weight
        watch.check_epoch(epoch, mean)
        yield epoch, mean


def _segments(run: _core.TrainingRun, order: Batches) -> Iterator[Batches]:
    """Plan the batches of an epoch and yield those whose plans fit into memory together.

    In one segment, and for all epochs, if all fit. Otherwise in several, each forgotten after use;
    where they end depends on the plans alone, not on how many a call happens to make.
    """
    pace = Pace()
    begin = 0
    while begin < len(order):
        for _, end in pace.calls(len(order) - begin):
            run.plan(order[begin : begin + end])
            size = run.count_planned(order[begin:], PLAN_BUDGET)
            if size < end:
                break
        segment = order[begin : begin + size]
        yield segment
        begin += size
        if size < len(order):
            run.forget(segment)


def _default_batch_size(n_rows: int) -> int:
    return min(max(n_rows // 64, 16), 1024)


def _evaluate(
    state: State, validation: Rows | None, loss: Loss, threads: int
) -> tuple[float | None, dict[str, float]]:
    """Return the validation loss and metrics of a model in training, if there is such data."""
    if validation is None:
        return None, {}
    return evaluate(loss, validation.y, state.scores(validation.X, threads))


def _check_solver(solver: Any, real: np.dtype[Any]) -> Solver:
    if solver is None:
        return Adam()
    if not isinstance(solver, Solver):
        raise TypeError(f"solver must be a solver such as sparsefm.Adam(), got {solver!r:.80}")
    solver.check_range(real)
    return solver


def _check_callbacks(callbacks: Any) -> Sequence[Callback]:
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a list of callables, got {callbacks!r:.80}")
    listeners = tuple(callbacks)
    for listener in listeners:
        if not callable(listener):
            raise TypeError(f"callbacks must be callables, got {listener!r:.80}")
    return listeners


def _random_streams(seed: Any) -> list[np.random.Generator]:
    """Return generators for the initial factors and for the order of the rows."""
    if seed is not None:
        seed = check_integer(seed, "seed", 0)
    return [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2)]


@contextmanager
def _closing(listeners: Sequence[Callback]) -> Iterator[None]:
    """Tell listeners that have a `close` when training ends, however it ends."""
    with ExitStack() as stack:
        for listener in reversed(listeners):
            close = getattr(listener, "close", None)
            if close is not None:
                stack.callback(close)
        yield


def _announcer(verbose: bool) -> Callable[[str], None]:
    """Return what tells of an epoch: the logger, or standard error if nobody listens to it."""
    if not verbose:
        return lambda message: None
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        return logger.info
    return lambda message: print(message, file=sys.stderr, flush=True)
