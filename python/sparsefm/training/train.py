"""`train`: from arrays to a model."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.data.mapped import release
from sparsefm.data.memory import check_width
from sparsefm.data.offsets import offset_columns, warn_of_offsets
from sparsefm.data.validation import check_dtype, check_flag, check_integer
from sparsefm.files.training import read_sources
from sparsefm.losses import Loss, find_loss
from sparsefm.model import Model
from sparsefm.optimizers import Adam, Optimizer
from sparsefm.sampling import SampledModel, Sweeper
from sparsefm.threads import resolve_threads
from sparsefm.training.callbacks import Callback, check_callbacks
from sparsefm.training.evaluation import evaluate
from sparsefm.training.field_state import with_fields, with_found_fields
from sparsefm.training.guard import guards_of
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.loop import Run, announcer
from sparsefm.training.memory import Memory, check_budget, copies_of
from sparsefm.training.metrics import Metrics, metrics_of
from sparsefm.training.random import check_seed
from sparsefm.training.resuming import Resumption, Saved, check_fixed_seed
from sparsefm.training.sampling_run import SamplingRun
from sparsefm.training.solvers import check_solver, check_start, check_sweeps, sampled_models
from sparsefm.training.start import VARIANTS, Start
from sparsefm.training.training_run import TrainingRun


def train(
    X: Any,
    y: Any = None,
    X_val: Any = None,
    y_val: Any = None,
    *,
    task: str = "regression",
    loss: str | Loss | None = None,
    rank: int | None = None,
    solver: Optimizer | Sweeper | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: bool = True,
    init: str | Model | tuple[Any, Any, Any] = "normal",
    init_scale: float | None = None,
    sample_weight: Any = None,
    variant: str = "fm",
    pairs: Any = None,
    fields: Any = None,
    seed: int | None = 0,
    n_threads: int | None = None,
    dtype: str = "float32",
    callbacks: Iterable[Callback] = (),
    verbose: bool = False,
    resume: Any = None,
    memory_budget: int | None = None,
) -> Model:
    """Train a factorization machine.

    The result depends only on the arguments, the build and the processor's instruction set. It is
    the same, to the bit, on any number of threads.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n, d), path, or stream
        A CSR matrix with int32 indices and values of `dtype` (or all one) is used without a copy.
        Anything else is converted once. Callbacks must not change X meanwhile: that is an error.
        Nor must other threads, which nobody notices. A path, a pattern or a list of them is read as
        by `read`, a `SparseText` with what it tells of them; then `y` must be None, for the files
        hold the targets. So it must for a stream, an iterator (or a function without arguments that
        returns one) of chunks ``(X, y)`` or ``(X, y, sample_weight)``: their rows go to a temporary
        file, and are read from there as needed.
    y : array-like of shape (n,), optional
        Targets; for task "binary" the classes 0 and 1, or -1 and 1; for task "ordinal" the numbers
        of ordered classes, 0, 1, 2 and so on, of which each must occur.
    X_val, y_val : optional
        Validation rows and their targets, evaluated after each epoch. X_val may be a path if X
        is one, or a stream.
    task : {"regression", "binary", "ordinal"}
        "ordinal" needs ``solver=Gibbs()``.
    loss : {"squared", "huber", "logistic", "hinge", "ordinal"} or Loss, optional
        A name, or an instance with parameters such as ``sparsefm.losses.Huber(delta=2.0)``.
        Default: "squared" for regression, "logistic" for binary, "ordinal" for ordinal.
    rank : int, optional
        Number of factors k >= 0 of each feature; 0 makes a linear model. Default: the rank of
        `init`, or 8 (`Gibbs` and `ALS`: 16).
    solver : Adam, AdaGrad, Gibbs or ALS, optional
        How to train, with its hyperparameters. Default: ``Adam()``. `Adam` and `AdaGrad` train
        with mini-batches; `Gibbs` samples and returns a `SampledModel`; `ALS` is for squared loss.
    epochs : int, optional
        Number of passes over the training rows; of `Gibbs` and `ALS`, sweeps over the features.
        Default: 10 (`Gibbs`: 60, `ALS`: 20).
    batch_size : int, optional
        Rows of a step; the last batch may be smaller. Default: a 64th of the rows, at least 16 and
        at most 1024 (`AdaGrad`: 256).
    shuffle : bool
        Shuffle the rows once, and the order of the batches in each epoch. If False, rows and
        batches stay in order.
    init : {"normal", "uniform"}, Model or (w0, w, V)
        Initial parameters. "normal" and "uniform" are distributions of V; then w = 0, and w0 is
        a constant with a low loss. V = 0 for features that occur in no row, so they never
        contribute; `Gibbs` draws them from their prior.
    init_scale : float, optional
        "normal": standard deviation of V's entries, default 0.05; `Gibbs` and `ALS` choose it by
        the number of features in a row. "uniform": the entries lie in
        [0, init_scale / sqrt(rank)), default 0.3.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights of the rows. A row of weight zero is left out. For `Gibbs` they are
        precisions: the variance of the noise of a row is divided by its weight, and predicted for
        a row of mean weight. With classes they are repetitions, and must be whole multiples of the
        smallest.
    variant : {"fm", "fwfm", "ffm"}
        "fm" is the factorization machine. "fwfm", the field-weighted one, multiplies the
        interaction of two features by a weight of their pair of fields, which is learned, too, and
        has no penalty; see `FieldWeightedModel`. "ffm", the field-aware one, has factors of each
        feature for each field, at a smaller `rank`; see `FieldAwareModel`. Both need `fields`, at
        most 128, and `Adam` or `AdaGrad`.
    pairs : sequence of pairs, optional
        Which fields interact, such as ``[(0, 1), (0, 2)]``; others do not. Instead of a field there
        may be a list: ``[([0, 1], [2, 3])]`` are the pairs across two groups. Default: all pairs.
        It needs `fields`, and `Adam` or `AdaGrad`, and makes a `FieldWeightedModel`, whose weights
        are 0 and 1 with variant "fm". Variant "ffm" has all pairs.
    fields : array-like of int, shape (d,), optional
        The field of each feature, such as the column of a table: 0, 1, 2 and so on. `Gibbs` has a
        prior for each field, and draws the features of a one-hot field at the same time. Default:
        the blocks of X if it is one-hot (every row has one feature of each block of consecutive
        columns); otherwise all features have one prior.
        Default for variants "fwfm" and "ffm", with `pairs` and with a penalty for each field, if X
        names libffm files: theirs.
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
    resume : str or path-like, optional
        A file of a `Checkpoint`: training goes on after its epoch, and ends with the same bits as
        one that was never interrupted. All arguments must be the same as before, except `epochs`,
        of which there may be more, `n_threads` and `verbose`. If there is no such file yet, but one
        of the callbacks is a `Checkpoint` that writes it, training begins.
    memory_budget : int, optional
        Bytes of memory that the process should take at most. Rows of files then stay in files:
        those of text are kept beside it, in a file with the suffix ``.sparsefm-rows``, which later
        calls read instead of the text; a shuffled copy is there while training lasts. The result is
        the same, to the bit, as in memory; with ``Adam(updates="exact")`` it is that with the same
        budget. It needs `Adam` or `AdaGrad`. Default: rows of text are read into memory.

    Returns
    -------
    Model
        A `SampledModel` if the solver is `Gibbs`, a `FieldWeightedModel` for variant "fwfm" or
        with `pairs`, a `FieldAwareModel` for variant "ffm".

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid, or another than that of the training to resume. The check comes
        before any training.
    FileFormatError
        If the file to resume is damaged, no checkpoint, or of another version of the package.
    FileNotFoundError
        If there is no file to resume, and no `Checkpoint` writes it.
    DivergenceError
        If the training diverges.
    """
    found_loss = find_loss(task, loss)
    real = check_dtype(dtype)
    shuffle, verbose = check_flag(shuffle, "shuffle"), check_flag(verbose, "verbose")
    threads, listeners = resolve_threads(n_threads), check_callbacks(callbacks)
    solver = check_solver(Adam() if solver is None else solver, found_loss, real)
    epochs = check_integer(solver.default_epochs if epochs is None else epochs, "epochs", 1)
    check_fixed_seed(resume, seed, "seed")
    seed = check_seed(seed)
    saved = Saved.read(resume, listeners, "train")
    start = Start.check(init, init_scale, rank, solver.default_rank, variant, pairs)
    budget = check_budget(memory_budget, solver)
    sources = read_sources(X, y, X_val, y_val, real, threads, in_memory=budget is None)
    by_field = isinstance(solver, Optimizer) and solver._is_by_field
    if fields is None and (start.variant != VARIANTS[0] or start.pairs is not None or by_field):
        fields = sources.fields
    weights = sources.weights_with(sample_weight)
    dataset = Dataset.training(sources.X, sources.y, weights, real, task=task, fields=fields)
    release(dataset.X)  # targets and weights were read from the same file
    n_features = dataset.X.n_features
    warn_of_offsets(offset_columns(dataset.X, dataset.weights), None, "")
    validation = dataset.validation(sources.X_val, sources.y_val, task=task)
    if start.model is not None and start.model.n_features != n_features:
        raise ValueError(f"init has {start.model.n_features} features, but X has {n_features}")
    check_width(n_features, start.rank, real.itemsize)
    if isinstance(solver, Sweeper):
        going_on: Sequence[SampledModel] = ()
        if isinstance(start.model, SampledModel) and solver._random:
            going_on = sampled_models([start.model], solver, n_features)
        check_sweeps(solver, epochs, batch_size, start, going_on=bool(going_on))
        run: Run = SamplingRun(
            dataset,
            validation,
            solver,
            found_loss,
            start,
            seed=seed,
            threads=threads,
            going_on=going_on,
        )
    else:
        check_start(start)
        chosen = Hyperparameters.of(start, solver, batch_size)
        if chosen.needs_fields:
            dataset, start = with_fields(dataset, start)
        if by_field:
            dataset = with_found_fields(dataset, "l2_factors, a number for each field,")
            number = int(dataset.fields.max()) + 1  # type: ignore[union-attr]
            chosen = replace(chosen, solver=solver._for_fields(number))
        run = _minibatches(
            dataset,
            found_loss,
            chosen,
            start,
            seed,
            threads,
            shuffle=shuffle,
            memory=Memory(
                budget,
                sources.folder,
                0 if validation is None else len(validation.rows),
                copies_of(listeners, saved),
            ),
        )

    def validate() -> tuple[float | None, Metrics]:
        if validation is None:
            return None, run.diagnostics
        losses, metrics = evaluate(
            run.scores(validation),
            found_loss,
            validation,
            lambda scores: metrics_of(
                found_loss, validation.y, found_loss.of_outputs(scores)[0], None
            ),
        )
        run.check_validation(losses, validation)
        return losses[0], metrics | run.diagnostics

    listeners = [*listeners, *guards_of(listeners, dataset, validation)]
    settings: dict[str, Any] = {"task": task}
    if budget is not None and getattr(solver, "updates", None) == "exact":
        settings["memory_budget"] = budget  # the last bits depend on it
    resumption = Resumption(saved, "train", settings)
    run.run(
        epochs,
        validate,
        listeners,
        announcer(verbose),
        validation=validation,
        resumption=resumption,
    )
    return run.model  # type: ignore[no-any-return]


def _minibatches(
    dataset: Dataset,
    loss: Loss,
    chosen: Hyperparameters,
    start: Start,
    seed: int,
    threads: int,
    *,
    shuffle: bool,
    memory: Memory,
) -> TrainingRun:
    """Return a training with mini-batches."""
    if start.model is None:
        learner = Learner.begin(chosen, loss, dataset, seed)
    else:
        learner = Learner.of_models([start.model], chosen, loss, dataset.dtype, seed)
    run = TrainingRun(
        learner,
        dataset,
        new_planner(seed, threads, shuffle=shuffle, room=memory.room(learner, dataset)),
        threads=threads,
        shuffle=shuffle,
        random_start=start.model is None,
        model=lambda: _copy_of(learner, run),
    )
    return run


def _copy_of(learner: Learner, run: TrainingRun) -> Model:
    """Return a model that owns a copy of the parameters, with the history so far."""
    model: Model = learner.models()[0]
    return replace(model, history=tuple(run.history))
