"""The plot of a search: how its candidates fared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefm.data.validation import is_mapping
from sparsefm.inspection.mixin import InsightMixin
from sparsefm.plots.figures import BLUE, RED, _axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def race(estimator_or_search: Any, ax: Axes | None = None) -> Axes:
    """Draw the validation loss of each candidate of a search after each epoch.

    Samplers are blue, optimizers red, and linear candidates dashed; the chosen one is thick. Only
    candidates for the model are drawn, not those for the encoding of numbers. Losses above twice
    the range of the final ones are cut off.

    Parameters
    ----------
    estimator_or_search : fitted estimator or dict
        A dict has equally long columns like an estimator's ``search_``.
    ax : Axes, optional
        Default: those of a new figure.

    Returns
    -------
    Axes
    """
    is_estimator = isinstance(estimator_or_search, InsightMixin)
    search = getattr(estimator_or_search, "search_", {} if is_estimator else estimator_or_search)
    if not is_mapping(search):
        raise TypeError(
            "estimator_or_search must be a fitted estimator, or a dict such as its search_, got "
            f"{estimator_or_search!r:.80}"
        )
    if not any(search.get("losses", ())):
        raise ValueError(
            "estimator_or_search had no search: settings were given, or there were few rows"
        )
    axes = _axes(ax, 6.4, 4.0)
    finals = []
    labels: set[str] = set()
    for place, stage in enumerate(search["stage"]):
        losses = np.asarray(search["losses"][place], float)
        if stage != "model" or not np.isfinite(losses).any():
            continue
        sampler, linear = search["solver"][place].startswith("Gibbs"), search["rank"][place] == 0
        color, kind = (BLUE, "sampler") if sampler else (RED, "optimizer")
        label = f"{kind}, linear" if linear else kind
        chosen = search["outcome"][place] == "chosen"
        axes.plot(
            np.arange(1, len(losses) + 1),
            losses,
            color=color,
            alpha=1.0 if chosen else 0.5,
            linewidth=2.5 if chosen else 1.0,
            linestyle="--" if linear else "-",
            label=None if label in labels else label,
        )
        labels.add(label)
        finals.append(float(search["loss"][place]))
    least, greatest = min(finals), max(filter(np.isfinite, finals))
    axes.set_ylim(least - 0.05 * (greatest - least) - 1e-12, greatest + (greatest - least) + 1e-12)
    axes.set_xlabel("epoch or sweep")
    axes.set_ylabel("validation loss of a row")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return axes
