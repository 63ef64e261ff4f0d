"""`fold_in`: new categories are learned as a plain reference does, and nothing else changes."""

import copy
import pickle
import time

import numpy as np
import pandas as pd
import pytest
from catalogue import FAST, fitted, table
from scipy.optimize import minimize

import sparsefm as fm
from sparsefm.estimators import folding, going_on

EXACT = {"rank": 3, "epochs": 4, "search": None, "dtype": "float64", "solver": fm.AdaGrad()}
MODELS = {
    "squared": fm.FMRegressor(**EXACT),
    "huber": fm.FMRegressor(**EXACT, loss=fm.losses.Huber(delta=0.3)),
    "logistic": fm.FMClassifier(**EXACT),
    "linear": fm.FMRegressor(**EXACT | {"rank": 0}),
    "fwfm": fm.FMRegressor(**EXACT, variant="fwfm"),
    "ffm": fm.FMClassifier(**EXACT, variant="ffm"),
    "als": fm.FMRegressor(**EXACT | {"solver": fm.ALS()}),
    "gibbs": fm.FMRegressor(**EXACT | {"solver": fm.Gibbs(samples=4), "epochs": 20}),
    "gibbs classifier": fm.FMClassifier(**EXACT | {"solver": fm.Gibbs(samples=4), "epochs": 20}),
}


def model_of(name):
    rows = table()
    y = rows["age"] / 20 + rows["price"] * (rows["hour"] == "day")
    y += np.random.default_rng(0).normal(size=len(rows))
    model = MODELS[name]
    return copy.copy(model).fit(rows, (y > y.median()) if hasattr(model, "class_weight") else y)


def newcomer(name="new", rows=7, seed=0):
    """Return rows of one user, and their targets as numbers."""
    found = table().sample(rows, random_state=seed).assign(user=name).reset_index(drop=True)
    return found, np.random.default_rng(seed).normal(2, 1.5, rows)


def given(model, y):
    return y > 2 if isinstance(model, fm.FMClassifier) else y


# --- a plain reference ----------------------------------------------------------------------------


def machines(model):
    """Return offset, scale, noise and the model of each sample, or of the model alone."""
    learnt = model._models[0]
    if not isinstance(learnt, fm.sampling.SampledModel):
        return [(0, 1, None, learnt)]
    return [
        (learnt.offset, learnt.scale, one.noise**2, fm.Model(one.w0, one.w, one.V))
        for one in learnt.samples
    ]


def with_parameters(machine, feature, theta):
    """Return a model in which one feature has the parameters theta = (w, v)."""
    w, V = machine.w.copy(), machine.V.copy()
    w[feature], V[feature] = theta[0], theta[1:].reshape(V.shape[1:])
    more = {name: getattr(machine, name) for name in ("fields", "R") if hasattr(machine, name)}
    return type(machine)(machine.w0, w, V, machine.task, machine.loss, **more)


def prior(machine, features):
    w, V = machine.w[features], machine.V[features].reshape(len(features), -1)
    theta = np.array([[one, *v] for one, v in zip(w, V, strict=True)])
    n, r = theta.shape
    mean = theta.mean(axis=0)
    S = sum(np.outer(one - mean, one - mean) for one in theta)
    squares = [np.mean(theta[:, 0] ** 2), *[np.mean(theta[:, 1:] ** 2) if r > 1 else 0] * (r - 1)]
    return mean, (S + r * np.diag(squares)) / (n + r)


def loss_of(name, y, s):
    if name == "huber":
        e = np.abs(s - y)
        return np.where(e <= 0.3, e**2 / 2, 0.3 * (e - 0.15))
    if name in ("logistic", "ffm"):
        return np.logaddexp(0, -(2 * y - 1) * s)
    if name == "gibbs classifier":
        from scipy.stats import norm

        return -norm.logcdf((2 * y - 1) * s)
    return (s - y) ** 2 / 2


def expected(name, machine, before, known, X, feature, y, weights, noise):
    """Return the most likely parameters of a category by scoring, differences and BFGS."""
    r = 1 + int(np.prod(machine.V.shape[1:]))
    mean, covariance = prior(before, known)
    c = with_parameters(machine, feature, np.zeros(r)).score(X)
    units = [with_parameters(machine, feature, unit).score(X) - c for unit in np.eye(r)]
    A, precision = np.column_stack(units), np.linalg.inv(covariance)

    def objective(theta):
        fit = np.sum(weights * loss_of(name, y, c + A @ theta)) / noise
        return fit + (theta - mean) @ precision @ (theta - mean) / 2

    # In units in which the prior is round.
    root = np.linalg.cholesky(covariance)
    found = minimize(lambda u: objective(mean + root @ u), np.zeros(r), options={"gtol": 1e-8})
    return mean + root @ found.x


