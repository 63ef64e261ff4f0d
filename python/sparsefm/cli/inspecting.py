"""``sparsefm inspect``: what is in a file."""

import os
from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import as_json, common, plain, show, show_table
from sparsefm.cli.describing import summary
from sparsefm.estimators.sources import has_names
from sparsefm.io.file import read_file


@click.command("inspect")
@click.argument("model", type=click.Path())
@click.option("--data", "paths", multiple=True, help="Rows to rank interactions on.")
@click.option("--top", type=click.IntRange(1), default=10, show_default=True)
@click.option("--class", "target", help="The class meant, where there are more than two.")
@data.data_options
@as_json
@common
def inspect_(
    model: str,
    paths: tuple[str, ...],
    top: int,
    target: str | None,
    format: str,
    names: str,
    zero_based: bool | None,
    in_json: bool,
) -> None:
    """Show what is in the file of a model.

    The kind, the sizes, the settings and the end of its training, the features with the largest
    weights, and with --data (or after `train --keep-training-rows`) the strongest interactions.

    \b
    sparsefm inspect model.safetensors
    sparsefm inspect model.safetensors --data rows.svm --top 20
    """
    loaded = fm.load(model)
    about = _about(model, loaded)
    given = data.Data(paths, format, names, zero_based)
    X = data.rows_for_model(given, loaded)[0] if paths else None
    label = label_of(loaded, target)
    settings, weights = _settings(loaded), _weights(loaded, top, label)
    interactions = _interactions(loaded, X, top, label)
    if in_json:
        tables = {"settings": settings, "weights": weights, "interactions": interactions}
        show({**about, **tables}, in_json=True)
        return
    show(about, in_json=False)
    if settings:
        click.echo("\nsettings")
        show({name: plain(value) for name, value in settings.items()}, in_json=False)
    for title, columns in (("largest weights", weights), ("interactions", interactions)):
        if columns is not None and len(next(iter(columns.values()))):
            click.echo(f"\n{title}, the strongest first")
            show_table(columns)
    if interactions is None:
        click.echo("\n--data ranks the interactions on rows")


def label_of(model: Any, target: str | None) -> Any:
    """Return the class that an argument names."""
    if target is None:
        return None
    classes = getattr(model, "classes_", np.array([]))
    for label in classes.tolist():
        if str(label) == target:
            return label
    known = ", ".join(map(str, classes)) or "none"
    raise click.UsageError(f"--class: there is no class {target!r}; there are {known:.200}")


def feature_names(model: fm.Model) -> Any:
    """Return names of the columns of a model, which knows none: their numbers from 0."""
    return np.arange(model.n_features).astype(str).astype(object)


def _about(path: str, model: Any) -> dict[str, Any]:
    header, arrays = read_file(path)
    fields = getattr(model, "field_names_", None) or getattr(model, "n_fields", None)
    if has_names(model):
        fields = ", ".join(map(str, model.feature_names_in_))
    classes = getattr(model, "classes_", None)
    return {
        "file": path,
        "format": f"safetensors, sparsefm format {header['format_version']}",
        "written_by": f"sparsefm {header['sparsefm']}",
        "bytes": os.path.getsize(path),
        "parameters": sum(int(array.size) for array in arrays.values()),
        "checkpoint": True if "training" in header else None,
        **summary(model),
        "classes": None if classes is None else ", ".join(map(str, classes[:20])),
        "columns" if has_names(model) else "fields": fields,
    }


def _settings(model: Any) -> dict[str, Any]:
    """Return the settings that were chosen or given; a model by itself keeps none."""
    found = vars(model).get("best_params_", {})
    return {name: value for name, value in found.items() if value is not None}


def _weights(model: Any, top: int, label: Any) -> dict[str, Any] | None:
    if isinstance(model, fm.Model):
        w, names = np.asarray(model.w, np.float64), feature_names(model)
    elif label is None and model._n_scores > 1:
        return None
    else:
        w, names = model._formula(label).w, model._names()
    order = np.argsort(-np.abs(w), kind="stable")[:top]
    return {"feature": names[order], "weight": np.asarray(w[order], np.float64)}


def _interactions(model: Any, X: Any, top: int, label: Any) -> dict[str, Any] | None:
    if isinstance(model, fm.Model):
        if X is None:
            return None
        from sparsefm.inspection.interactions import strongest_interactions

        pairs, names = strongest_interactions(model, X, top), feature_names(model)
        columns = dict(
            zip(("first", "second", "weight", "share", "strength"), pairs.arrays(), strict=True)
        )
        return {**columns, "first": names[pairs.first], "second": names[pairs.second]}
    if (X is None and model._sample is None) or (label is None and model._n_scores > 1):
        return None
    found: dict[str, Any] = model.interactions(top, X, label)
    return found
