"""``sparsefm predict``: a prediction for each row."""

from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import as_json, common, show
from sparsefm.cli.options import Value
from sparsefm.cli.writing import check_suffix, write_columns
from sparsefm.data.validation import check_real


@click.command("predict")
@click.argument("model", type=click.Path())
@click.argument("paths", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", default="-", type=click.Path(), help="Default: standard output.")
@click.option("--probabilities", is_flag=True, help="Of each class, instead of the class.")
@click.option("--std", is_flag=True, help="Also the standard deviation; of `gibbs`.")
@click.option("--quantiles", type=Value(listed=True), help="Also these, 0.05,0.95; of `gibbs`.")
@data.data_options
@data.threads_option
@as_json
@common
def predict_(
    model: str,
    paths: tuple[str, ...],
    output: str,
    probabilities: bool,
    std: bool,
    quantiles: list[Any] | None,
    format: str,
    names: str,
    zero_based: bool | None,
    threads: int | None,
    in_json: bool,
) -> None:
    """Predict each row of DATA with the model of a file.

    One prediction a line; -o predictions.csv, .parquet or .arrow writes a table. Models of text
    predict the target, the probability of class 1, or the score with hinge loss. Estimators predict
    the target or the class. The targets in DATA, if there are any, are ignored; text needs one on
    each line. Large files need little memory: rows are predicted some at a time.

    \b
    sparsefm predict model.safetensors new.svm > predictions.txt
    cat new.svm | sparsefm predict model.safetensors - | head
    sparsefm predict late.safetensors new.csv --probabilities -o predictions.parquet
    sparsefm predict sampled.safetensors new.svm --std --quantiles 0.05,0.95
    """
    data.check_output(output, (model, *paths))
    check_suffix(output)
    loaded = fm.load(model)
    if not isinstance(loaded, fm.Model):
        loaded.set_params(n_threads=threads)
    given = data.Data(paths, format, names, zero_based, threads)
    data.check_kind(given, loaded)
    if probabilities and (std or quantiles):
        raise click.UsageError("--probabilities are of classes, --std and --quantiles of numbers")
    wanted = [check_real(value, "--quantiles", above=0) for value in quantiles or []]

    def predicted(X: Any) -> dict[str, Any]:
        kinds: dict[str, Any] = {"probabilities": probabilities, "std": std, "quantiles": wanted}
        return _predictions(loaded, X, threads, **kinds)

    parts = data.of_chunks(given, loaded, predicted)
    if in_json:
        whole: dict[str, list[Any]] = {}
        for part in parts:
            for name, column in part.items():
                whole.setdefault(name, []).extend(np.asarray(column).tolist())
        show(whole, in_json=True)
    else:
        write_columns(parts, output)


def _predictions(
    model: Any,
    X: Any,
    threads: int | None,
    *,
    probabilities: bool,
    std: bool,
    quantiles: list[float],
) -> dict[str, Any]:
    """Return the columns of predictions."""
    of_threads = {"n_threads": threads} if isinstance(model, fm.Model) else {}
    if std or quantiles:
        return _spread(model, X, of_threads, std=std, quantiles=quantiles)
    if not isinstance(model, fm.Model):
        if not probabilities:
            return {"prediction": model.predict(X)}
        if not hasattr(model, "predict_proba"):
            raise click.UsageError("--probabilities: this model has none")
        found = model.predict_proba(X)
        return {str(name): found[:, c] for c, name in enumerate(model.classes_)}
    found = np.asarray(model.predict(X, n_threads=threads))
    if found.ndim == 2:  # ordered classes: a probability of each
        if not probabilities:
            return {"prediction": np.argmax(found, axis=1)}
        return {str(c): found[:, c] for c in range(found.shape[1])}
    if not probabilities:
        return {"prediction": found}
    if model.loss != "logistic":
        raise click.UsageError(f"--probabilities: there are none with loss {model.loss!r}")
    return {"0": 1 - found, "1": found}


def _spread(
    model: Any, X: Any, of_threads: dict[str, Any], *, std: bool, quantiles: list[float]
) -> dict[str, Any]:
    """Return predictions with their standard deviation, and quantiles."""
    part = model if isinstance(model, fm.Model) else model._models[0]
    if not isinstance(part, fm.SampledModel) or part.task != "regression":
        raise click.UsageError("--std and --quantiles are for regression with --solver gibbs")
    if std:
        mean, deviation = model.predict(X, return_std=True, **of_threads)
        columns = {"prediction": mean, "std": deviation}
    else:
        columns = {"prediction": model.predict(X, **of_threads)}
    if quantiles:
        found = model.predict_quantiles(X, quantiles, **of_threads)
        columns |= {f"q{q:g}": found[:, place] for place, q in enumerate(quantiles)}
    return columns
