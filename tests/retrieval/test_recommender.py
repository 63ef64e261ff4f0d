"""Recommendations, against the predictions of all rows that there could be."""

import copy
import pickle
from itertools import product

import numpy as np
import pandas as pd
import pytest
from catalogue import ITEMS, SCORED, USERS, all_scores, fitted, table

import sparsefm as fm

polars = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

KEYS = {"item": "movie", "user": "user"}


def recommender(name="fm", **options):
    return fm.Recommender(fitted(name), ITEMS, **{**KEYS, "users": USERS, **options})


def expected(scores, top, excluded=()):
    """Return the numbers of the best items of one context; equal ones in their order."""
    order = np.argsort(-scores, kind="stable")
    return [number for number in order if number not in set(excluded)][:top]


# --- what is found --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCORED)
def test_the_best_items_of_contexts(name):
    model = fitted(name)
    contexts = table().drop(columns=ITEMS.columns).iloc[:40].reset_index(drop=True)
    scores = all_scores(model, contexts)
    given = fm.Recommender(model, ITEMS, **KEYS)
    found = given.recommend(contexts, top=7)
    assert list(found.columns) == ["user", "movie", "rank", "score"]
    assert len(found) == 40 * 7
    for row in range(40):
        own = found.iloc[7 * row : 7 * (row + 1)]
        assert own["user"].unique().tolist() == [contexts["user"][row]]
        assert own["rank"].tolist() == [1, 2, 3, 4, 5, 6, 7]
        numbers = ITEMS.index[ITEMS["movie"].searchsorted(own["movie"])]
        np.testing.assert_allclose(own["score"], scores[row, numbers], rtol=2e-5, atol=2e-5)
        best = np.sort(scores[row])[::-1][:7]  # neighbours may differ by a rounding
        np.testing.assert_allclose(own["score"], best, rtol=2e-5, atol=2e-5)


def test_equal_scores_are_in_the_order_of_the_items():
    model = fm.FMRegressor(rank=0, solver=fm.AdaGrad(), epochs=1, search=None)
    model.fit(table()[["user", "movie"]], np.ones(len(table())))
    found = fm.Recommender(model, ITEMS, **KEYS).recommend(["u1", "nobody"], top=5)
    assert found["movie"].tolist() == 2 * ITEMS["movie"][:5].tolist()


def test_users_by_their_identifiers():
    contexts = USERS.merge(pd.DataFrame({"user": ["u3", "u1", "u3"]}), how="right")
    given = recommender("without hour")
    pd.testing.assert_frame_equal(given.recommend(["u3", "u1", "u3"]), given.recommend(contexts))
    for ids in (("u3", "u1", "u3"), np.array(["u3", "u1", "u3"]), contexts["user"]):
        assert given.recommend(ids)["user"].iloc[::10].tolist() == ["u3", "u1", "u3"]


def test_what_was_seen_is_left_out():
    seen = table()
    given = recommender("without hour", seen=seen)
    scores = all_scores(fitted("without hour"), USERS)
    found = given.recommend(USERS["user"], top=20)
    for row, user in enumerate(USERS["user"]):
        watched = ITEMS.index[ITEMS["movie"].isin(seen["movie"][seen["user"] == user])]
        own = found[found["user"] == user]
        assert len(watched) > 10
        assert not set(own["movie"]) & set(ITEMS["movie"][watched])
        best = scores[row, expected(scores[row], 20, watched)]
        np.testing.assert_allclose(own["score"], best, rtol=2e-5, atol=2e-5)
    everything = given.recommend(["u1"], top=20, exclude_seen=False)
    assert everything["score"].iloc[0] == pytest.approx(scores[1].max(), rel=2e-5)


def test_one_who_has_seen_all_gets_nothing():
    pairs = pd.DataFrame(product(["u1"], ITEMS["movie"][:-2]), columns=["user", "movie"])
    given = recommender("without hour", seen=pairs)
    found = given.recommend(["u1", "u2"], top=5)
    assert found["user"].tolist() == ["u1"] * 2 + ["u2"] * 5
    assert set(found["movie"][:2]) == set(ITEMS["movie"][-2:])
    whole = pd.DataFrame(product(["u1"], ITEMS["movie"]), columns=["user", "movie"])
    found = recommender("without hour", seen=whole).recommend(["u1"])
    assert len(found) == 0
    assert list(found.columns) == ["user", "movie", "rank", "score"]