@pytest.mark.parametrize("name", MODELS)
def test_the_parameters_are_those_of_a_plain_reference(name, monkeypatch):
    monkeypatch.setattr(folding, "_normals", lambda n, r: np.zeros((n, r)))
    model = model_of(name)
    before, known = machines(model), model.encoder_._encodings[0].columns
    rows, y = newcomer()
    weights = np.array([1.0, 2, 1, 0.5, 1, 1, 3])
    model.fold_in(rows, given(model, y), column="user", sample_weight=weights)
    X = model.encoder_.transform(rows).toarray()
    feature = X.shape[1] - 1
    assert (X[:, feature] == 1).all()
    codes = model._target.codes(given(model, y)).astype(float)
    noise = 1.0
    if isinstance(model, fm.FMRegressor):  # the mean squared error of the last epoch
        half = 2 if model._loss.name == "squared" else 1
        noise = 2 * model.history_["train_loss"][-1] / (model._target.loss_unit * half)
    for (offset, scale, own, machine), (*_, old) in zip(machines(model), before, strict=True):
        variance = noise if own is None or not isinstance(model, fm.FMRegressor) else own
        target = (codes - offset) / scale
        theta = expected(name, machine, old, known, X, feature, target, weights, variance)
        learnt = np.array([machine.w[feature], *machine.V[feature].ravel()])
        np.testing.assert_allclose(learnt, theta, rtol=2e-4, atol=2e-5)


# --- all else stays -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["fm", "fwfm", "ffm", "pairs", "gibbs", "gibbs classifier", "float64", "linear"]
)
def test_all_other_rows_stay_to_the_bit(name, tmp_path):
    model = copy.deepcopy(fitted(name))
    rows = table()
    predict = getattr(model, "predict_proba", model.predict)
    before, unknown = predict(rows), predict(newcomer()[0])
    names = model.get_feature_names_out()
    new, y = newcomer()
    y = (y > 2) * 1 if isinstance(model, fm.FMClassifier) else y
    assert model.fold_in(new, y, column="user") is model
    assert np.array_equal(predict(rows), before)
    assert not np.array_equal(predict(new), unknown)
    assert model.get_feature_names_out().tolist() == [*names, "user=new"]
    after = predict(new)
    assert np.array_equal(predict(new.assign(user="other")), unknown)
    for other in (pickle.loads(pickle.dumps(model)), saved(model, tmp_path)):
        found = getattr(other, "predict_proba", other.predict)
        assert np.array_equal(found(new), after)
        assert np.array_equal(found(other.fold_in(new, y, column=0) and new), after)
    items = new[["movie", "genres", "price"]].drop_duplicates("movie")
    given = fm.Recommender(model, items, item="movie", user="user")
    contexts = new.drop(columns=items.columns)
    assert len(given.recommend(contexts, top=2)) == 14
    assert len(model.interactions(top=3)["first"]) in (0, 3)


def saved(model, tmp_path):
    model.save(tmp_path / "model")
    return fm.load(tmp_path / "model")


def test_the_result_depends_on_the_rows_of_a_category_alone():
    first, second = copy.deepcopy(fitted("fm")), copy.deepcopy(fitted("fm"))
    (a, y), (b, z) = newcomer("a"), newcomer("b", 4, 1)
    both = pd.concat([b, a], ignore_index=True)
    first.fold_in(both, np.append(z, y) > 2, column="user")
    other = newcomer("a", 5, 3)
    second.fold_in(other[0], other[1] > 2, column="user")  # what is learned anew below
    second.fold_in(a, y > 2, column="user").fold_in(b, z > 2, column="user")
    for rows in (a, b):
        found = [one.decision_function(rows) for one in (first, second)]
        np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
    assert second.encoder_.n_features_out_ == first.encoder_.n_features_out_


def test_a_known_category_is_learned_anew_and_others_stay():
    model = copy.deepcopy(fitted("fm"))
    rows, others = newcomer("u3")[0], table()[table()["user"] != "u3"]
    before, shared = model.decision_function(others), copy.copy(model)
    unlike = model.decision_function(rows)
    model.fold_in(rows, np.zeros(7, int), column="user")
    assert np.array_equal(model.decision_function(others), before)
    assert (model.decision_function(rows) < unlike).all()
    assert np.array_equal(shared.decision_function(rows), unlike)


