"""Plots of fitted estimators (needs matplotlib)."""

from sparsefm.plots.figures import (
    convergence,
    factors,
    field_heatmap,
    learning_curves,
    top_interactions,
)

__all__ = ["convergence", "factors", "field_heatmap", "learning_curves", "top_interactions"]
