"""The public entries of `sparsefm.evaluation`, with arguments that are right."""

import numpy as np
from scipy import sparse

from sparsefm.evaluation import (
    RankingScorer,
    auc_by_user,
    leave_last_out,
    ranking_metrics,
    split_by_time,
)


def entries(X):
    """Return each entry by name: a function, and arguments that are right."""
    rows = np.arange(len(X))
    lists = {"user": rows % 2, "item": rows, "rank": 1 + rows // 2}
    options = {"k": 10, "user": "user", "item": "item", "rank": "rank", "n_items": None}
    return {
        "evaluation.RankingScorer": (RankingScorer, {"metric": "ndcg@10", "group": "user"}),
        "evaluation.ranking_metrics": (
            ranking_metrics,
            {"recommended": lists, "relevant": lists, **options, "by_user": False},
        ),
        "evaluation.auc_by_user": (
            auc_by_user,
            {"scores": X, "relevant": sparse.csr_matrix(X > 0), "exclude": None},
        ),
        "evaluation.split_by_time": (split_by_time, {"times": rows, "test_size": 0.2}),
        "evaluation.leave_last_out": (leave_last_out, {"users": rows % 2, "times": None, "n": 1}),
    }
