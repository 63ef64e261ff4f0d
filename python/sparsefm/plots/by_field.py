"""Plots of what the columns of a table do: to the score of one row, and to those of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import check_integer
from sparsefm.inspection.mixin import InsightMixin
from sparsefm.plots.figures import BLUE, GREY, RED, _axes, _check_estimator
from sparsefm.plots.label_placement import shorten
from sparsefm.plots.labels import shorten_pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 40  # characters of a name


def waterfall(
    estimator: InsightMixin,
    X: Any,
    row: int = 0,
    ax: Axes | None = None,
    *,
    background: Any = None,
    target: Any = None,
    top: int = 10,
) -> Axes:
    """Draw how the columns of a row lead from the score of the average row to that of the row.

    Parameters
    ----------
    estimator : fitted estimator
    X : table or matrix
        Rows, as for ``predict``.
    row : int
        The one of them to explain, from 0.
    ax : Axes, optional
        Default: those of a new figure.
    background : table or matrix, optional
        Rows to take the average of. Default: a sample of the training rows.
    target : label, optional
        The class whose score is meant; needed with more than two classes, and only then.
    top : int
        Number of columns, those that contribute most; the others are put together.

    Returns
    -------
    Axes
        They show the ``contributions`` of ``explain_fields``: a column has half of each pair. The
        score of a classifier fitted with `Gibbs` is the mean of the samples' probit scores, not
        its ``decision_function``.
    """
    _check_estimator(estimator)
    check_integer(top, "top", 1)
    parts = estimator._explain_fields(X, background, target, row)
    labels = np.array(
        [
            shorten_pair(name, label.removeprefix(name), WIDTH)
            for name, label in zip(parts.names, parts.labels(), strict=True)
        ],
        object,
    )
    contributions, score = parts.contributions[0], float(parts.scores[0])
    order = np.argsort(-np.abs(contributions), kind="stable")
    shown = order[:top] if len(order) > top + 1 else order
    names, steps = labels[shown].tolist(), contributions[shown]
    rest = len(order) - len(shown)
    if rest:
        names.append(f"{rest:,} other columns")
        steps = np.append(steps, contributions[order[len(shown) :]].sum())
    ends = parts.average + np.cumsum(steps)
    begins = ends - steps

    axes = _axes(ax, 7.5, 1.5 + 0.3 * (len(steps) + 2))
    place = np.arange(1, len(steps) + 1)
    axes.barh(place, steps, 0.65, begins, color=np.where(steps >= 0, RED, BLUE))
    for y, x in zip(range(len(steps) + 1), [parts.average, *ends.tolist()], strict=True):
        axes.plot([x, x], [y - 0.32, y + 1.32], color=GREY, linewidth=0.8, zorder=0)
    axes.plot([parts.average, score], [0, len(steps) + 1], "D", color="black", markersize=5)
    beside = np.concatenate([[parts.average], np.maximum(begins, ends), [score]])
    decimals = _decimals(steps)
    texts = [f"{step:+,.{decimals}f}" for step in steps]
    texts = [f"{parts.average:,.{decimals}f}", *texts, f"{score:,.{decimals}f}"]
    for y, (x, text) in enumerate(zip(beside.tolist(), texts, strict=True)):
        axes.annotate(
            text, (x, y), (7, 0), textcoords="offset points", va="center", fontsize="small"
        )
    names = ["average row", *names, f"score of row {row}"]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(steps) + 1.6, -0.6)
    least, greatest = min(ends.min(), parts.average), max(ends.max(), parts.average)
    span = (greatest - least) or 1.0
    axes.set_xlim(least - 0.04 * span, greatest + 0.16 * span)  # room for the numbers
    axes.set_xlabel("score")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return axes


def field_importances(
    estimator: InsightMixin,
    top: int = 20,
    X: Any = None,
    ax: Axes | None = None,
    *,
    target: Any = None,
) -> Axes:
    """Draw how much each column changes the scores: the mean of its absolute contributions.

    Parameters
    ----------
    estimator : fitted estimator
    top : int
        Number of columns.
    X : table or matrix, optional
        Rows to use. Default: a sample of the training rows.
    ax : Axes, optional
        Default: those of a new figure.
    target : label, optional
        The class whose score is meant; needed with more than two classes, and only then.

    Returns
    -------
    Axes
        They show the largest ``field_importances``.
    """
    _check_estimator(estimator)
    check_integer(top, "top", 1)
    importances = estimator.field_importances(X, target)
    names = [shorten(str(name), WIDTH) for name in estimator.encoder_.field_names_]
    order = np.argsort(-importances, kind="stable")[:top]
    axes = _axes(ax, 7.0, 1.0 + 0.27 * max(len(order), 3))
    axes.barh(np.arange(len(order)), importances[order], 0.7, color=BLUE)
    shown = [names[field] for field in order]
    axes.set_yticks(range(len(order)), shown, parse_math=False)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("mean absolute contribution to the score")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _decimals(steps: npt.NDArray[np.float64]) -> int:
    """Return how many decimals show the largest of some numbers with three digits."""
    largest = float(np.abs(steps).max())
    return int(np.clip(2 - np.floor(np.log10(largest)), 0, 12)) if largest > 0 else 2
