"""Evaluation of recommendations: metrics of ranked lists, and splits of interactions."""

from sparsefm.evaluation.ranking import auc_by_user, ranking_metrics
from sparsefm.evaluation.scoring import RankingScorer
from sparsefm.evaluation.splits import leave_last_out, split_by_time

__all__ = ["RankingScorer", "auc_by_user", "leave_last_out", "ranking_metrics", "split_by_time"]