def test_a_large_model_is_changed_in_place(monkeypatch):
    rows, y = newcomer()
    known = newcomer("u3")[0]
    small = copy.deepcopy(fitted("ffm"))
    small.fold_in(rows, y, column="user").fold_in(known, y, column="user")
    monkeypatch.setattr(going_on, "SMALL_MODEL", 0)
    model = copy.deepcopy(fitted("ffm"))
    before = model.predict(table())
    shared = copy.copy(model)
    model.fold_in(rows, y, column="user").fold_in(known, y, column="user")
    assert np.array_equal(model.predict(rows), small.predict(rows))
    assert np.array_equal(model.predict(known), small.predict(known))
    assert np.array_equal(shared.predict(table()), before)
    after = model.predict(known)
    with pytest.raises(ValueError, match="too large"):
        model.fold_in(known, np.full(7, 1e300), column="user")
    assert np.array_equal(model.predict(known), after)


def test_training_goes_on():
    model = copy.deepcopy(fitted("fwfm"))
    rows, y = newcomer()
    model.fold_in(rows, y > 2, column="user")
    before, [state] = model.decision_function(rows), model._learner.states
    np.testing.assert_allclose(state.scalars[:, 0], np.sum(state.V**2, axis=1), rtol=1e-5)
    model.partial_fit(rows, y > 2)
    assert not np.array_equal(model.decision_function(rows), before)
    assert model.encoder_.n_features_out_ == fitted("fwfm").encoder_.n_features_out_ + 1
    assert model._priors == {}


def test_rows_of_weight_zero_are_left_out():
    model, other = copy.deepcopy(fitted("fm")), copy.deepcopy(fitted("fm"))
    (a, y), (b, z) = newcomer("a"), newcomer("b", 4, 1)
    both = pd.concat([a, b], ignore_index=True)
    weights = np.repeat([1.0, 0.0], [7, 4])
    model.fold_in(both, np.append(y, z) > 2, column="user", sample_weight=weights)
    other.fold_in(a, y > 2, column="user")
    assert np.array_equal(model.decision_function(both), other.decision_function(both))
    assert model.get_feature_names_out()[-1] == "user=a"  # and no user=b
    twice = pd.concat([a, a], ignore_index=True)
    model.fold_in(twice, np.append(y, y) > 2, column="user")
    other.fold_in(a, y > 2, column="user", sample_weight=np.full(7, 2.0))
    np.testing.assert_allclose(*[one.decision_function(a) for one in (model, other)], rtol=1e-4)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library):
    pytest.importorskip(library)
    import narwhals

    model, other = copy.deepcopy(fitted("fm")), copy.deepcopy(fitted("fm"))
    rows, y = newcomer()
    table = narwhals.from_dict(rows.to_dict("list"), backend=library).to_native()
    model.fold_in(table, y > 2, column="user")
    other.fold_in(rows, y > 2, column="user")
    assert np.array_equal(model.decision_function(rows), other.decision_function(rows))


def test_each_class_against_the_rest():
    rows = table()
    rng = np.random.default_rng(0)
    model = fm.FMClassifier(**FAST, loss="logistic").fit(rows, rng.choice(list("abc"), len(rows)))
    new = newcomer()[0]
    before = model.predict_proba(new)
    model.fold_in(new, ["b"] * 7, column="user")
    assert (model.predict_proba(new)[:, 1] > before[:, 1]).all()


# --- is it any good? ------------------------------------------------------------------------------


def ratings(seed, few):
    """Return training rows, a few rows of new users, and others of theirs."""
    rng = np.random.default_rng(seed)
    n, taste, kind = 240, rng.normal(0.3, 0.5, (240, 4)), rng.normal(0, 0.7, (120, 4))
    of_user, of_film = rng.normal(0, 0.4, n), rng.normal(0, 0.5, 120)
    user = np.repeat(np.arange(n), 40)
    film = np.concatenate([rng.choice(120, 40, replace=False) for _ in range(n)])
    y = of_user[user] + of_film[film] + np.sum(taste[user] * kind[film], axis=1)
    rows = pd.DataFrame({"user": user, "film": film}).astype(str)
    rows["y"] = y + rng.normal(0, 0.5, len(y))
    is_new, place = user >= 200, np.tile(np.arange(40), n)
    return rows[~is_new], rows[is_new & (place < few)], rows[is_new & (place >= 20)]


