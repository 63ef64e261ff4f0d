"""The estimators as citizens of scikit-learn: everything that its tools expect of them."""

import copy
import pickle

import numpy as np
import pytest
from estimating import products, scores_of, targets, tried
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

import sparsefm as fm

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 4, "search": None}


KINDS = [fm.FMRegressor(), fm.FMClassifier(), fm.FMClassifier(loss="hinge")]


@parametrize_with_checks(KINDS)
def test_scikit_learn_finds_no_fault(estimator, check, brief_search):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(KINDS)
def test_scikit_learn_finds_no_fault_in_long_searches(estimator, check):
    check(estimator)


# --- parameters -----------------------------------------------------------------------------------

WRONG = {
    "rank": [-1, 1.5, "2", True],
    "variant": ["ffffm", 3, True],
    "pairs": [[], "ab", [(0, 1, 2)], {(0, 1)}, [(0, 9)], [("x0", "no")], 3],
    "solver": ["adam", fm.Adam, 0.1],
    "epochs": [0, 2.5, "3", True, [], [3, 0], [2.5]],
    "batch_size": [0, 1.5, "x"],
    "init": ["zeros", 1],
    "init_scale": [-1, "a", np.inf, np.nan],
    "encoder": ["standardize", 3, fm.TableEncoder],
    "early_stopping": ["yes", None, 2],
    "validation_fraction": [0, 1, 1.5, -0.1, "x", np.nan],
    "patience": [0, 1.5, None],
    "min_delta": [-1, np.nan, "x"],
    "scoring": ["no_such_metric", 3, lambda a, b: 0.0],
    "warm_start": ["x", None],
    "callbacks": [3, [3], print],
    "search": ["slow", 3, True],
    "search_seconds": [0, -1, "x", np.nan],
    "random_state": ["x", -1, 1.5],
    "n_threads": [0, -1, 1.5, "x"],
    "dtype": ["int32", int, None, "float16"],
    "verbose": ["x", 7],
    "loss": ["squared", 3, ("logistic",)],
    "class_weight": ["even", 3, {"up": -1.0, "down": 1.0}],
}


def test_every_parameter_is_tried():
    assert WRONG.keys() == fm.FMClassifier().get_params(deep=False).keys()
    of_regressor = fm.FMRegressor().get_params(deep=False).keys() - {"bounds"}  # test_bounds.py
    assert WRONG.keys() - {"class_weight"} == of_regressor


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_parameter_is_named_when_it_is_used(name):
    X, y = products()
    for value in WRONG[name]:
        estimator = fm.FMClassifier(**{name: value})  # no error yet
        with pytest.raises((TypeError, ValueError), match=name):
            estimator.fit(X, targets(fm.FMClassifier, y))
        with pytest.raises(NotFittedError):
            estimator.predict(X)


def test_fit_changes_no_parameter(kind):
    X, y = products()
    encoder = fm.TableEncoder(numeric="bin", dtype="float32")
    estimator = kind(encoder=encoder, dtype="float64", **FAST)
    before = estimator.get_params()
    estimator.fit(X, targets(kind, y))
    assert estimator.get_params() == before
    assert estimator.encoder is encoder
    assert not hasattr(encoder, "n_features_in_")
    assert encoder.dtype == "float32"
    assert estimator.encoder_.numeric == "bin"


def test_clone_has_the_parameters_and_nothing_else(kind):
    X, y = products()
    estimator = kind(encoder=fm.TableEncoder(n_bins=7), **FAST).fit(X, targets(kind, y))
    copied = clone(estimator)
    assert copied.encoder is not estimator.encoder
    assert copied.encoder.n_bins == 7
    assert copied.solver == FAST["solver"]
    with pytest.raises(NotFittedError):
        copied.predict(X)
    copied.set_params(rank=5, encoder__n_bins=9)
    assert (copied.rank, copied.encoder.n_bins, estimator.encoder.n_bins) == (5, 9, 7)
    assert np.array_equal(
        scores_of(clone(estimator).fit(X, targets(kind, y)), X), scores_of(estimator, X)
    )


def test_nothing_is_there_before_fit(kind):
    estimator = kind()
    for name in ("w0_", "w_", "V_", "classes_", "n_iter_", "history_", "encoder_"):
        assert not hasattr(estimator, name)
    for method in ("predict", "explain"):
        with pytest.raises(NotFittedError):
            getattr(estimator, method)([[1.0]])


# --- composition ----------------------------------------------------------------------------------


