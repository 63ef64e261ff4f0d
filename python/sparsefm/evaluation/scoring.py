"""Metrics of ranked rows as scorers, which estimators and scikit-learn take as `scoring`."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import check_integer
from sparsefm.evaluation.ranking import metrics_of_hits

Array = npt.NDArray[Any]

METRICS = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")


@dataclass(frozen=True)
class RankingScorer:
    """Scores an estimator by how well it ranks the rows of each group, such as those of a user.

    Rows are ranked among those of their group only. So the figures are those of recommendations
    if there is a row for every item that a user could get; with a few other rows drawn at random
    they are far higher, and another model may be best.

    Parameters
    ----------
    metric : str
        One of "ndcg", "recall", "precision", "map", "mrr" and "hit_rate", and how many places
        count, such as "ndcg@10". See `ranking_metrics` for the formulas.
    group : str
        The column of X that says which rows are ranked together, such as "user".

    Raises
    ------
    ValueError
        When it is called: if no row is relevant, or targets are negative; if targets are other than
        0 and 1 and the metric is not NDCG; if targets or scores are not finite; or if X is no
        table.

    Notes
    -----
    Targets are relevant if they are 1, or the second class of a classifier. NDCG takes any that are
    not negative as gains. Groups without a relevant row are left out. Of equal scores the less
    relevant row comes first: who cannot tell rows apart gets no credit.

    `fit` of an estimator takes it as `scoring`, for early stopping by an `eval_set` whose X is a
    table with the column; `cross_val_score` takes it, too.

    Examples
    --------
    >>> import pandas as pd, sparsefm as fm
    >>> from sparsefm.evaluation import RankingScorer
    >>> rows = pd.DataFrame({"user": list("aabb"), "item": list("xyxy")})
    >>> model = fm.FMRegressor(rank=0, solver=fm.AdaGrad(), epochs=20, search=None)
    >>> model = model.fit(rows, [1, 0, 1, 0])
    >>> RankingScorer("ndcg@1", group="user")(model, rows, [1, 0, 1, 0])
    1.0
    """

    metric: str
    group: str

    def __post_init__(self) -> None:
        name, separator, k = (
            self.metric.partition("@") if isinstance(self.metric, str) else ("", "", "")
        )
        if name not in METRICS or not separator or not k.isdecimal():
            raise ValueError(
                f"metric must be one of {METRICS} and how many places count, such as 'ndcg@10', "
                f"got {self.metric!r:.80}"
            )
        check_integer(int(k), "metric@k", 1)
        if not isinstance(self.group, str):
            raise TypeError(f"group must be the name of a column, got {self.group!r:.80}")

    @property
    def __name__(self) -> str:
        """What records of a training call it."""
        return self.metric

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the metric, the mean over the groups.

        Parameters
        ----------
        estimator : fitted estimator
        X : table of shape (n, m)
        y : array-like of shape (n,)
        """
        name, _, k = self.metric.partition("@")
        groups = self._groups(X)
        gains = _gains(estimator, y, len(groups))
        if name != "ndcg" and not np.isin(gains, (0, 1)).all():
            raise ValueError(f"y has gains other than 0 and 1, of which {name!r} knows none")
        if gains.min(initial=0) < 0:
            raise ValueError(f"y has the gain {gains.min():g}: gains must not be negative")
        if not gains.any():
            raise ValueError("y has no relevant row: there is nothing to rank first")
        scores = _scores(estimator, X)
        order = np.lexsort((gains, -scores, groups))
        values = _by_group(name, groups[order], gains[order], int(k))
        return math.fsum(values) / len(values)

    def _groups(self, X: Any) -> Array:
        """Return the number of each row's group."""
        from sparsefm.evaluation.identifiers import as_identifiers, read_columns

        # What estimators pass in `fit` is encoded, and has the table that it was made of.
        table = getattr(X, "table", X) if hasattr(X, "indptr") else X
        if table is None or hasattr(table, "indptr"):
            raise ValueError(
                f"scoring={self.metric!r} needs validation rows that are a table with the column "
                f"{self.group!r}: pass eval_set=(X_val, y_val), where X_val is one"
            )
        [column] = read_columns(table, "X", {"group": self.group})
        found = as_identifiers(column, f"X: column {self.group!r}")
        codes: Array = found.codes.astype(np.int64)
        return codes


def _gains(estimator: Any, y: Any, n_rows: int) -> Array:
    """Return how relevant each row is."""
    targets = np.asarray(y)
    if targets.shape != (n_rows,):
        raise ValueError(f"y has shape {targets.shape}, but X has {n_rows} rows")
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return _finite(targets, "y")
    if len(classes) != 2:
        raise ValueError(f"the model has {len(classes)} classes: rows are ranked by one score")
    return np.asarray(targets == classes[1], np.float64)


def _scores(estimator: Any, X: Any) -> Array:
    """Return a score of each row; that of our regressors is not clipped to bounds."""
    for name in ("_scores", "decision_function", "predict"):
        if hasattr(estimator, name):
            found = np.asarray(getattr(estimator, name)(X))
            if found.ndim == 1 or found.shape[1] == 1:
                return _finite(found.reshape(-1), f"the model's scores ({name})")
    raise ValueError("the model has no single score of a row to rank by")


def _finite(values: Array, name: str) -> Array:
    """Return numbers that can be put in order."""
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise ValueError(f"{name} must be finite, got {numbers[row]} in row {row}")
    return numbers


def _by_group(name: str, groups: Array, gains: Array, k: int) -> Array:
    """Return the metric of each group with relevant rows; rows are in the order of ranks."""
    sizes = np.bincount(groups)
    ranks = np.arange(1, len(groups) + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    if name == "ndcg":
        best = np.lexsort((-gains, groups))  # the ranks of groups stay where they are
        found, largest = (
            np.bincount(groups, np.where(ranks <= k, own / np.log2(ranks + 1), 0), len(sizes))
            for own in (gains, gains[best])
        )
        return np.asarray(found[largest > 0] / largest[largest > 0])
    n_relevant = np.bincount(groups, gains, len(sizes)).astype(np.int64)
    hits = (gains > 0) & (ranks <= k)
    values = metrics_of_hits(groups[hits], ranks[hits], n_relevant, k)[name]
    return np.asarray(values[n_relevant > 0])