@pytest.mark.parametrize("solver", [fm.AdaGrad(), fm.Gibbs()], ids=["adagrad", "gibbs"])
@pytest.mark.parametrize("seed", [11, 12])
def test_new_users_are_predicted_better_with_every_row(solver, seed):
    errors, columns = [], ["user", "film"]
    for few in (0, 2, 8, 20):
        train, some, test = ratings(seed, few)
        model = fm.FMRegressor(rank=4, solver=solver, epochs=20, search=None)
        model.fit(train[columns], train["y"])
        if few:
            model.fold_in(some[columns], some["y"], column="user")
        errors.append(np.sqrt(np.mean((model.predict(test[columns]) - test["y"]) ** 2)))
    none, two, eight, twenty = errors
    assert two < 0.97 * none
    assert eight < 0.93 * two
    assert twenty < 0.95 * eight


def test_samples_tell_how_uncertain_new_users_are():
    columns = ["user", "film"]
    for few in (2, 10):
        train, some, test = ratings(13, few)
        model = fm.FMRegressor(rank=4, solver=fm.Gibbs(), epochs=40, search=None, bounds=None)
        model.fit(train[columns], train["y"]).fold_in(some[columns], some["y"], column="user")
        low, high = model.predict_quantiles(test[columns], (0.05, 0.95)).T
        assert 0.84 < np.mean((low <= test["y"]) & (test["y"] <= high)) < 0.95


@pytest.mark.parametrize("name", ["fm", "gibbs"])
def test_a_user_takes_less_than_five_milli_seconds(name):
    model = copy.deepcopy(fitted(name))
    rows, y = newcomer(rows=5)
    y, took = (y > 2) * 1 if isinstance(model, fm.FMClassifier) else y, []
    for number in range(30):
        new = rows.assign(user=f"new {number}")
        begin = time.thread_time()
        model.fold_in(new, y, column="user")
        took.append(time.thread_time() - begin)
    assert min(took) < 0.005


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"column": "age"}, ValueError, "column names 'age'"),
        ({"column": "genres"}, ValueError, "column names 'genres'"),
        ({"column": "nothing"}, ValueError, "column"),
        ({"column": None}, TypeError, "column"),
        ({"y": [1] * 6}, ValueError, "y has"),
        ({"y": [7] * 7}, ValueError, "y holds the class 7"),
        ({"y": None}, ValueError, "requires y"),
        ({"sample_weight": [-1.0] * 7}, ValueError, "sample_weight"),
        ({"sample_weight": [0.0] * 7}, ValueError, "sample_weight"),
        ({"sample_weight": [1.0] * 6}, ValueError, "sample_weight"),
    ],
)
def test_bad_arguments(change, error, text):
    model = copy.copy(fitted("fm"))
    rows, y = newcomer()
    before = model.decision_function(rows)
    arguments = {"X": rows, "y": (y > 2) * 1, "column": "user"} | change
    with pytest.raises(error, match=text):
        model.fold_in(**arguments)
    assert np.array_equal(model.decision_function(rows), before)


def test_bad_rows():
    model = copy.copy(fitted("fm"))
    rows, y = newcomer()
    with pytest.raises(ValueError, match="column 'user' has no value in row 2"):
        model.fold_in(rows.assign(user=["a", "a", None, *"aaaa"]), y > 2, column="user")
    with pytest.raises(TypeError, match="'user'"):
        model.fold_in(rows.assign(user=range(7)), y > 2, column="user")
    with pytest.raises(ValueError, match="feature names"):
        model.fold_in(rows.drop(columns="age"), y > 2, column="user")
    with pytest.raises(ValueError, match="0 sample"):
        model.fold_in(rows[:0], y[:0] > 2, column="user")
    plain = copy.copy(fitted("without hour"))
    with pytest.raises(ValueError, match="too large"):
        plain.fold_in(rows.drop(columns="hour"), np.full(7, 1e300), column="user")
    with pytest.raises(ValueError, match="y contains"):
        plain.fold_in(rows.drop(columns="hour"), np.full(7, np.nan), column="user")


def test_what_says_no_likelihood_is_refused():
    rows, y = newcomer()
    with pytest.raises(ValueError, match="loss='hinge'"):
        copy.copy(fitted("hinge")).fold_in(rows, y > 2, column="user")
    balanced = fm.FMClassifier(**FAST, class_weight="balanced").fit(table(), table()["age"] > 40)
    with pytest.raises(ValueError, match="class_weight='balanced'"):
        balanced.fold_in(rows, y > 2, column="user")
    softmax = fm.FMClassifier(**FAST, loss="softmax").fit(table(), table()["age"] // 20)
    with pytest.raises(ValueError, match="loss='softmax'"):
        softmax.fold_in(rows, [1] * 7, column="user")
    matrix = fm.FMRegressor(**FAST).fit(np.eye(6), range(6))
    with pytest.raises(ValueError, match="column names 'x0'"):
        matrix.fold_in(np.eye(6), range(6), column=0)