def test_in_a_pipeline_behind_a_column_transformer(kind):
    pd = pytest.importorskip("pandas")
    X, y = products()
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": np.where(X[:, 2] > 0, "u", "v")})
    columns = make_column_transformer((MinMaxScaler(), ["a", "b"]), (OneHotEncoder(), ["c"]))
    model = make_pipeline(columns, kind(**FAST)).fit(table, targets(kind, y))
    by_hand = kind(**FAST).fit(clone(columns).fit_transform(table), targets(kind, y))
    expected = scores_of(by_hand, columns.fit(table).transform(table))
    assert np.array_equal(scores_of(model, table), expected)
    assert np.array_equal(
        scores_of(pickle.loads(pickle.dumps(model)), table), scores_of(model, table)
    )


def test_grid_search_in_parallel(kind):
    X, y = products()
    grid = {
        "rank": [0, 2],
        "solver": [fm.Adam(), fm.AdaGrad(learning_rate=0.3)],
        "encoder__numeric": ["standardize", "bin"],
    }
    search = GridSearchCV(
        kind(epochs=8, search=None, encoder=fm.TableEncoder()), grid, cv=2, n_jobs=2
    )
    search.fit(X, targets(kind, y))
    found = search.cv_results_["mean_test_score"]
    assert np.isfinite(found).all()
    assert len(np.unique(found)) > 4
    alone = GridSearchCV(clone(search.estimator), grid, cv=2).fit(X, targets(kind, y))
    assert np.array_equal(alone.cv_results_["mean_test_score"], found)


def test_cross_validation(kind):
    X, y = products(400)
    assert cross_val_score(kind(), X, targets(kind, y), cv=3).mean() > 0.85


def test_weights_and_validation_data_are_routed(kind):
    X, y = products()
    y, weights = targets(kind, y), np.arange(120) % 3
    with config_context(enable_metadata_routing=True):
        asking = kind(**FAST).set_fit_request(sample_weight=True, eval_set=True)
        model = make_pipeline("passthrough", asking)
        model.fit(X, y, sample_weight=weights, eval_set=(X[:50], y[:50]))
        plain = kind(**FAST).fit(X, y, sample_weight=weights, eval_set=(X[:50], y[:50]))
        assert np.array_equal(scores_of(model, X), scores_of(plain, X))
        assert model[-1].history_["val_loss"] == plain.history_["val_loss"]
        scorer = (
            kind(**FAST).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        params = {"sample_weight": weights}
        assert np.isfinite(cross_val_score(scorer, X, y, params=params, cv=2)).all()


WRAPPERS = {
    "calibration": lambda kind: CalibratedClassifierCV(kind(loss="hinge", **FAST), cv=3),
    "one against the rest": lambda kind: OneVsRestClassifier(kind(**FAST)),
    "bagging": lambda kind: (BaggingRegressor if kind is fm.FMRegressor else BaggingClassifier)(
        kind(**FAST), n_estimators=3
    ),
    "targets": lambda kind: TransformedTargetRegressor(
        kind(**FAST), func=np.arcsinh, inverse_func=np.sinh
    ),
    "voting": lambda kind: VotingClassifier(
        [(str(seed), kind(random_state=seed, **FAST)) for seed in range(2)], voting="soft"
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_inside_other_estimators(name):
    X, y = products(300)
    kind = fm.FMRegressor if name == "targets" else fm.FMClassifier
    estimator = WRAPPERS[name](kind).fit(X, targets(kind, y))
    assert estimator.score(X, targets(kind, y)) > (0.3 if kind is fm.FMRegressor else 0.7)
    drops = permutation_importance(estimator, X, targets(kind, y), n_repeats=3, random_state=0)
    assert drops.importances_mean.argmin() == 3  # which says nothing


# --- copies ---------------------------------------------------------------------------------------


def by_joblib(estimator, folder):
    joblib = pytest.importorskip("joblib")
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


COPIES = {
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
    "joblib": by_joblib,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()])
def test_copies_predict_and_train_alike(kind, how, solver, tmp_path):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST | {"solver": solver}).fit(X, y)
    copied = COPIES[how](estimator, tmp_path)
    assert np.array_equal(scores_of(copied, X), scores_of(estimator, X))
    before = scores_of(estimator, X)
    copied.partial_fit(X[:50], y[:50])
    assert np.array_equal(scores_of(estimator, X), before)  # they share nothing
    estimator.partial_fit(X[:50], y[:50])
    assert not np.array_equal(scores_of(estimator, X), before)
    assert np.array_equal(scores_of(copied, X), scores_of(estimator, X))


# --- forms of input -------------------------------------------------------------------------------


def test_sparse_formats_are_one(kind):
    X, y = products()
    y = targets(kind, y)
    expected = scores_of(kind(**FAST).fit(sparse.csr_matrix(X), y), sparse.csr_matrix(X))
    for form in ("csr", "csc", "coo", "lil", "dok", "bsr"):
        for make in (getattr(sparse, f"{form}_matrix"), getattr(sparse, f"{form}_array")):
            found = kind(**FAST).fit(make(X), y)
            assert np.array_equal(scores_of(found, make(X)), expected), make


def test_types_of_ones_are_one(kind):
    X, y = products()
    y = targets(kind, y)
    for form in (np.asarray, sparse.csr_matrix):
        expected = scores_of(kind(**FAST).fit(form(X > 0.0), y), form(X > 0.0))
        for dtype in (np.int8, np.uint64, np.float32, np.float64):
            ones = form((X > 0).astype(dtype))
            assert np.array_equal(scores_of(kind(**FAST).fit(ones, y), ones), expected)
    redundant = sparse.csr_matrix(X)
    redundant.data[::7] = 0
    clean = redundant.copy()
    clean.eliminate_zeros()
    expected = scores_of(kind(**FAST).fit(clean, y), clean)
    assert np.array_equal(scores_of(kind(**FAST).fit(redundant, y), redundant), expected)


def test_dense_formats_are_one(kind):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST).fit(X, y)
    expected = scores_of(estimator, X)
    for same in (X.tolist(), np.asfortranarray(X), X[::-1][::-1], X.astype(object)):
        assert np.array_equal(scores_of(estimator, same), expected)
        assert np.array_equal(scores_of(kind(**FAST).fit(same, list(y)), X), expected)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_are_one(kind, library):
    pytest.importorskip("narwhals")
    pd = pytest.importorskip("pandas")
    module = pytest.importorskip(library)
    X, y = products()
    text = [["a", "b", "c", None][int(x * 100) % 4] for x in X[:, 2]]
    data = {"x": X[:, 0].tolist(), "text": text, "flag": (X[:, 1] > 0).tolist()}
    table = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    labels = targets(kind, y)
    column = module.array(labels) if library == "pyarrow" else module.Series(labels.tolist())
    reference = kind(**FAST).fit(pd.DataFrame(data), pd.Series(labels))
    found = kind(**FAST).fit(table, column)
    assert found.feature_names_in_.tolist() == ["x", "text", "flag"]
    assert np.array_equal(scores_of(found, table), scores_of(reference, pd.DataFrame(data)))
    assert np.array_equal(scores_of(reference, table), scores_of(found, pd.DataFrame(data)))
    assert list(found.get_feature_names_out()) == list(found.encoder_.get_feature_names_out())
    assert "text=missing" in list(found.get_feature_names_out())


