"""Recommendations from fitted models: exact search for the items with the highest scores."""

from sparsefm.retrieval.recommender import Recommender

__all__ = ["Recommender"]
