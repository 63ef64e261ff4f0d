"""`train`: from arrays to a model."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.data.validation import check_dtype, check_flag, check_integer
from sparsefm.losses import Loss, find_loss
from sparsefm.model import Model
from sparsefm.optimizers import Adam, Optimizer, check_optimizer
from sparsefm.threads import resolve_threads
from sparsefm.training.callbacks import Callback, check_callbacks
from sparsefm.training.evaluation import evaluate
from sparsefm.training.hyperparameters import DEFAULT_RANK, Hyperparameters, check_init_scale
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.loop import TrainingRun, announcer
from sparsefm.training.metrics import metrics_of
from sparsefm.training.random import check_seed


def train(
    X: Any,
    y: Any,
    X_val: Any = None,
    y_val: Any = None,
    *,
    task: str = "regression",
    loss: str | Loss | None = None,
    rank: int | None = None,
    solver: Optimizer | None = None,
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

    The result depends only on the arguments, the build and the processor's instruction set. It is
    the same, to the bit, on any number of threads.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n, d)
        A CSR matrix with int32 indices and values of `dtype` (or all one) is used without a copy.
        Anything else is converted once. Callbacks and other threads must not change X meanwhile.
    y : array-like of shape (n,)
        Targets; for task "binary" the classes 0 and 1, or -1 and 1.
    X_val, y_val : optional
        Validation rows and their targets, evaluated after each epoch.
    task : {"regression", "binary"}
    loss : {"squared", "huber", "logistic", "hinge"} or Loss, optional
        A name, or an instance with parameters such as ``sparsefm.losses.Huber(delta=2.0)``.
        Default: "squared" for regression, "logistic" for binary.
    rank : int, optional
        Number of factors k >= 0 of each feature; 0 makes a linear model. Default: 8, or the rank of
        `init`.
    solver : Adam or AdaGrad, optional
        The optimizer and its hyperparameters. Default: ``Adam()``.
    epochs : int
        Number of passes over the training rows.
    batch_size : int, optional
        Rows of a step; the last batch may be smaller. Default: a 64th of the rows, at least 16 and
        at most 1024 (`AdaGrad`: 256).
    shuffle : bool
        Shuffle the rows once, and the order of the batches in each epoch. If False, rows and
        batches stay in order.
    init : {"normal", "uniform"}, Model or (w0, w, V)
        Initial parameters. "normal" and "uniform" are distributions of V; then w = 0, and w0 is
        a constant with a low loss. V = 0 for features that occur in no row, so they never
        contribute.
    init_scale : float, optional
        "normal": standard deviation of V's entries, default 0.05. "uniform": the entries lie in
        [0, init_scale / sqrt(rank)), default 0.3.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights of the rows. A row of weight zero is left out.
    seed : int or None
        Seed of all random numbers. None: a new seed each time.
    n_threads : int, optional
        Default: every core that the process may use.
    dtype : {"float32", "float64"}
        Type of parameters and arithmetic.
    callbacks : iterable of callable
        Each is called with an `Epoch` after each epoch. If one returns True, training stops.
    verbose : bool
        Log each epoch, as INFO, to the logger "sparsefm"; print to standard error if nothing
        listens to that logger.

    Returns
    -------
    Model

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid. The check comes before any training.
    DivergenceError
        If the training diverges.
    """
    found_loss = find_loss(task, loss)
    real = check_dtype(dtype)
    epochs = check_integer(epochs, "epochs", 1)
    shuffle, verbose = check_flag(shuffle, "shuffle"), check_flag(verbose, "verbose")
    threads, listeners = resolve_threads(n_threads), check_callbacks(callbacks)
    chosen, given = _check_start(init, init_scale, rank)
    chosen = replace(
        chosen,
        solver=Adam() if solver is None else check_optimizer(solver, real),
        batch_size=batch_size,
    )
    seed = check_seed(seed)
    dataset = Dataset.training(X, y, sample_weight, real, binary=found_loss.task == "binary")
    validation = Dataset.validation(
        X_val, y_val, real, dataset.X.n_features, binary=found_loss.task == "binary"
    )
    if given is None:
        learner = Learner.begin(chosen, found_loss, dataset, seed)
    elif given.n_features == dataset.X.n_features:
        learner = Learner.of_model(given, chosen, found_loss, real, seed)
    else:
        raise ValueError(f"init has {given.n_features} features, but X has {dataset.X.n_features}")
    run = TrainingRun(
        learner,
        dataset,
        new_planner(seed, threads, shuffle=shuffle),
        threads=threads,
        shuffle=shuffle,
        random_start=given is None,
        model=lambda: _copy_of(learner, run),
    )

    def validate() -> tuple[float | None, Mapping[str, float]]:
        if validation is None:
            return None, {}
        losses, metrics = evaluate(
            learner,
            validation,
            threads,
            lambda scores: metrics_of(found_loss, validation.y, scores[:, 0], None),
        )
        run.check_validation(losses, validation)
        return losses[0], metrics

    run.run(epochs, validate, listeners, announcer(verbose))
    return _copy_of(learner, run)


def _copy_of(learner: Learner, run: TrainingRun) -> Model:
    """Return a model that owns a copy of the parameters, with the history so far."""
    (model,) = learner.models()
    return replace(model, history=tuple(run.history))


def _check_start(init: Any, init_scale: Any, rank: Any) -> tuple[Hyperparameters, Model | None]:
    """Check the arguments `init`, `init_scale` and `rank`; return also the given parameters."""
    if rank is not None:
        rank = check_integer(rank, "rank", 0)
    if isinstance(init, str):
        scale = check_init_scale(init, init_scale)
        rank = DEFAULT_RANK if rank is None else rank
        return Hyperparameters(rank=rank, init=init, init_scale=scale), None
    if init_scale is not None:
        raise ValueError("init_scale says how to draw V; it has no use with a given init")
    if not isinstance(init, Model):
        if not isinstance(init, tuple | list) or len(init) != 3:
            raise TypeError(
                f"init must be 'normal', 'uniform', a Model or a tuple (w0, w, V), got {init!r:.80}"
            )
        init = Model(*init)
    if rank not in (None, init.rank):
        raise ValueError(f"rank is {rank}, but init has rank {init.rank}: leave rank out")
    return Hyperparameters(rank=init.rank), init
