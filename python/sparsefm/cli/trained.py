"""What ``sparsefm train`` does: text by `train`, tables by the estimators."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import progress_bars
from sparsefm.estimators.eval_sets import UNNAMED
from sparsefm.estimators.labels import as_labels as labels_of
from sparsefm.estimators.sources import (
    as_targets,
    base_of,
    check_one_kind,
    has_names,
    joint_fields,
    known_fields,
    tables_to_fit,
)
from sparsefm.files import SparseData
from sparsefm.files.reading import check_fields, occurring_fields

STARTS = ("normal", "uniform")


@dataclass(frozen=True)
class Job:
    """What is to be trained.

    Attributes
    ----------
    paths : tuple of str
    options : dict
        The values of all flags.
    settings : dict
        Arguments of `train`, or of the estimator.
    """

    paths: tuple[str, ...]
    options: dict[str, Any]
    settings: dict[str, Any]

    def data(self, paths: tuple[str, ...], zero_based: bool | None = None) -> data.Data:
        """Return files as they are to be read."""
        options, threads = self.options, self.settings.get("n_threads")
        return data.Data(paths, options["format"], options["names"], zero_based, threads)

    def callbacks(self) -> list[Any]:
        """Return the callbacks; a checkpoint comes last."""
        path = self.options["checkpoint"]
        return [*progress_bars(), *([fm.Checkpoint(path)] if path else [])]

    @property
    def resume(self) -> str | None:
        """The checkpoint to go on from."""
        return self.options["checkpoint"] if self.options["resume"] else None


def train_on_text(job: Job) -> Any:
    """Train a model on sparse text, with `train`."""
    options, init = job.options, job.options["init"]
    settings = dict(job.settings)
    if init is not None:
        settings["init"] = init if init in STARTS else _loaded(init, fm.Model)
    model = settings.get("init")
    callbacks = job.callbacks()
    stopping = {
        name: options[name] for name in ("patience", "min_delta") if options[name] is not None
    }
    if stopping:
        if not options["valid"]:
            raise click.UsageError("--patience and --min-delta need --valid")
        callbacks.insert(0, fm.EarlyStopping(**stopping))
    settings |= {"callbacks": callbacks, "resume": job.resume}
    if settings.get("memory_budget") is not None or data.are_rows(job.paths):
        return _train_on_files(job, settings)
    if isinstance(model, fm.Model):
        rows, valid = _read(job, n_features=model.n_features)
        check_fields(rows, known_fields(model))
        if options["zero_based"] is None:
            _warn_of_guess(rows, valid, model.n_features)
    else:
        rows, valid = _read(job)
    if valid is not None and valid.weights is not None:
        raise ValueError("--valid has weights, but validation rows have none: leave them out")
    if "fields" not in settings and (settings.get("variant", "fm") != "fm" or "pairs" in settings):
        settings["fields"] = rows.fields
    return fm.train(
        rows.X,
        rows.y,
        *((valid.X, valid.y) if valid is not None else ()),
        **settings,
    )


def _train_on_files(job: Job, settings: dict[str, Any]) -> Any:
    """Train on rows that stay in files, which `train` reads as they are."""
    options = job.options
    if data.STANDARD in (*job.paths, *options["valid"]):
        raise click.UsageError(
            "standard input cannot go with --memory-budget or a file of rows: run `sparsefm "
            "convert` with it, and train on the result"
        )

    begins, init, width = options["zero_based"], settings.get("init"), None
    if begins is not None and isinstance(init, fm.Model):
        width = init.n_features

    def text(paths: tuple[str, ...]) -> fm.SparseText:
        return fm.SparseText(
            list(paths),
            options["format"],
            zero_based="auto" if begins is None else begins,
            n_features=width,
            max_bad_lines=options["max_bad_lines"],
        )

    valid = text(options["valid"]) if options["valid"] else None
    return fm.train(text(job.paths), X_val=valid, **settings)


def _read(
    job: Job, *, base: bool | None = None, n_features: int | None = None, at_least: int = 0
) -> tuple[SparseData, SparseData | None]:
    """Return training and validation rows of the same features.

    Parameters
    ----------
    job : Job
    base : bool, optional
        Whether indices begin with 0, if a model to go on from knows and no option says it.
    n_features : int, optional
    at_least : int
        The number of features of an estimator to go on from; new ones may join.
    """
    options = job.options

    def read(paths: tuple[str, ...], zero_based: bool | None) -> SparseData:
        return data.read_text(
            job.data(paths, zero_based),
            n_features=n_features,
            dtype=job.settings.get("dtype", "float32"),
            max_bad_lines=options["max_bad_lines"],
        )

    base = base if options["zero_based"] is None else options["zero_based"]
    rows = read(job.paths, base)
    if not options["valid"]:
        _widen([rows], at_least)
        return rows, None
    valid = read(options["valid"], True if rows.zero_based else base)
    if valid.zero_based and not rows.zero_based:  # a 0 in either tells for both
        if data.STANDARD in job.paths:
            raise click.UsageError("indices of --valid begin with 0: say --zero-based for both")
        rows = read(job.paths, True)
    _widen([rows, valid], at_least)
    check_one_kind([rows, valid], "DATA and --valid")
    check_fields(valid, occurring_fields(rows))
    return rows, valid


def _widen(parts: list[SparseData], at_least: int) -> None:
    """Give rows the same number of features; those that do not occur are in field 0."""
    width = max(at_least, *(part.X.shape[1] for part in parts))
    for part in parts:
        part.X.resize(part.X.shape[0], width)
        if part.fields is not None and len(part.fields) < width:
            fields = np.zeros(width, np.int32)
            fields[: len(part.fields)] = part.fields
            object.__setattr__(part, "fields", fields)


def _warn_of_guess(rows: SparseData, valid: SparseData | None, n_features: int) -> None:
    """Warn if indices may be off by one from those of a model that does not know its own."""
    parts = [part.X.indices for part in (rows, valid) if part is not None and part.X.nnz]
    if parts:
        data.warn_of_guess(rows.zero_based, max(int(one.max()) for one in parts) + 1, n_features)


def train_classes_of_text(job: Job) -> Any:
    """Train a classifier on sparse text, whose labels are the numbers of classes."""
    init = job.options["init"]
    known = None if init in (None, *STARTS) else _loaded(init, fm.FMClassifier)
    if known is None:
        rows, valid = _read(job)
    elif has_names(known):
        raise ValueError(f"--init: {init} was trained on a table, which text cannot go on from")
    else:
        base, width = vars(known).get("_zero_based"), known.n_features_in_
        rows, valid = _read(job, base=base, at_least=width)
        if base is None and job.options["zero_based"] is None:
            _warn_of_guess(rows, valid, width)
    y = as_targets(rows)
    eval_set = None if valid is None else (valid.X, as_targets(valid), valid.weights)
    fields = joint_fields(known, [rows] if valid is None else [rows, valid])
    estimator = _estimator(job, fm.FMClassifier, y, known)
    if fields is not None:
        estimator._fields_in_file = fields
    estimator.fit(rows.X, y, rows.weights, eval_set=eval_set, resume=job.resume)
    if base_of(rows) is not None:
        estimator._zero_based = rows.zero_based
    return estimator.set_params(warm_start=False)


def train_on_table(job: Job) -> Any:
    """Train an estimator on a table."""
    options, sets = job.options, {}
    kind = fm.FMRegressor if options["task"] == "regression" else fm.FMClassifier
    target, weight = options["target"], options["weight"]
    known = None if options["init"] in (None, *STARTS) else _loaded(options["init"], kind)
    with ExitStack() as stack:
        files = stack.enter_context(data.tables(job.data(job.paths)))
        if options["valid"]:
            valid = stack.enter_context(data.tables(job.data(options["valid"])))
            sets[UNNAMED] = valid, target, weight
        go_on, ignore = known is not None, options["ignore"]
        found = tables_to_fit(known, files, target, weight, sets, go_on=go_on, ignore=ignore)
    estimator = _estimator(job, kind, found.y, known)
    estimator.fit(*found[:4], resume=job.resume)
    return estimator.set_params(warm_start=False)


def _estimator(job: Job, kind: Any, y: Any, known: Any = None) -> Any:
    """Return the estimator to fit: a new one, or the one to go on from."""
    options, init = job.options, job.options["init"]
    settings = {**job.settings, "callbacks": job.callbacks()}
    classes = [] if kind is fm.FMRegressor else set(labels_of(y, options["target"] or "y").tolist())
    if options["task"] == "binary" and len(classes) != 2:
        raise ValueError(
            f"column {options['target']!r} has {len(classes)} classes, not two: --task "
            "classification is for any number of them"
        )
    if isinstance(settings.get("class_weight"), dict):  # whose names are text in JSON
        given = settings["class_weight"]
        settings["class_weight"] = {one: given[str(one)] for one in classes if str(one) in given}
    if init is None or init in STARTS:
        return kind(**settings, **({} if init is None else {"init": init}))
    known = _loaded(init, kind) if known is None else known
    return known.set_params(warm_start=True, **settings)


def _loaded(path: str, kind: Any) -> Any:
    model = fm.load(path)
    if not isinstance(model, kind):
        raise ValueError(
            f"--init: {path} holds a {type(model).__name__}, but a {kind.__name__} goes on from one"
        )
    return model
