"""`RankingScorer`, against plain loops and `ranking_metrics`, and as `scoring`."""

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import sparsefm as fm
from sparsefm.evaluation import RankingScorer, ranking_metrics

QUICK = {"rank": 2, "solver": fm.AdaGrad(), "epochs": 12, "search": None}
METRICS = ["ndcg", "recall", "precision", "map", "mrr", "hit_rate"]


class Scores:
    """An estimator that has its predictions."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, float)

    def predict(self, X):
        return self.scores


def drawn(seed=0, n=300, grades=2):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"user": rng.integers(0, 25, n).astype(str), "item": range(n)})
    return rows, rng.integers(0, grades, n), rng.permutation(n)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 3, 10, 100])
def test_figures_are_those_of_ranking_metrics(metric, k):
    rows, y, scores = drawn()
    lists = rows.assign(rank=(-pd.Series(scores)).groupby(rows["user"]).rank().astype(int))
    found = RankingScorer(f"{metric}@{k}", group="user")(Scores(scores), rows, y)
    assert found == pytest.approx(ranking_metrics(lists, rows[y > 0], k=k)[metric], rel=1e-12)


def test_graded_gains():
    rows, y, scores = drawn(grades=5)
    values = []
    for user in rows["user"].unique():
        own = np.flatnonzero(rows["user"] == user)
        ranked = own[np.argsort(-scores[own])][:4]
        best = np.sort(y[own])[::-1][:4]
        dcg, most = (
            sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))
            for gains in (y[ranked], best)
        )
        values.append(dcg / most)
    found = RankingScorer("ndcg@4", "user")(Scores(scores), rows, y)
    assert found == pytest.approx(np.mean(values), rel=1e-12)


def test_equal_scores_get_no_credit():
    rows, y = pd.DataFrame({"user": ["a", "a", "a"]}), [1, 0, 0]
    assert RankingScorer("hit_rate@2", "user")(Scores([0, 0, 0]), rows, y) == 0
    assert RankingScorer("ndcg@3", "user")(Scores([0, 0, 0]), rows, y) == 0.5


def test_groups_without_a_relevant_row_are_left_out():
    rows = pd.DataFrame({"user": ["a", "a", "b", "b"]})
    assert RankingScorer("recall@1", "user")(Scores([2, 1, 2, 1]), rows, [1, 0, 0, 0]) == 1


def interactions(seed=0):
    """Return all pairs of users and items, which are seen, and which are relevant later."""
    rng = np.random.default_rng(seed)
    users, items = (one.ravel() for one in np.indices((40, 30)))
    likes = (rng.normal(size=(40, 2)) @ rng.normal(size=(2, 30))).ravel() + rng.normal(size=1200)
    chosen = likes > np.quantile(likes, 0.85)
    later = chosen & (rng.random(1200) < 0.4)
    pairs = pd.DataFrame({"user": users, "item": items}).astype(str)
    return pairs, chosen & ~later, later


@pytest.mark.parametrize("kind", [fm.FMClassifier, fm.FMRegressor])
def test_early_stopping_by_groups(kind):
    pairs, seen, later = interactions()
    scorer = RankingScorer("ndcg@5", group="user")
    model = kind(**QUICK, scoring=scorer, patience=3)
    valid = pairs[~seen], later[~seen] * 1
    model.fit(pairs, seen * 1, eval_set=valid)
    history = model.history_["ndcg@5"]
    assert model.best_epoch_ == 1 + int(np.argmax(history))
    assert history[model.best_epoch_ - 1] == pytest.approx(scorer(model, *valid), rel=1e-12)
    several = clone(model).fit(pairs, seen * 1, eval_set={"a": valid, "b": valid})
    assert several.history_["a/ndcg@5"] == several.history_["ndcg@5"] == history


def test_users_that_training_never_saw_are_groups_too():
    pairs, seen, later = interactions()
    train = pairs["user"].astype(int) < 30
    model = fm.FMClassifier(**QUICK, scoring=RankingScorer("map@5", group="user"))
    valid = pairs[~train], later[~train] * 1
    model.fit(pairs[train], seen[train] * 1, eval_set=valid)
    assert max(model.history_["map@5"]) == RankingScorer("map@5", "user")(model, *valid)


def test_scikit_learn_takes_it():
    pairs, seen, _ = interactions()
    scorer = RankingScorer("ndcg@5", group="user")
    found = cross_val_score(fm.FMClassifier(**QUICK), pairs, seen * 1, cv=3, scoring=scorer)
    assert ((found > 0) & (found < 1)).all()
    for copied in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer)):
        assert copied == scorer


def test_predictions_are_not_clipped_to_bounds():
    rows = pd.DataFrame({"user": ["a", "a"], "item": ["x", "y"]})
    model = fm.FMRegressor(**QUICK | {"rank": 0}, bounds=(-9.0, -8.0)).fit(rows, [1, 0])
    assert len(set(model.predict(rows))) == 1
    assert RankingScorer("hit_rate@1", "user")(model, rows, [1, 0]) == 1


@pytest.mark.parametrize(
    ("metric", "group", "error", "name"),
    [
        ("ndcg", "user", ValueError, "metric"),
        ("ndcg@0", "user", ValueError, "metric"),
        ("ndcg@x", "user", ValueError, "metric"),
        ("auc@3", "user", ValueError, "metric"),
        (None, "user", ValueError, "metric"),
        ("ndcg@3", None, TypeError, "group"),
    ],
)
def test_bad_scorers(metric, group, error, name):
    with pytest.raises(error, match=name):
        RankingScorer(metric, group)


@pytest.mark.parametrize(
    ("metric", "X", "y", "text"),
    [
        ("ndcg@2", {"u": ["a", "a"]}, [1, 0], "X has no column 'user'"),
        ("ndcg@2", {"user": ["a", None]}, [1, 0], "X: column 'user' holds"),
        ("ndcg@2", {"user": ["a", "a"]}, [1, -1], "y has the gain -1"),
        ("map@2", {"user": ["a", "a"]}, [1, 2], "y has gains other than 0 and 1"),
        ("ndcg@2", {"user": ["a", "a"]}, [0, 0], "y has no relevant row"),
        ("ndcg@2", {"user": ["a", "a"]}, [0, 1, 1], "y has shape"),
        ("ndcg@2", {"user": ["a", "a"]}, [1, np.nan], "y must be finite, got nan in row 1"),
        ("map@2", {"user": ["a", "a"]}, [np.inf, 1], "y must be finite, got inf in row 0"),
        ("ndcg@2", {"user": ["a", "a"]}, [1, None], "y must be finite, got nan in row 1"),
    ],
)
def test_bad_rows(metric, X, y, text):
    with pytest.raises(ValueError, match=text):
        RankingScorer(metric, "user")(Scores([1, 2]), X, y)


@pytest.mark.parametrize("scores", [[np.nan, np.nan], [1, np.inf], [-np.inf, 0]])
def test_scores_that_are_not_finite(scores):
    with pytest.raises(
        ValueError, match=r"scores \(predict\) must be finite, got -?(nan|inf) in row"
    ):
        RankingScorer("ndcg@2", "user")(Scores(scores), {"user": ["a", "a"]}, [1, 0])


def test_rows_that_lost_their_columns():
    pairs, seen, _ = interactions()
    scorer = RankingScorer("ndcg@5", group="user")
    with pytest.raises(ValueError, match="eval_set"):
        fm.FMClassifier(**QUICK, scoring=scorer, validation_fraction=0.3).fit(pairs, seen * 1)
    model = fm.FMClassifier(**QUICK).fit(pairs, pairs["user"].astype(int) % 3)
    with pytest.raises(ValueError, match="3 classes"):
        scorer(model, pairs, seen * 1)
