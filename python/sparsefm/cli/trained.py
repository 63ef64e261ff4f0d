"""What ``sparsefm train`` does: text by `train`, tables by the estimators."""

from dataclasses import dataclass
from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import progress_bars
from sparsefm.files import SparseData

STARTS = ("normal", "uniform")


@dataclass(frozen=True)
class Job:
    """What is to be trained.

    Attributes
    ----------
    paths : tuple of str
    format : str or None
        None: text.
    options : dict
        The values of all flags.
    settings : dict
        Arguments of `train`, or of the estimator.
    """

    paths: tuple[str, ...]
    format: str | None
    options: dict[str, Any]
    settings: dict[str, Any]

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
    rows, valid = _read(job, model.n_features if isinstance(model, fm.Model) else None)
    callbacks = job.callbacks()
    stopping = {
        name: options[name] for name in ("patience", "min_delta") if options[name] is not None
    }
    if stopping:
        if valid is None:
            raise click.UsageError("--patience and --min-delta need --valid")
        callbacks.insert(0, fm.EarlyStopping(**stopping))
    if "fields" not in settings and (settings.get("variant", "fm") != "fm" or "pairs" in settings):
        settings["fields"] = rows.fields
    return fm.train(
        rows.X,
        rows.y,
        *((valid.X, valid.y) if valid is not None else ()),
        callbacks=callbacks,
        resume=job.resume,
        **settings,
    )


def _read(job: Job, n_features: int | None) -> tuple[SparseData, SparseData | None]:
    """Return training and validation rows of the same features."""
    options = job.options

    def read(paths: tuple[str, ...], zero_based: bool | None) -> SparseData:
        return data.read_text(
            paths,
            options["format"],
            zero_based="auto" if zero_based is None else zero_based,
            n_features=n_features,
            dtype=job.settings.get("dtype", "float32"),
            max_bad_lines=options["max_bad_lines"],
            n_threads=job.settings.get("n_threads"),
        )

    base = options["zero_based"]
    rows = read(job.paths, base)
    if not options["valid"]:
        return rows, None
    valid = read(options["valid"], True if rows.zero_based else base)
    if valid.zero_based and not rows.zero_based:  # a 0 in either tells for both
        if data.STANDARD in job.paths:
            raise click.UsageError("indices of --valid begin with 0: say --zero-based for both")
        rows = read(job.paths, True)
    width = max(rows.X.shape[1], valid.X.shape[1])
    for part in (rows, valid):
        part.X.resize(part.X.shape[0], width)
    if rows.fields is not None and len(rows.fields) < width:
        fields = np.zeros(width, np.int32)
        fields[: len(rows.fields)] = rows.fields
        object.__setattr__(rows, "fields", fields)
    return rows, valid


def train_on_table(job: Job) -> Any:
    """Train an estimator on a table."""
    options = job.options
    X, y, weights = _columns(job, job.paths)
    kind = fm.FMRegressor if options["task"] == "regression" else fm.FMClassifier
    classes = y.dropna().unique()
    if options["task"] == "binary" and len(classes) != 2:
        raise ValueError(
            f"column {options['target']!r} has {len(classes)} classes, not two: --task "
            "classification is for any number of them"
        )
    settings = {**job.settings, "callbacks": job.callbacks()}
    if isinstance(settings.get("class_weight"), dict):  # whose names are text in JSON
        given = settings["class_weight"]
        settings["class_weight"] = {one: given[str(one)] for one in classes if str(one) in given}
    init = options["init"]
    if init is None or init in STARTS:
        estimator = kind(**settings, **({} if init is None else {"init": init}))
    else:
        estimator = _loaded(init, kind).set_params(warm_start=True, **settings)
    eval_set = None
    if options["valid"]:
        *rows, their_weights = _columns(job, options["valid"])
        eval_set = (*rows, *([] if their_weights is None else [their_weights]))
    estimator.fit(X, y, weights, eval_set, resume=job.resume)
    return estimator.set_params(warm_start=False)


def _columns(job: Job, paths: tuple[str, ...]) -> tuple[Any, Any, Any]:
    """Return the columns to predict from, the targets and the weights of a table."""
    assert job.format is not None
    options, frame = job.options, data.read_table(paths, job.format)
    target = data.column_of(frame, options["target"], paths[0])
    weight = options["weight"]
    weights = None if weight is None else data.column_of(frame, weight, paths[0])
    for name in options["ignore"]:
        data.column_of(frame, name, paths[0])
    out = {options["target"], *options["ignore"], *([] if weight is None else [weight])}
    return frame[[name for name in frame.columns if name not in out]], target, weights


def _loaded(path: str, kind: Any) -> Any:
    model = fm.load(path)
    if not isinstance(model, kind):
        raise ValueError(
            f"--init: {path} holds a {type(model).__name__}, but a {kind.__name__} goes on from one"
        )
    return model
