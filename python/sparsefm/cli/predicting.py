"""``sparsefm predict``: a prediction for each row."""

from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import as_json, common, show


@click.command("predict")
@click.argument("model", type=click.Path())
@click.argument("paths", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", default="-", type=click.Path(), help="Default: standard output.")
@click.option("--probabilities", is_flag=True, help="Of each class, instead of the class.")
@data.data_options
@data.threads_option
@as_json
@common
def predict_(
    model: str,
    paths: tuple[str, ...],
    output: str,
    probabilities: bool,
    format: str,
    zero_based: bool | None,
    threads: int | None,
    in_json: bool,
) -> None:
    """Predict each row of DATA with the model of a file.

    One prediction a line; -o predictions.csv or .parquet writes a table. Models of text predict
    the target, the probability of class 1, or the score with hinge loss. Models of tables predict
    the target or the class. The targets in DATA, if there are any, are ignored; text needs one on
    each line.

    \b
    sparsefm predict model.safetensors new.svm > predictions.txt
    cat new.svm | sparsefm predict model.safetensors - | head
    sparsefm predict late.safetensors new.csv --probabilities -o predictions.parquet
    """
    loaded = fm.load(model)
    X = data_of(loaded, paths, format, zero_based, threads)[0]
    columns = _predictions(loaded, X, probabilities, threads)
    if in_json:
        show(columns, in_json=True)
    else:
        data.write_columns(columns, output)


def data_of(
    model: Any,
    paths: tuple[str, ...],
    format: str,
    zero_based: bool | None,
    threads: int | None,
) -> tuple[Any, Any]:
    """Return the rows as the model takes them, and the targets of text or the whole table."""
    in_tables = data.is_of_tables(model)
    found = data.table_format(paths, format, "csv" if in_tables else None)
    if (found is not None) != in_tables:
        what = "a table" if in_tables else "sparse text"
        raise click.UsageError(f"the model was trained on {what}: DATA must be {what}, too")
    if found is None:
        rows = data.read_for_model(paths, format, model, zero_based, threads)
        return rows.X, rows.y
    frame = data.read_table(paths, found)
    return data.columns_for_model(frame, model, paths[0]), frame


def _predictions(model: Any, X: Any, probabilities: bool, threads: int | None) -> dict[str, Any]:
    """Return the columns of predictions."""
    if isinstance(model, fm.Model):
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
    model.set_params(n_threads=threads)
    if not probabilities:
        return {"prediction": model.predict(X)}
    if not hasattr(model, "predict_proba"):
        raise click.UsageError("--probabilities: this model has none")
    found = model.predict_proba(X)
    return {str(name): found[:, c] for c, name in enumerate(model.classes_)}
