"""Plots of fitted estimators (needs matplotlib)."""

from sparsefm.plots.figures import (
    convergence,
    factors,
    field_heatmap,
    learning_curves,
    top_interactions,
)
from sparsefm.plots.race import race

__all__ = ["convergence", "factors", "field_heatmap", "learning_curves", "race", "top_interactions"]