def test_candidates_alone():
    given = recommender("without hour", seen=table())
    some = ITEMS["movie"][[50, 3, 70, 3]].tolist()
    found = given.rank(["u1", "u2"], some)
    scores = all_scores(fitted("without hour"), USERS)
    for row in (1, 2):
        own = found[found["user"] == f"u{row}"]
        order = [3, 50, 70]
        best = [order[place] for place in np.argsort(-scores[row, order])]
        assert own["movie"].tolist() == ITEMS["movie"][best].tolist()
    watched = set(table()["movie"][table()["user"] == "u1"])
    found = given.recommend(["u1"], top=500, candidates=ITEMS["movie"])
    assert set(found["movie"]) == set(ITEMS["movie"]) - watched
    some = set(ITEMS["movie"][60:])
    found = given.recommend(["u1"], top=500, candidates=sorted(some))
    assert set(found["movie"]) == some - watched != some


def test_new_users_and_items_are_scored_by_their_columns():
    model = fitted("fm")
    items = pd.concat([ITEMS, ITEMS.assign(movie="new " + ITEMS["movie"])], ignore_index=True)
    context = table().drop(columns=ITEMS.columns).iloc[:1].assign(user="new user")
    found = fm.Recommender(model, items, **KEYS).recommend(context, top=len(items))
    rows = context.merge(items, how="cross")[list(model.feature_names_in_)]
    by_item = found.set_index("movie")["score"][items["movie"]]
    np.testing.assert_allclose(by_item, model.decision_function(rows), rtol=2e-5, atol=2e-5)
    assert found["movie"].str.startswith("new").head(50).sum() > 10


def test_similar_items_and_users():
    given = recommender("without hour")
    vectors = given.item_vectors()[:, :-1].astype(float)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = given.similar_items(["m07", "m11"], top=5)
    assert list(found.columns) == ["movie", "similar", "rank", "score"]
    for number, own in found.groupby("movie"):
        row = ITEMS.index[ITEMS["movie"] == number][0]
        cosines = units @ units[row]
        cosines[row] = -np.inf
        np.testing.assert_allclose(own["score"], np.sort(cosines)[::-1][:5], atol=1e-5)
        assert number not in set(own["similar"])
    users = given.similar_users(["u3"], top=3)
    assert users["user"].tolist() == ["u3"] * 3
    assert "u3" not in set(users["similar"])
    assert (np.diff(users["score"]) <= 0).all()


@pytest.mark.parametrize("name", ["fm", "fwfm", "gibbs"])
def test_vectors_order_items_as_scores_do(name):
    contexts = table().drop(columns=ITEMS.columns).iloc[:20].reset_index(drop=True)
    given = fm.Recommender(fitted(name), ITEMS, **KEYS)
    products = given.context_vectors(contexts) @ given.item_vectors().T
    scores = all_scores(fitted(name), contexts)
    gaps = scores - products
    np.testing.assert_allclose(gaps, gaps[:, :1] * np.ones(len(ITEMS)), atol=2e-5)
    assert given.item_vectors().shape[1] == given.context_vectors(contexts).shape[1]


# --- tables ---------------------------------------------------------------------------------------


def test_tables_of_every_library_give_the_same():
    whole = recommender("without hour", seen=table()).recommend(["u4", "u2"])
    for make in (polars.from_pandas, pa.Table.from_pandas):
        given = fm.Recommender(
            fitted("without hour"), make(ITEMS), **KEYS, users=make(USERS), seen=make(table())
        )
        found = given.recommend(["u4", "u2"])
        assert isinstance(found, type(make(ITEMS)))
        again = found.to_pandas()
        for column in whole:
            assert again[column].tolist() == whole[column].tolist()


def test_identifiers_may_be_numbers_that_the_model_never_saw():
    items = ITEMS.assign(number=np.arange(len(ITEMS)) + 100)
    given = fm.Recommender(fitted("fm"), items, item="number")
    contexts = table().drop(columns=ITEMS.columns).iloc[:2]
    found = given.recommend(contexts, top=3)
    assert found["row"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found["number"].between(100, 100 + len(ITEMS)).all()
    assert found["number"].dtype == items["number"].dtype


def test_threads_and_company_change_no_bit():
    contexts = table().drop(columns=ITEMS.columns).iloc[:300].reset_index(drop=True)
    given = {n: fm.Recommender(fitted("fm"), ITEMS, **KEYS, n_threads=n) for n in (1, 2, 7, 16)}
    one = given[1].recommend(contexts)
    for threads in (2, 7, 16):
        pd.testing.assert_frame_equal(given[threads].recommend(contexts), one)
    alone = given[1].recommend(contexts.iloc[[250]])
    own = one.iloc[2500:2510].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, own)


def test_a_recommender_keeps_what_it_was_made_of():
    model = copy.deepcopy(fitted("without hour"))
    given = fm.Recommender(model, ITEMS, **KEYS, users=USERS)
    before = given.recommend(["u1"])
    rows = table()[list(model.feature_names_in_)]
    model.partial_fit(rows, np.zeros(len(rows)))
    pd.testing.assert_frame_equal(given.recommend(["u1"]), before)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(given)).recommend(["u1"]), before)


