"""Plots of fitted estimators (needs matplotlib)."""

from sparsefm.plots.figures import factors, field_heatmap, learning_curves, top_interactions

__all__ = ["factors", "field_heatmap", "learning_curves", "top_interactions"]
