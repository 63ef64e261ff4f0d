"""Ranking: learning from what users chose, and from graded lists."""

from sparsefm.ranking.ranker import FMRanker

__all__ = ["FMRanker"]