def test_a_sampled_classifier_has_the_mean_of_its_scores():
    model = fitted("gibbs classifier")
    contexts = table().drop(columns=ITEMS.columns).iloc[:10].reset_index(drop=True)
    found = fm.Recommender(model, ITEMS, **KEYS).recommend(contexts, top=90)
    rows = contexts.merge(ITEMS, how="cross")[list(model.feature_names_in_)]
    means = model.explain_fields(rows, background=rows).scores.reshape(10, 90)
    best = np.sort(means, axis=1)[:, ::-1].ravel()
    np.testing.assert_allclose(found["score"], best, rtol=2e-5, atol=2e-5)


def test_changed_tables_change_nothing():
    items, users, seen = ITEMS.copy(), USERS.copy(), table().copy()
    given = fm.Recommender(fitted("without hour"), items, **KEYS, users=users, seen=seen)
    before = given.recommend(["u1", "u2"])
    items["movie"] = items["movie"].to_numpy()[::-1].copy()
    users["user"] = users["user"].to_numpy()[::-1].copy()
    seen["user"] = "nobody"
    pd.testing.assert_frame_equal(given.recommend(["u1", "u2"]), before)


def test_identifiers_keep_their_type():
    items = ITEMS.assign(movie=ITEMS["movie"].astype("category"))
    found = recommender("without hour").recommend(["u1"])
    again = fm.Recommender(fitted("without hour"), items, **KEYS, users=USERS).recommend(["u1"])
    assert again["movie"].dtype == items["movie"].dtype
    assert again["movie"].tolist() == found["movie"].tolist()
    own = polars.from_pandas(ITEMS).with_columns(polars.col("movie").cast(polars.Categorical))
    given = fm.Recommender(fitted("without hour"), own, **KEYS, users=polars.from_pandas(USERS))
    joined = given.recommend(["u1"]).join(own, on="movie")
    assert len(joined) == 10
    assert given.recommend([]).schema == given.recommend(["u1"]).schema
    small = ITEMS.assign(number=np.arange(90, dtype=np.int16))
    few = fm.Recommender(fitted("without hour"), small, item="number", user="user", users=USERS)
    assert few.recommend(["u1"])["number"].dtype == np.int16


def test_contexts_and_items_of_two_libraries():
    given = recommender("without hour")
    found = given.recommend(polars.from_pandas(USERS))
    assert isinstance(found, polars.DataFrame)
    assert found["movie"].to_list() == given.recommend(USERS)["movie"].tolist()
    assert given.recommend(pa.chunked_array([["u1", "u2"]])).equals(given.recommend(["u1", "u2"]))


def test_somebody_unknown_has_seen_nothing():
    visitors = USERS.assign(user=[None, *USERS["user"][1:]])
    given = recommender("without hour", seen=pd.concat([table(), table().assign(user=None)]))
    found = given.recommend(visitors, top=90)
    assert found["user"].isna().sum() == 90
    assert (found["user"] == "u1").sum() < 90


def test_users_of_another_type_than_those_of_seen():
    numbers = table().assign(user=table()["user"].str[1:].astype(int))
    with pytest.raises(TypeError, match="users that are text, and seen has numbers"):
        recommender("without hour", seen=numbers).recommend(["u1"])


def test_names_of_what_it_is_made_of():
    shown = repr(recommender("without hour"))
    assert shown == "Recommender(90 items of movie, genres, price; contexts of user, age)"


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"item": "title"}, ValueError, "items needs a column 'title'"),
        ({"items": ITEMS.head(0)}, ValueError, "items has no rows"),
        ({"items": pd.concat([ITEMS, ITEMS[:1]])}, ValueError, "'m00' in several rows"),
        (
            {"items": ITEMS.assign(movie=None)},
            ValueError,
            "'movie' of items has a missing",
        ),
        ({"items": pd.DataFrame({"m": ["a"]}), "item": "m"}, ValueError, "none of the model"),
        ({"items": ITEMS.to_numpy()}, TypeError, "items must be a table"),
        ({"items": ITEMS.assign(user="u")}, ValueError, "items has the column 'user'"),
        ({"users": USERS.drop(columns="age")}, ValueError, "users needs the column 'age'"),
        ({"users": USERS, "user": None}, ValueError, "users needs user"),
        ({"users": pd.concat([USERS, USERS])}, ValueError, "several rows"),
        ({"seen": table(), "user": None, "users": None}, ValueError, "seen needs user"),
        ({"seen": table().assign(movie=7)}, ValueError, "none of the items: it has 7"),
        ({"seen": table()[["user"]]}, ValueError, "seen needs a column 'movie'"),
        (
            {"users": USERS.assign(price=1.0)},
            ValueError,
            "users has the column 'price', and so has",
        ),
        ({"item": "user"}, ValueError, "user is 'user', a name that another"),
        ({"item": "rank"}, ValueError, "item is 'rank', a name that another"),
        ({"user": "score"}, ValueError, "user is 'score', a name that another"),
        ({"item": 3}, TypeError, "item must be the name of a column, got 3"),
        ({"items": ITEMS.assign(movie=ITEMS["genres"])}, TypeError, "'movie' of items has a list"),
    ],
)
def test_what_recommenders_cannot_be_made_of(options, error, message):
    options = {**KEYS, "items": ITEMS, "users": USERS, **options}
    with pytest.raises(error, match=message):
        fm.Recommender(fitted("without hour"), options.pop("items"), **options)


