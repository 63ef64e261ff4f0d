"""`FMRanker`: interactions, side tables, graded lists, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
from chosen import COLOURS, N_ITEMS, TASTES, made
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

import sparsefm as fm
from sparsefm.evaluation import leave_last_out, ranking_metrics

QUICK = {"rank": 8, "epochs": 30, "early_stopping": False, "time": "day", "n_threads": 1}
COMPARED = ["softmax", "warp", "bpr"]
LOSSES = [*COMPARED, "all-pairs"]


def halves(seed=0):
    rows, users, items = made(seed)
    train, test = leave_last_out(rows["user"], n=5)
    return rows.iloc[train], rows.iloc[test], users, items


def ndcg(ranker, test):
    users = test["user"].unique().tolist()
    return ranking_metrics(ranker.recommend(users), test)["ndcg"]


@pytest.mark.parametrize("loss", LOSSES)
def test_beats_popularity(loss):
    train, test, _, _ = halves()
    popular = train["item"].value_counts().index
    lists = []
    for user, group in train.groupby("user"):
        ranked = [one for one in popular if one not in set(group["item"])][:10]
        lists.append(pd.DataFrame({"user": user, "item": ranked, "rank": range(1, 11)}))
    by_popularity = ranking_metrics(pd.concat(lists), test)["ndcg"]
    ranker = fm.FMRanker(loss=loss, **QUICK).fit(train)
    assert ndcg(ranker, test) > 1.3 * by_popularity


@pytest.mark.parametrize("loss", LOSSES)
def test_cold_items_are_ranked_by_their_features(loss):
    rows, users, items = made(cold=15)
    ranker = fm.FMRanker(loss=loss, **QUICK)
    ranker.fit(rows, user_features=users, item_features=items)
    cold = items["item"].iloc[-15:].to_list()
    best = ranker.recommend(users["user"].to_list(), top=5, candidates=cold)
    colour = dict(items.itertuples(index=False))
    liked = dict(zip(TASTES, COLOURS, strict=True))
    taste = {name: liked[taste] for name, taste in users.itertuples(index=False)}
    hits = best["user"].map(taste) == best["item"].map(colour)
    assert hits.mean() > 0.9  # a third by chance
    new = pd.DataFrame({"user": ["nobody"], "taste": ["y"]})
    assert {colour[one] for one in ranker.recommend(new, top=5)["item"]} == {"g"}


def test_columns_of_interactions_are_context():
    rows, _, _ = made()
    rng = np.random.default_rng(0)
    rows["hour"] = rng.choice(["day", "night"], len(rows))
    evens = [f"i{i}" for i in range(0, N_ITEMS, 2)]
    odds = [f"i{i}" for i in range(1, N_ITEMS, 2)]
    is_night = rows["hour"] == "night"
    rows["item"] = np.where(is_night, rng.choice(evens, len(rows)), rng.choice(odds, len(rows)))
    ranker = fm.FMRanker(**QUICK).fit(rows)
    assert list(ranker.model_.encoder_.feature_names_in_) == ["user", "hour", "item"]
    asked = pd.DataFrame({"user": ["u1", "u1"], "hour": ["day", "night"]})
    best = ranker.recommend(asked, top=10, exclude_seen=False)
    even = best["item"].isin(evens).groupby(np.repeat([0, 1], 10)).mean()
    assert even[1] > 0.9 > 0.1 > even[0]


@pytest.mark.parametrize("loss", COMPARED)
def test_graded_lists(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 6))
    group = np.repeat(np.arange(60), 10)
    truth = X @ np.array([1, -1, 0.5, 0, 0, 0]) + X[:, 3] * X[:, 4]
    y = np.digitize(truth + rng.normal(size=60)[group] * 5, [-5, 0, 5])
    order = rng.permutation(600)  # rows of a list need not be neighbours
    names = np.array([f"q{i}" for i in range(60)])[group]
    ranker = fm.FMRanker(loss=loss, **QUICK | {"epochs": 60})
    ranker.fit(X[order], y[order], group=names[order])
    scores = ranker.predict(X)
    agree = [
        scores[i] > scores[j]
        for rows in np.split(np.arange(600), 60)
        for i in rows
        for j in rows
        if y[i] > y[j]
    ]
    assert np.mean(agree) > 0.9
    with pytest.raises(NotFittedError, match="lists"):
        ranker.recommend(["u1"])


def test_all_negatives_and_weights():
    rows, _, _ = made(n=4)
    weighted = rows.assign(w=1.0)
    plain = fm.FMRanker(n_negatives=0, **QUICK).fit(rows)
    ones = fm.FMRanker(n_negatives=0, weight="w", **QUICK).fit(weighted)
    np.testing.assert_array_equal(plain.model_.V_, ones.model_.V_)
    dropped = weighted.assign(w=np.where(rows["day"] < 2, 1.0, 0.0))
    fewer = fm.FMRanker(n_negatives=0, weight="w", **QUICK).fit(dropped)
    same = fm.FMRanker(n_negatives=0, **QUICK).fit(rows[rows["day"] < 2])
    np.testing.assert_array_equal(fewer.model_.V_, same.model_.V_)


def test_early_stopping_holds_out_the_last_interactions():
    rows, _, _ = made()
    shuffled = rows.sample(frac=1, random_state=0)
    ranker = fm.FMRanker(time="day", rank=8, epochs=12, patience=3).fit(shuffled)
    ndcgs = ranker.history_["ndcg"]
    assert ranker.n_iter_ == 1 + int(np.argmax(ndcgs))
    assert len(ndcgs) == min(12, ranker.n_iter_ + 3)
    assert ranker.model_.n_iter_ == ranker.n_iter_
    assert max(ndcgs) > 0.1  # what is held out is none of what the user has
    again = fm.FMRanker(time="day", rank=8, epochs=ranker.n_iter_, early_stopping=False)
    again.fit(shuffled)
    np.testing.assert_array_equal(again.model_.V_, ranker.model_.V_)


@pytest.mark.parametrize("loss", ["warp", "all-pairs"])
def test_same_bits_on_any_number_of_threads(loss):
    rows, users, items = made()
    found = set()
    for n_threads in (1, 2, 7, 16):
        ranker = fm.FMRanker(
            **{**QUICK, "n_threads": n_threads, "epochs": 4}, batch_size=512, loss=loss
        )
        ranker.fit(rows, user_features=users, item_features=items)
        found.add(ranker.recommend(users["user"].to_list())["score"].to_numpy().tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_tables_give_the_same(library):
    pytest.importorskip(library)
    import polars as pl

    tables = made()
    ranker = fm.FMRanker(**QUICK).fit(tables[0], user_features=tables[1], item_features=tables[2])
    expected = ranker.recommend(["u1", "u2"])
    others = [pl.from_pandas(table) for table in tables]
    if library == "pyarrow":
        others = [table.to_arrow() for table in others]
    other = fm.FMRanker(**QUICK).fit(others[0], user_features=others[1], item_features=others[2])
    found = other.recommend(["u1", "u2"])
    assert type(found).__module__.split(".")[0] == library
    pd.testing.assert_frame_equal(
        found.to_pandas(), expected, check_dtype=False, check_column_type=False
    )


def test_the_model_can_be_saved(tmp_path):
    rows, users, items = made()
    ranker = fm.FMRanker(**QUICK).fit(rows, user_features=users, item_features=items)
    ranker.model_.save(tmp_path / "ranker.safetensors")
    model = fm.load(tmp_path / "ranker.safetensors")
    options = {"item": "item", "user": "user", "users": users, "seen": rows}
    found = fm.Recommender(model, items, **options).recommend(["u3"])
    pd.testing.assert_frame_equal(found, ranker.recommend(["u3"]))
    copied = pickle.loads(pickle.dumps(ranker))
    pd.testing.assert_frame_equal(copied.recommend(["u3"]), ranker.recommend(["u3"]))
    assert clone(ranker).get_params() == ranker.get_params()
    pairs = rows.merge(users).merge(items)[["user", "taste", "item", "colour"]].head()
    np.testing.assert_array_equal(model.predict(pairs), ranker.predict(pairs))


def test_integers_are_identifiers():
    rows, _, _ = made()
    numbers = rows.assign(user=rows["user"].str[1:].astype(int), item=rows["item"].str[1:])
    ranker = fm.FMRanker(**QUICK).fit(numbers.astype({"item": int}))
    assert ranker.model_.encoder_.n_features_out_ == 120 + N_ITEMS
    assert ranker.recommend([3], top=2)["item"].dtype.kind == "i"


def test_few_rows():
    rows = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"]})
    ranker = fm.FMRanker(epochs=3).fit(pd.concat([rows] * 3))  # nothing can be held out
    assert ranker.recommend(["b"])["item"].to_list() == ["y"]
    assert len(ranker.recommend(["a"])) == 0  # seen
    assert ranker.n_iter_ == 3
    assert set(ranker.recommend(["a"], exclude_seen=False)["item"]) == {"x", "y"}


@pytest.mark.parametrize("loss", COMPARED)
def test_lists_of_two(loss):
    X = pd.DataFrame({"kind": ["good", "bad"] * 20})
    ranker = fm.FMRanker(loss=loss, **QUICK).fit(X, [1, 0] * 20, group=np.repeat(np.arange(20), 2))
    good, bad = ranker.predict(X.head(2))
    assert good > bad + 0.5


def test_rows_of_lists_with_weight_zero_are_left_out():
    X, y = np.tile(np.eye(3), (8, 1)), np.tile([2, 1, 0], 8)
    group, weights = np.repeat(np.arange(8), 3), np.tile([1, 1, 0], 8)
    ranker = fm.FMRanker(**QUICK)
    weighted = ranker.fit(X, y, weights, group=group).predict(np.eye(3))
    kept = weights > 0
    removed = ranker.fit(X[kept], y[kept], group=group[kept]).predict(np.eye(3))
    np.testing.assert_array_equal(weighted[:2], removed[:2])


def test_sides_complete_what_tables_lack():
    rows, users, items = made()
    rows["hour"] = np.resize(["day", "night"], len(rows))
    ranker = fm.FMRanker(**QUICK).fit(rows, user_features=users, item_features=items)
    full = rows.merge(users).merge(items)
    np.testing.assert_array_equal(ranker.predict(rows), ranker.predict(full))
    asked = pd.DataFrame({"user": ["u1", "u5"], "hour": ["day", "night"]})
    found = ranker.recommend(asked)
    pd.testing.assert_frame_equal(found, ranker.recommend(asked.merge(users)))
    with pytest.raises(ValueError, match="contexts has 'nobody', which is no known user"):
        ranker.recommend(asked.assign(user="nobody"))


def test_score_is_the_ndcg_of_unseen_items():
    train, test, _, _ = halves()
    ranker = fm.FMRanker(**QUICK).fit(train)
    assert ranker.score(test) == pytest.approx(ndcg(ranker, test))
    search = GridSearchCV(fm.FMRanker(**QUICK), {"rank": [2, 4]}, cv=2).fit(train)
    assert 0 < search.best_score_ < 1


def test_rows_with_a_context_are_scored_one_by_one():
    rows, _, _ = made()
    rows["hour"] = np.resize(["day", "night"], len(rows))
    train, test = (rows.iloc[part] for part in leave_last_out(rows["user"]))
    ranker = fm.FMRanker(**QUICK).fit(train)
    asked = [test.iloc[[row]] for row in range(len(test))]
    lists = [ranker.recommend(one[["user", "hour"]]) for one in asked]
    pairs = zip(lists, test["item"], strict=True)
    ranks = [best[best["item"] == item]["rank"].to_list() for best, item in pairs]
    expected = np.mean([1 / np.log2(1 + found[0]) if found else 0 for found in ranks])
    assert ranker.score(test) == pytest.approx(expected)


def test_the_model_is_no_regression():
    rows, _, _ = made()
    model = fm.FMRanker(**QUICK).fit(rows).model_
    pairs = rows[["user", "item"]].head()
    for learn in (
        lambda: model.partial_fit(pairs, np.ones(5)),
        lambda: model.fold_in(pairs, np.ones(5), column="user"),
    ):
        with pytest.raises(ValueError, match="trained to rank"):
            learn()
    assert list(model.history_) == ["epoch", "seconds", "ranking_loss"]


@pytest.mark.parametrize("loss", COMPARED)
def test_large_and_small_weights(loss):
    rows, _, _ = made(n=3)
    ranker = fm.FMRanker(loss=loss, weight="w", **QUICK)
    usual = ranker.fit(rows.assign(w=2.0)).model_.V_
    for weight in (2.0**99, 2.0**-200):
        np.testing.assert_array_equal(ranker.fit(rows.assign(w=weight)).model_.V_, usual)
    uneven = ranker.fit(rows.assign(w=np.where(rows["day"] == 0, 1e-300, 1.0)))
    assert np.isfinite(uneven.model_.V_).all()


def test_more_negatives_than_items_are_all():
    rows, _, _ = made(n=3)
    every = fm.FMRanker(n_negatives=0, **QUICK).fit(rows)
    many = fm.FMRanker(n_negatives=2**70, batch_size=2**70, popularity=1000.0, **QUICK).fit(rows)
    assert np.isfinite(many.model_.V_).all()
    same = fm.FMRanker(n_negatives=2**70, **QUICK).fit(rows)
    np.testing.assert_array_equal(every.model_.V_, same.model_.V_)


ROWS, USERS, ITEMS = made(n=3)
WRONG = {
    "loss": ({"loss": "auc"}, {}, "loss must be"),
    "rank": ({"rank": -1}, {}, "rank must be at least 0"),
    "epochs": ({"epochs": 0}, {}, "epochs must be at least 1"),
    "negatives": ({"loss": "warp", "n_negatives": 0}, {}, "n_negatives must be at least 1"),
    "popularity": ({"popularity": -1}, {}, "popularity must be at least 0"),
    "solver": ({"solver": fm.Gibbs()}, {}, "solver must be a sparsefm.AdaGrad"),
    "exact": ({"solver": fm.Adam(updates="exact")}, {}, "solver must be lazy"),
    "by field": ({"solver": fm.Adam(l2_factors={"user": 1})}, {}, "one l2_factors"),
    "all pairs": ({"loss": "all-pairs", "solver": fm.Adam()}, {}, "has neither solver nor"),
    "unobserved": ({"unobserved_weight": 0}, {}, "unobserved_weight must be greater than 0"),
    "l2": ({"loss": "all-pairs", "l2": -1}, {}, "l2 must be"),
    "column": ({"user": "who"}, {}, "X has no column 'who', which user= names"),
    "same": ({"user": "item"}, {}, "user is 'item', and so is another"),
    "no name": ({"user": 3}, {}, "user must be the name of a column"),
    "weight": (
        {"weight": "day", "time": None},
        {"X": ROWS.assign(day=-1)},
        "'day' of X has the weig",
    ),
    "zeros": ({"weight": "day", "time": None}, {"X": ROWS.assign(day=0)}, "no positive weight"),
    "nothing": ({}, {"X": ROWS.head(1)}, "there is nothing to compare"),
    "times": (
        {},
        {"X": ROWS.assign(day=np.nan)},
        "column 'day' of X holds nan in row 0",
    ),
    "heavy": ({"weight": "w"}, {"X": ROWS.assign(w=1e31)}, "has the weight 1e.31: at most"),
    "missing": ({}, {"X": ROWS.assign(user=None)}, "column 'user' of X"),
    "fractions": ({}, {"X": ROWS.assign(user=0.5)}, "column 'user' of X"),
    "array": ({}, {"X": np.ones((3, 2))}, "X must be a table"),
    "empty": ({}, {"X": ROWS.head(0)}, "X has no rows"),
    "twice": (
        {},
        {"user_features": pd.concat([USERS, USERS])},
        "user_features has 'u0' in several",
    ),
    "no row": (
        {},
        {"item_features": ITEMS.head(3)},
        "X has '.*', which is no known item",
    ),
    "no key": ({}, {"item_features": ITEMS[["colour"]]}, "item_features needs a column 'item'"),
    "both": (
        {},
        {"item_features": ITEMS.rename(columns={"colour": "taste"}), "user_features": USERS},
        "column 'taste' is in more than one",
    ),
    "y alone": ({}, {"y": [1, 2]}, "y and group go together"),
    "group alone": ({}, {"group": [1, 2]}, "y and group go together"),
    "weights": ({}, {"sample_weight": [1, 2]}, "sample_weight is for lists"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case):
    parameters, given, message = WRONG[case]
    ranker = fm.FMRanker(**{**QUICK, **parameters})
    with pytest.raises((TypeError, ValueError), match=message):
        ranker.fit(**{"X": ROWS, **given})
    assert not hasattr(ranker, "model_")


@pytest.mark.parametrize(
    ("y", "group", "message"),
    [
        ([1, 1, 1, 1], [0, 0, 1, 1], "y has no group with two grades"),
        ([1, 2, 3], [0, 0, 0, 0], "y has"),
        ([1, 2, 3, 4], [0, 0, 0], "group has 3 entries, but X has 4 rows"),
        ([1, 2, 3, np.nan], [0, 0, 0, 0], "y"),
        ([1, 2, 3, 4], [0.5, 0, 0, 0], "group"),
    ],
)
def test_lists_that_are_wrong(y, group, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fm.FMRanker(**QUICK).fit(np.eye(4), y, group=group)
