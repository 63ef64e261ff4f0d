"""`TableEncoder` on dense arrays and sparse matrices, and as a scikit-learn transformer."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from sparsefm.encoding import TableEncoder

DENSE = np.random.default_rng(0).normal(3, 2, (50, 3))
RANDOM = sparse.random(60, 8, density=0.3, format="csr", dtype="f4", random_state=0)


def test_scikit_learns_own_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a check that is skipped
        results = check_estimator(TableEncoder(), on_fail=None)
    assert {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"} == {}


# --- dense --------------------------------------------------------------------------------------


def test_dense_columns_are_standardised_as_scikit_learn_does():
    X = np.c_[DENSE, DENSE[:, 0] > 3]
    fitted = TableEncoder(dtype="float64").fit(X)
    expected = np.c_[StandardScaler().fit_transform(DENSE), X[:, 3]]
    np.testing.assert_allclose(fitted.transform(X).toarray(), expected, rtol=1e-12)
    assert fitted.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]
    assert fitted.get_feature_names_out(list("abcd")).tolist() == list("abcd")
    single = TableEncoder().fit(X.tolist()).transform(X.tolist())
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1, 1e300, 1.7e308])
def test_any_scale(size):
    unit = np.array([-1.0, -0.5, 0.25, 1.0])
    X = TableEncoder(dtype="float64").fit_transform((unit * size)[:, None]).toarray().ravel()
    np.testing.assert_allclose(X, (unit - unit.mean()) / unit.std(), rtol=1e-3)


def test_small_changes_of_large_numbers():
    noise = np.random.default_rng(0).integers(-3, 4, 1001) / 1024.0
    X = TableEncoder(dtype="float64").fit_transform((1e9 + noise)[:, None]).toarray().ravel()
    np.testing.assert_allclose(X, (noise - noise.mean()) / noise.std(), atol=1e-3)


def test_far_from_training():
    fitted = TableEncoder().fit([[0], [1]])
    with pytest.raises(ValueError, match="column 'x0' holds 1e\\+300 in row 1, too far"):
        fitted.transform([[1], [1e300]])


def test_values_far_out_count_as_the_nearest_that_is_not():
    usual = np.arange(1001) / 1000  # the middle 98% are [0.01, 0.99]
    fitted = TableEncoder(dtype="float64").fit(np.r_[usual, 1e6][:, None])
    probes = np.array([-1e300, -0.49, 0.5, 1.49, 1e6, 1e300])[:, None]
    low, near_low, middle, near_high, high, higher = fitted.transform(probes).toarray().ravel()
    assert low == pytest.approx(near_low, rel=0.01)
    assert high == higher == pytest.approx(near_high, rel=0.01)
    assert middle == pytest.approx(0, abs=0.01)
    assert 3 < high < 4  # uniform: 1 / (1 / sqrt(12))


def test_nothing_of_a_normal_column_is_far_out():
    x = np.random.default_rng(0).normal(size=(20_000, 1))
    X = TableEncoder(dtype="float64").fit_transform(x).toarray()
    np.testing.assert_allclose(X, (x - x.mean()) / x.std(), rtol=1e-10, atol=1e-12)


def test_where_nearly_all_is_one_value_the_others_stay():
    x = np.r_[np.zeros(1000), 1, 2, 50][:, None]
    X = TableEncoder(dtype="float64").fit_transform(x).toarray()
    np.testing.assert_allclose(X, (x - x.mean()) / x.std(), rtol=1e-10)


def test_constant_columns_never_contribute():
    X = np.c_[np.full(9, 7.5), np.ones(9), np.zeros(9), np.full(9, np.nan)]
    fitted = TableEncoder().fit(X)
    assert fitted.transform(X).toarray().tolist() == [[0, 1, 0, 0, 1]] * 9
    assert fitted.transform(X).nnz == 18
    assert fitted.transform([[8, 1, 1, 3]]).indices.tolist() == [1, 2]


def test_bins_hold_equal_shares():
    values = np.random.default_rng(0).permutation(np.arange(1000.0))
    X = np.c_[values, values % 2, np.where(values < 500, values, np.nan)]
    fitted = TableEncoder(numeric="bin", n_bins=8).fit(X)
    counts = fitted.transform(X).sum(axis=0).A1
    assert counts[:8].tolist() == [125] * 8
    assert counts[8] == counts[17] == 500
    assert set(counts[9:17]) <= {62, 63}
    names = fitted.get_feature_names_out().tolist()
    assert names[:2] == ["x0 in [-inf, 125)", "x0 in [125, 250)"]
    assert names[7:9] == ["x0 in [875, inf)", "x1"]
    assert names[17] == "x2=missing"


def test_bins_of_few_values():
    X = np.array([[0.5]] * 90 + [[1]] * 5 + [[2]] * 5)
    fitted = TableEncoder(numeric="bin", n_bins=4).fit(X)
    assert fitted.get_feature_names_out().tolist() == ["x0 in [-inf, 1)", "x0 in [1, inf)"]
    fitted = TableEncoder(numeric="bin", n_bins=100).fit(X)
    names = ["x0 in [-inf, 1)", "x0 in [1, 2)", "x0 in [2, inf)"]
    assert fitted.get_feature_names_out().tolist() == names


@pytest.mark.parametrize("numeric", ["standardize", "bin"])
def test_missing_numbers(numeric):
    X = DENSE.copy()
    X[::5, 1] = np.nan
    fitted = TableEncoder(numeric=numeric).fit(X)
    names = fitted.get_feature_names_out().tolist()
    row = fitted.transform(X)[0]
    assert "x1=missing" in names
    assert row[0, names.index("x1=missing")] == 1
    assert row[:, fitted.fields_ == 1].nnz == 1
    assert fitted.transform([[np.nan] * 3]).nnz == 1
    with pytest.raises(ValueError, match=r"column 'x0' holds nothing \(a missing value\) in row 0"):
        fitted.set_params(unknown="error").transform([[np.nan] * 3])


@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([[1, np.inf]], r"Input X contains infinity or a value too large for dtype\('float64'\)"),
        (np.empty((0, 2)), "Found array with 0 sample"),
        (np.ones(3), "Expected 2D array, got 1D array instead"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (sparse.csr_matrix([[1, np.nan]]), "X holds NaN at row 0, column 1"),
    ],
)
def test_bad_arrays_are_refused_in_scikit_learns_words(X, match):
    with pytest.raises(ValueError, match=match):
        TableEncoder().fit(X)


def test_errors_name_the_owner():
    class Regressor(TableEncoder):
        pass

    owner, encoder = Regressor(), TableEncoder()
    encoder._fit_encode(DENSE, None, owner)
    assert owner.n_features_in_ == encoder.n_features_in_ == 3
    with pytest.raises(ValueError, match="X has 1 features, but Regressor is expecting 3 features"):
        encoder._encode([[1]], owner)
    with pytest.raises(ValueError, match="minimum of 1 is required by Regressor"):
        encoder._grow_encode(np.empty((0, 3)), None, owner)
    with pytest.raises(ValueError, match="infinity"):
        encoder._grow_encode([[1, 2, 3, np.inf]], None, owner)
    assert owner.n_features_in_ == 3


def test_weights_are_checked():
    for weights, match in (([1], "1 entries"), (-np.ones(50), "negative"), (np.zeros(50), "zero")):
        with pytest.raises(ValueError, match=match):
            TableEncoder().fit(DENSE, sample_weight=weights)


# --- sparse -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csr_matrix", "csc_array", "coo_matrix", "lil_array"])
def test_sparse_columns_are_divided_by_their_root_mean_square(form):
    X = getattr(sparse, form)(RANDOM)
    before = X.toarray()
    encoded = TableEncoder(dtype="float64").fit_transform(X)
    dense = before.astype(float)
    present = dense != 0
    expected = dense / np.sqrt((dense**2).sum(axis=0) / present.sum(axis=0))
    np.testing.assert_allclose(encoded.toarray(), expected)
    assert isinstance(encoded, sparse.csr_matrix)
    assert encoded.indices.dtype == np.int32
    assert encoded.has_sorted_indices
    np.testing.assert_array_equal(X.toarray(), before)


def test_ones_are_copied_only_for_the_user():
    X = (RANDOM != 0).astype("f4")
    fitted = TableEncoder().fit(X)
    assert np.shares_memory(fitted._encode(X, fitted).indices, X.indices)
    for encoded in (fitted.transform(X), fitted.fit_transform(X)):
        for name in ("data", "indices", "indptr"):
            assert not np.shares_memory(getattr(encoded, name), getattr(X, name))
        assert (encoded != X).nnz == 0
    assert fitted.fields_.tolist() == list(range(8))


def test_explicit_zeros_and_duplicates_are_no_values():
    X = sparse.csr_matrix((np.array([1.5, 1.5, 0, 1]), [0, 0, 0, 1], [0, 2, 4]), (2, 2))
    assert TableEncoder().fit(X)._scales.values.tolist() == [3, 1]
    assert X.nnz == 4


def test_sparse_scales_of_any_size():
    X = sparse.csr_matrix(np.array([[1e300, 1e-300, 5e-324], [3e300, 3e-300, 0]]))
    encoded = TableEncoder(dtype="float64").fit_transform(X).toarray()
    root = np.sqrt(5)
    np.testing.assert_allclose(encoded, [[1 / root, 1 / root, 1], [3 / root, 3 / root, 0]])


@pytest.mark.filterwarnings("ignore:the first call of partial_fit:UserWarning")
def test_sparse_columns_are_added():
    grown = TableEncoder().partial_fit(sparse.csr_matrix([[2.0, 0]]))
    grown.partial_fit(sparse.csr_matrix([[9.0, 3.0, 5.0]]))
    assert grown._scales.values.tolist() == [2, 3, 5]  # the second had had no value
    assert grown.n_features_in_ == grown.n_features_out_ == 3
    with pytest.raises(ValueError, match="X has 2 features, but TableEncoder is expecting 3"):
        grown.partial_fit(sparse.csr_matrix([[9.0, 3.0]]))


def test_one_kind_of_input_in_place_of_another():
    X = np.where(DENSE > 3, DENSE, 0)
    for first, second in ((np.asarray, sparse.csr_matrix), (sparse.csr_matrix, np.asarray)):
        fitted = TableEncoder().fit(first(X))
        assert (fitted.transform(first(X)) != fitted.transform(second(X))).nnz == 0


# --- scikit-learn's set_output --------------------------------------------------------------------


@pytest.mark.parametrize("X", [DENSE, (RANDOM != 0).astype("f4"), [["a", 1.0], ["b", 2.0]]])
def test_tables_on_demand(X):
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    expected = TableEncoder().fit(X)
    for library in ("pandas", "polars"):
        encoder = TableEncoder().set_output(transform=library)
        for table in (encoder.fit_transform(X), encoder.transform(X)):
            assert type(table).__module__.split(".")[0] == library
            assert list(table.columns) == expected.get_feature_names_out().tolist()
            assert table.to_numpy().dtype == np.float32
            np.testing.assert_array_equal(table.to_numpy(), expected.transform(X).toarray())
    assert sparse.issparse(encoder.set_output(transform="default").transform(X))


def test_pipelines_of_tables():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    from sparsefm import FMClassifier

    frame = pd.DataFrame({"u": ["a", "b"] * 20, "k": np.arange(40.0)}, index=np.arange(40) + 5)
    y = np.arange(40) % 2
    with config_context(transform_output="pandas"):
        assert TableEncoder().fit_transform(frame).index.tolist() == frame.index.tolist()
        estimator = FMClassifier(rank=0, epochs=20, search=None)
        pipeline = make_pipeline(TableEncoder(), estimator).fit(frame, y)
        assert pipeline.score(frame, y) == 1
        parts = make_column_transformer((TableEncoder(), ["u"]), remainder="passthrough")
        assert parts.fit_transform(frame).columns.tolist()[-1] == "remainder__k"
