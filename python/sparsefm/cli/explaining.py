"""``sparsefm explain``: what a prediction is made of."""

from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import as_json, common, show
from sparsefm.cli.inspecting import feature_names, label_of
from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.inspection.explanation import Explanation, explain_rows
from sparsefm.inspection.formula import Formula


@click.command("explain")
@click.argument("model", type=click.Path())
@click.argument("paths", nargs=-1, required=True, metavar="DATA...")
@click.option("--row", type=click.IntRange(0), default=0, show_default=True, help="From 0.")
@click.option("--top", type=click.IntRange(1), default=10, show_default=True)
@click.option("--class", "target", help="The class meant, where there are more than two.")
@data.data_options
@as_json
@common
def explain_(
    model: str,
    paths: tuple[str, ...],
    row: int,
    top: int,
    target: str | None,
    format: str,
    names: str,
    zero_based: bool | None,
    in_json: bool,
) -> None:
    """Split the score of a row of DATA into contributions of features and pairs.

    \b
    sparsefm explain model.safetensors new.svm --row 3
    """
    loaded = fm.load(model)
    X = data.rows_for_model(data.Data(paths, format, names, zero_based), loaded)[0]
    if row >= X.shape[0]:
        raise ValueError(f"--row {row}: DATA has {X.shape[0]} rows, counted from 0")
    one = X.slice(row, 1) if hasattr(X, "slice") else X[[row]]
    explanation = _explained(loaded, one, label_of(loaded, target))
    if in_json:
        show({"row": row, "score": explanation.scores[0], **explanation.to_dict()}, in_json=True)
    else:
        click.echo(explanation.describe(0, top).replace("row 0", f"row {row}"))


def _explained(model: Any, X: Any, label: Any) -> Explanation:
    if not isinstance(model, fm.Model):
        found: Explanation = model.explain(X, label)
        return found
    if model.task == "ordinal":
        raise ValueError("scores of ordered classes are not a sum of contributions")
    interaction = model._interaction()
    rows = as_scipy(as_csr(X, np.dtype(np.float64), n_features=model.n_features))
    w = np.asarray(model.w, np.float64)
    formula = Formula(model.w0, w, interaction.vectors(model.V), interaction)
    return explain_rows(formula, rows, feature_names(model))
