"""`FMRegressor`: what it predicts, in which units, and what it makes of strange targets."""

import numpy as np
import pytest
from estimating import formula, products
from scipy import sparse

import sparsefm as fm

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 5, "search": None}


def r2(y, predicted):
    return 1 - np.var(y - predicted) / np.var(y)


# --- what it learns -------------------------------------------------------------------------------


def test_learns_products_that_a_linear_model_cannot():
    X, y = products(600)
    estimator = fm.FMRegressor().fit(X[:400], y[:400])
    assert estimator.score(X[400:], y[400:]) > 0.95
    assert fm.FMRegressor(rank=0).fit(X[:400], y[:400]).score(X[400:], y[400:]) < 0.8


@pytest.mark.parametrize("rank", [0, 1, 3, 17])
@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e9])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_parameters_are_in_the_users_units(rank, unit, form):
    X, y = products(150)
    y = unit * (y + 3)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        estimator = fm.FMRegressor(**FAST | {"rank": rank}, dtype=dtype).fit(form(X), y)
        assert isinstance(estimator.w0_, float)
        assert estimator.w_.shape == (4,)
        assert estimator.V_.shape == (4, rank)
        found = estimator.predict(form(X))
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, formula(estimator, form(X)), atol=tolerance * unit)


def test_insight_adds_up_to_predictions():
    pd = pytest.importorskip("pandas")
    X, y = products(150)
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": np.where(X[:, 2] > 0, "u", "v")})
    estimator = fm.FMRegressor(**FAST).fit(table, 1000 * y)
    explanation = estimator.explain(table[:20])
    np.testing.assert_allclose(explanation.scores, estimator.predict(table[:20]), rtol=1e-4)
    pairs = estimator.interactions()
    assert {*pairs["first"], *pairs["second"]} == {"a", "b", "c=u", "c=v"}
    assert estimator.field_interactions().shape == (3, 3)


@pytest.mark.parametrize("form", ["table", "dense"])
def test_shares_of_pairs_count_repeated_rows(form):
    pd = pytest.importorskip("pandas")
    left, right = np.repeat([0, 0, 1, 1], [90, 4, 3, 3]), np.repeat([0, 1, 0, 1], [90, 4, 3, 3])
    y = left * right + 0.5 * left
    X = np.column_stack([left, right])
    X = pd.DataFrame(X.astype(str), columns=["a", "b"]) if form == "table" else X
    estimator = fm.FMRegressor(**FAST).fit(X, y)
    found, looked_at = estimator.interactions(), estimator.interactions(X=X)
    for column, values in looked_at.items():
        if values.dtype == float:
            np.testing.assert_allclose(found[column], values, atol=2e-3)


# --- targets shifted and scaled -------------------------------------------------------------------


@pytest.mark.parametrize("settings", [FAST, {}])
@pytest.mark.parametrize(
    ("scale", "shift"),
    [(1, 100.0), (1000.0, 0), (2.0**40, 0), (1e-3, -5.0), (1e250, 0), (1e-250, 0)],
)
def test_targets_shifted_and_scaled(settings, scale, shift, brief_search):
    X, y = products(150)
    settings = {**settings, "dtype": "float64"}
    plain = fm.FMRegressor(**settings).fit(X, y)
    other = fm.FMRegressor(**settings).fit(X, scale * y + shift)
    expected = scale * plain.predict(X) + shift
    # Standardised targets differ by rounding, which training carries on.
    np.testing.assert_allclose(other.predict(X), expected, rtol=1e-7, atol=1e-7 * scale)
    assert other.n_iter_ == plain.n_iter_
    np.testing.assert_allclose((other.w0_ - shift) / scale, plain.w0_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.w_ / scale, plain.w_, rtol=1e-6, atol=1e-6)
    if 1e-100 < scale < 1e100:
        np.testing.assert_allclose(
            np.array(other.history_["train_loss"]) / scale**2,
            plain.history_["train_loss"],
            rtol=1e-6,
        )


def test_history_is_in_the_users_units():
    X, y = products(150)
    y = 1000 * y + 5
    estimator = fm.FMRegressor(**FAST).fit(X, y, eval_set=(X[:50], y[:50]))
    squares = np.square(estimator.predict(X[:50]) - y[:50]).mean()
    best = estimator.best_epoch_ - 1
    assert estimator.history_["rmse"][best] == pytest.approx(np.sqrt(squares), rel=1e-5)
    assert estimator.history_["val_loss"][best] == pytest.approx(squares, rel=1e-5)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
@pytest.mark.parametrize("settings", [FAST, {}, FAST | {"validation_fraction": 0.2, "epochs": 30}])
def test_extreme_targets(scale, settings, brief_search):
    X, y = products(150)
    estimator = fm.FMRegressor(**settings).fit(X, scale * y)
    plain = fm.FMRegressor(**settings).fit(X, y)
    np.testing.assert_allclose(estimator.predict(X) / scale, plain.predict(X), atol=0.01)
    assert np.isfinite(estimator.w_).all()
    assert estimator.w_.all()


def test_tiny_targets_in_an_ocean_of_offset():
    X, y = products(150)
    estimator = fm.FMRegressor(dtype="float32").fit(X, 1e-4 * y + 1e4)
    assert r2(1e-4 * y, estimator.predict(X) - 1e4) > 0.9


# --- strange targets and rows ---------------------------------------------------------------------