def test_models_that_do_not_recommend():
    with pytest.raises(TypeError, match="model must be an FMRegressor"):
        fm.Recommender(ITEMS, ITEMS, item="movie")
    with pytest.raises(ValueError, match="fitted"):
        fm.Recommender(fm.FMRegressor(), ITEMS, item="movie")
    rng = np.random.default_rng(0)
    fast = {"rank": 2, "solver": fm.AdaGrad(), "epochs": 1, "search": None}
    array = fm.FMRegressor(**fast).fit(rng.random((50, 3)), rng.random(50))
    with pytest.raises(ValueError, match="names of columns"):
        fm.Recommender(array, ITEMS, item="movie")
    for loss in ("logistic", "softmax"):
        three = fm.FMClassifier(loss=loss, **fast).fit(table(), np.arange(len(table())) % 3)
        with pytest.raises(ValueError, match="each of its 3 classes"):
            fm.Recommender(three, ITEMS, item="movie")
    sampled = {"rank": 2, "solver": fm.Gibbs(samples=2), "search": None}
    ordered = fm.FMClassifier(loss="ordinal", **sampled)
    ordered.fit(table(), np.arange(len(table())) % 3)
    with pytest.raises(ValueError, match="ordinal"):
        fm.Recommender(ordered, ITEMS, item="movie")
    unnamed = fm.FMRegressor(**fast).fit(pd.DataFrame(rng.random((50, 3))), rng.random(50))
    with pytest.raises(ValueError, match="names"):
        fm.Recommender(unnamed, ITEMS, item="movie")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda given: given.recommend(["u1", "who"]),
            ValueError,
            "has 'who', which is no known",
        ),
        (lambda given: given.recommend("u1"), TypeError, "contexts must be a table"),
        (lambda given: given.recommend(["u1"], top=0), ValueError, "top"),
        (lambda given: given.recommend(["u1"], top=2.5), TypeError, "top"),
        (
            lambda given: given.recommend(["u1"], candidates=["m00", "x"]),
            ValueError,
            "candidates has 'x'",
        ),
        (lambda given: given.recommend(["u1"], candidates=[]), ValueError, "candidates has no"),
        (lambda given: given.recommend(["u1"], candidates="m00"), TypeError, "candidates must"),
        (
            lambda given: given.recommend([["u1"]]),
            TypeError,
            "contexts has a list, which is no identifier",
        ),
        (lambda given: given.recommend(USERS[["user"]]), ValueError, "column 'age'"),
        (
            lambda given: given.recommend(table()),
            ValueError,
            "contexts has the column 'movie', and",
        ),
        (lambda given: given.recommend(["u1", 1]), TypeError, "contexts mixes numbers and text"),
        (lambda given: given.recommend([None]), ValueError, "contexts has a missing identifier"),
        (lambda given: given.recommend(USERS[["age"]]), ValueError, "need"),
        (
            lambda given: given.similar_items(["x"]),
            ValueError,
            "items has 'x', which is no known item",
        ),
        (
            lambda given: given.similar_users(["x"]),
            ValueError,
            "users has 'x', which is no known user",
        ),
    ],
)
def test_what_cannot_be_asked(call, error, message):
    with pytest.raises(error, match=message):
        call(recommender("without hour", seen=table()))


def test_what_needs_more_tables():
    given = fm.Recommender(fitted("fm"), ITEMS, **KEYS)
    with pytest.raises(
        TypeError, match=r"contexts must be a table with the columns \['user', 'age'"
    ):
        given.recommend(["u1"])
    with pytest.raises(ValueError, match="similar_users needs the table of users"):
        given.similar_users(["u1"])
    flat = fm.FMRegressor(rank=0, solver=fm.AdaGrad(), epochs=1, search=None)
    flat.fit(table()[["user", "movie"]], np.arange(len(table())))
    with pytest.raises(ValueError, match="no factors"):
        fm.Recommender(flat, ITEMS, **KEYS).similar_items(["m00"])


def test_no_contexts():
    given = recommender("without hour")
    assert len(given.recommend([])) == 0
    assert len(given.recommend(USERS.head(0))) == 0