def test_column_names_are_checked(kind):
    pd = pytest.importorskip("pandas")
    X, y = products()
    table = pd.DataFrame(X, columns=list("abcd"))
    estimator = kind(**FAST).fit(table, targets(kind, y))
    assert estimator.n_features_in_ == 4
    for wrong in (table.rename(columns={"a": "z"}), table[list("badc")], table[list("abc")]):
        with pytest.raises(ValueError, match="feature names"):
            estimator.predict(wrong)
    with pytest.warns(UserWarning, match="valid feature names"):
        estimator.predict(X)
    with pytest.raises(ValueError, match="3 features, but"):
        kind(**FAST).fit(X, targets(kind, y)).predict(X[:, :3])


# --- types and threads ----------------------------------------------------------------------------


def test_dtype_is_that_of_the_parameters_in_training(kind):
    X, y = products()
    y = targets(kind, y)
    single, double = (  # in one batch: which rows share one depends on their last bits
        kind(dtype=dtype, batch_size=1000, init="normal", **FAST).fit(X, y)
        for dtype in ("float32", "float64")
    )
    differences = scores_of(single, X) - scores_of(double, X)
    assert 0 < np.abs(differences).max() < 1e-5
    before = scores_of(single, X)
    single.set_params(dtype="float64")  # has no effect before the next fit
    assert np.array_equal(scores_of(single, X), before)
    single.partial_fit(X, y)
    assert np.array_equal(scores_of(single.fit(X, y), X), scores_of(double, X))


@pytest.mark.parametrize("settings", [{}, {"rank": 3, "solver": fm.Adam(updates="exact")}])
def test_threads_change_no_bit(kind, settings, brief_search):
    X, y = products(300)
    y = targets(kind, y)
    found = [kind(n_threads=threads, **settings).fit(X, y) for threads in (1, 2, 3)]
    for other in found[1:]:
        assert np.array_equal(scores_of(other, X), scores_of(found[0], X))
        assert np.array_equal(other.V_, found[0].V_)
        assert tried(other) == tried(found[0])
    again = kind(random_state=1, **settings).fit(X, y)
    assert not np.array_equal(scores_of(again, X), scores_of(found[0], X))


def test_random_states_of_all_kinds(kind):
    X, y = products()
    y = targets(kind, y)

    def fit(random_state):
        return scores_of(kind(random_state=random_state, **FAST).fit(X, y), X)

    assert np.array_equal(fit(3), fit(np.int64(3)))
    assert np.array_equal(fit(np.random.RandomState(5)), fit(np.random.RandomState(5)))
    assert not np.array_equal(fit(None), fit(None))