@pytest.mark.parametrize("constant", [0.0, 7.5, -1e300])
def test_constant_targets(constant, brief_search):
    X, _ = products(150)
    estimator = fm.FMRegressor().fit(X, np.full(150, constant))
    np.testing.assert_allclose(estimator.predict(X), constant, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3, 9, 10, 11])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_few_rows(rows, form, brief_search):
    X, y = products(150)
    estimator = fm.FMRegressor().fit(form(X[:rows]), y[:rows])
    found = estimator.predict(form(X))
    assert np.isfinite(found).all()
    if rows == 1:
        assert estimator.predict(form(X[:1])) == pytest.approx(y[0], abs=0.05)


def test_missing_values_of_tables_and_arrays():
    pd = pytest.importorskip("pandas")
    X, y = products(400)
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    y = y + 3 * np.isnan(holes[:, 3])
    for data in (holes, pd.DataFrame(holes, columns=list("abcd"))):
        estimator = fm.FMRegressor().fit(data, y)
        assert estimator.score(data, y) > 0.7
        assert np.isfinite(estimator.predict(data)).all()


def test_missing_values_that_training_never_saw_contribute_nothing():
    X, y = products(150)
    estimator = fm.FMRegressor(**FAST).fit(X, y)
    found = estimator.predict(np.full((1, 4), np.nan))
    assert found == pytest.approx(estimator.w0_, rel=1e-5)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_errors(value):
    pd = pytest.importorskip("pandas")
    X, y = products(150)
    estimator = fm.FMRegressor(**FAST).fit(X, y)
    bad = X.copy()
    bad[3, 1] = value
    for data in (bad, sparse.csr_matrix(bad), pd.DataFrame(bad)):
        with pytest.raises(ValueError, match="infinity"):
            fm.FMRegressor(**FAST).fit(data, y)
    with pytest.raises(ValueError, match="infinity"):
        estimator.predict(bad)
    for target in (value, np.nan):
        with pytest.raises(ValueError, match="Input y contains"):
            fm.FMRegressor(**FAST).fit(X, np.where(np.arange(150) == 3, target, y))
    with pytest.raises(ValueError, match="NaN"):
        fm.FMRegressor(**FAST).fit(sparse.csr_matrix(np.where(X > 1, np.nan, X)), y)


@pytest.mark.parametrize("factor", [1e6, 1e30, 1e300])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_rows_far_out_predict_finite_numbers_or_an_error_that_says_so(factor, form):
    X, y = products(150)
    estimator = fm.FMRegressor(**FAST).fit(form(X), y)
    try:
        found = estimator.predict(form(factor * X))
    except ValueError as error:
        assert "far from" in str(error)  # noqa: PT017
    else:
        assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="infinity"):
        estimator.predict(form(np.full((1, 4), np.inf)))


@pytest.mark.parametrize("shape", [(0, 3), (5, 0)])
def test_empty_data(shape):
    pd = pytest.importorskip("pandas")
    for data in (np.empty(shape), sparse.csr_matrix(shape), pd.DataFrame(np.empty(shape))):
        with pytest.raises(ValueError, match=r"0 (sample|feature)"):
            fm.FMRegressor().fit(data, np.zeros(shape[0]))


def test_all_columns_constant():
    y = np.arange(300.0) / 10
    for settings in (FAST, {}):
        found = fm.FMRegressor(**settings).fit(np.ones((300, 2)), y).predict(np.ones((3, 2)))
        assert len(set(found)) == 1
        assert found[0] == pytest.approx(15, abs=1)


def test_targets_of_all_types():
    X, y = products(150)
    expected = fm.FMRegressor(**FAST).fit(X, y).predict(X)
    for same in (list(y), y.astype(object), y[:, None][:, 0], y.astype(">f8")):
        assert np.array_equal(fm.FMRegressor(**FAST).fit(X, same).predict(X), expected)
    whole = np.arange(150) % 7
    expected = fm.FMRegressor(**FAST).fit(X, whole.astype(float)).predict(X)
    for same in (whole, whole.astype(np.uint8), whole.tolist()):
        assert np.array_equal(fm.FMRegressor(**FAST).fit(X, same).predict(X), expected)
    for wrong in (np.c_[y, y], y[:-1], [["a"] * 150][0], y + 1j, None):
        with pytest.raises((TypeError, ValueError), match=r"\by\b"):
            fm.FMRegressor(**FAST).fit(X, wrong)
    with pytest.raises(TypeError, match="real numbers"):
        fm.FMRegressor(**FAST).fit(X, np.full(150, np.datetime64("2020-01-01")))


@pytest.mark.parametrize(
    "weights", [-np.ones(150), np.zeros(150), np.full(150, np.nan), np.ones(3), ["a"] * 150]
)
def test_wrong_weights(weights):
    X, y = products(150)
    with pytest.raises((ValueError, TypeError), match="sample_weight"):
        fm.FMRegressor(**FAST).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("unit", [1e308, 1e-300, 2.0**-1000])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_units_of_weights_do_not_matter(unit, form):
    X, y = products(150)
    # In one batch: weights that differ by rounding put the rows in another order.
    settings = FAST | {"dtype": "float64", "batch_size": 150, "init": "normal"}
    weights = np.arange(150) / 150

    def fit(sample_weight):
        estimator = fm.FMRegressor(**settings).fit(form(X), y, sample_weight=sample_weight)
        return estimator.predict(form(X))

    np.testing.assert_allclose(fit(unit * weights), fit(weights), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit(np.full(150, unit)), fit(None), rtol=1e-6, atol=1e-9)
