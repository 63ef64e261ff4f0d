"""Plots of fitted estimators (needs matplotlib)."""

from sparsefm.plots.by_field import field_importances, waterfall
from sparsefm.plots.figures import (
    convergence,
    factors,
    field_heatmap,
    learning_curves,
    top_interactions,
)
from sparsefm.plots.race import race

__all__ = [
    "convergence",
    "factors",
    "field_heatmap",
    "field_importances",
    "learning_curves",
    "race",
    "top_interactions",
    "waterfall",
]
