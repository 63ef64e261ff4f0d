"""Numbers: splines and logarithms beside plain formulas and scikit-learn, any scale, few values."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.preprocessing import SplineTransformer

import sparsefm as fm
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.intervals import Spline
from sparsefm.encoding.tables import Numbers

KINDS = ["standardize", "log", "spline", "bin"]


def column(values):
    return np.asarray(values, float)[:, None]


def encoded(fitted, values):
    return fitted.transform(column(values)).toarray()


# --- the formulas ---------------------------------------------------------------------------------


def hats(x, knots):
    """Return for each number and knot: 1 at the knot, 0 at those beside it, a line in between."""
    result = np.zeros((len(x), len(knots)))
    for row, value in enumerate(x):
        value = min(max(value, knots[0]), knots[-1])
        for j, knot in enumerate(knots):
            if value == knot:
                result[row, j] = 1
            elif j > 0 and knots[j - 1] < value < knot:
                result[row, j] = (value - knots[j - 1]) / (knot - knots[j - 1])
            elif j + 1 < len(knots) and knot < value < knots[j + 1]:
                result[row, j] = (knots[j + 1] - value) / (knots[j + 1] - knot)
    return result


def quantile_knots(repeated, parts):
    """Return the knots of numbers, each as often as it counts; no share is above 1/parts."""
    values, counts = np.unique(repeated, return_counts=True)
    if len(values) <= parts + 1:
        return values.tolist()
    shares = [min(Fraction(int(count), len(repeated)), Fraction(1, parts)) for count in counts]
    knots = set()
    for part in range(parts + 1):
        through = (sum(shares[: j + 1]) >= sum(shares) * part / parts for j in range(len(values)))
        knots.add(values[list(through).index(True)])
    return sorted(knots)


def logarithms(x, repeated):
    """Return the standardised logarithms of x, for a column of these numbers, unclipped."""
    sizes = np.sort(np.abs(repeated[repeated != 0]))
    scale = sizes[(len(sizes) - 1) // 2]
    signed = [np.sign(v) * np.log1p(np.abs(v) / scale) for v in (x, repeated)]
    return (signed[0] - signed[1].mean()) / signed[1].std()


numbers = st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 3)), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(numbers, st.lists(st.integers(-100, 100), min_size=1), st.integers(2, 7))
def test_splines_and_logarithms_are_the_formulas(pairs, probes, n_bins):
    values, weights = np.array([*pairs, (3, 1), (-7, 2)]).T / [[7], [1]]
    probes = np.array(probes) / 7
    repeated = np.repeat(values, weights.astype(int))
    options = {"dtype": "float64", "n_bins": n_bins, "clip": False}

    spline = TableEncoder(numeric="spline", **options).fit(column(values), sample_weight=weights)
    knots = quantile_knots(repeated, n_bins)
    assert spline._encodings[0].knots.tolist() == knots
    np.testing.assert_allclose(encoded(spline, probes), hats(probes, knots), atol=1e-14)
    log = TableEncoder(numeric="log", **options).fit(column(values), sample_weight=weights)
    np.testing.assert_allclose(
        encoded(log, probes)[:, 0], logarithms(probes, repeated), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_splines_are_scikit_learns(dtype):
    rng = np.random.default_rng(0)
    x, probes = rng.lognormal(size=5000), 3 * rng.normal(size=3000)
    fitted = TableEncoder(numeric="spline", n_bins=20, dtype=dtype).fit(column(x))
    knots = fitted._encodings[0].knots
    assert len(knots) == 21
    assert (knots[0], knots[-1]) == (x.min(), x.max())
    known = SplineTransformer(degree=1, knots=column(knots), extrapolation="constant")
    expected = known.fit(column(x)).transform(column(np.r_[x, probes]))
    X = encoded(fitted, np.r_[x, probes])
    np.testing.assert_allclose(X, expected, atol=1e-14 if dtype == "float64" else 1e-7)


def test_a_number_has_two_neighbours_that_add_up_to_one():
    x = np.random.default_rng(0).normal(size=(1000, 2))
    fitted = TableEncoder(numeric="spline", n_bins=10).fit(x)
    X = fitted.transform(x)
    assert X.has_sorted_indices
    assert set(np.diff(X.indptr)) <= {2, 3, 4}  # at a knot there is one
    np.testing.assert_allclose(X.sum(axis=1), 2, rtol=1e-6)
    assert fitted.fields_.tolist() == [0] * 11 + [1] * 11
    shares = X[:, :11].sum(axis=0).A1 / 1000
    assert shares[1:-1] == pytest.approx(0.1, abs=0.03)
    beyond = fitted.transform([[-99, -99], [99, 99]])
    assert (beyond.indices.tolist(), beyond.data.tolist()) == ([0, 11, 10, 21], [1] * 4)


def test_knots_are_named():
    fitted = TableEncoder(numeric="spline", n_bins=2).fit(column([0, 1.5, 10, 20, 40, np.nan]))
    names = ["x0@0", "x0@10", "x0@40", "x0=missing"]
    assert fitted.get_feature_names_out().tolist() == names
    assert encoded(fitted, [5, np.nan, 25]).tolist() == [
        [0.5, 0.5, 0, 0],
        [0, 0, 0, 1],
        [0, 0.5, 0.5, 0],
    ]


# --- columns of all kinds -------------------------------------------------------------------------


def test_few_values_are_one_hot():
    x = [1, 2, 2, 5, 5, 5, 3]
    fitted = TableEncoder(numeric="spline", n_bins=3).fit(column(x))
    assert fitted.get_feature_names_out().tolist() == ["x0@1", "x0@2", "x0@3", "x0@5"]
    X = fitted.transform(column(x))
    assert X.indices.tolist() == [0, 1, 1, 3, 3, 3, 2]
    assert (X.data == 1).all()
    assert encoded(fitted, [4]).tolist() == [[0, 0, 0.5, 0.5]]


def test_where_most_is_zero_the_rest_has_knots():
    x = np.r_[np.zeros(9000), np.random.default_rng(0).lognormal(size=1000)]
    knots = TableEncoder(numeric="spline", n_bins=20).fit(column(x))._encodings[0].knots
    assert 12 <= len(knots) <= 16  # 5% and 10% are shared by 20 parts: 13 for what is not zero
    assert knots[0] == 0
    between = np.histogram(x[x > 0], knots)[0]
    assert between.sum() == 1000
    assert between.max() < 100


@pytest.mark.parametrize("numeric", KINDS)
def test_binary_and_constant_columns_stay(numeric):
    X = np.c_[[0, 1, 1, 0], np.full(4, 7.5), [1, 1, 1, 1], np.zeros(4), np.full(4, np.nan)]
    fitted = TableEncoder(numeric=numeric).fit(X)
    expected = [[z, 0, 1, 0, 0, 1] for z in X[:, 0]]
    assert fitted.transform(X).toarray().tolist() == expected
    assert fitted.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3", "x4", "x4=missing"]
    assert fitted._open_columns == []


@pytest.mark.parametrize("numeric", KINDS)
def test_missing_numbers_of_a_table(table, numeric):
    rows = {"n": [1, 2, 3, None, 9, 40], "z": [0, 1, 1, 0, None, 1]}
    fitted = TableEncoder(numeric=numeric, n_bins=2).fit(table(rows))
    names = fitted.get_feature_names_out().tolist()
    X = fitted.transform(table(rows)).toarray()
    assert X[3, names.index("n=missing")] == X[4, names.index("z=missing")] == 1
    assert X[3, fitted.fields_ == 0].sum() == 1
    whole = fitted.transform(table({"n": [1, 2], "z": [1, 0]}))  # a column of integers now
    assert (whole != sparse.csr_matrix(X[[0, 1]] * [[1], [1]])).nnz <= 2  # z differs in a row
    learned = TableEncoder(numeric=numeric, unknown="error").fit(column([1, 2, 3]))
    with pytest.raises(ValueError, match=r"column 'x0' holds nothing \(a missing value\) in row 1"):
        learned.transform(column([1, np.nan]))
    learned.set_params(unknown="ignore")
    assert encoded(learned, [np.nan]).sum() == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-320, 1e-300, 1, 1e300, 1.7e308])
def test_any_scale(size, dtype):
    unit = np.array([-1.0, -0.5, 0, 0.25, 1.0])
    spline = TableEncoder(numeric="spline", n_bins=2, dtype=dtype).fit(column(unit * size))
    expected = hats(unit, [-1, 0, 1])  # the knots, in these units
    np.testing.assert_allclose(encoded(spline, unit * size), expected, atol=1e-3)
    log = TableEncoder(numeric="log", dtype=dtype, clip=False).fit(column(unit * size))
    found = encoded(log, unit * size)[:, 0]
    np.testing.assert_allclose(found, logarithms(unit, unit), atol=1e-3)


def test_scales_that_differ_too_much_for_a_ratio():
    values = [5e-324, 1e-300, 2e-300, 3e-300, 1e300, 1.7e308, -1.7e308]
    for numeric in ("spline", "log"):
        for clip in (True, False):
            fitted = TableEncoder(numeric=numeric, clip=clip).fit(column(values))
            X = fitted.transform(column(values)).toarray()
            assert np.isfinite(X).all()
            assert len(np.unique(X, axis=0)) >= 5
            with pytest.raises(ValueError, match="infinity"):
                fitted.transform(column([np.inf]))


def test_clipped_logarithms():
    """What is far out is so among the logarithms: 1e9 is, beside numbers of 1 to e."""
    x = np.r_[np.exp(np.arange(1001) / 1000), 1e9]
    clipped, free = (TableEncoder(numeric="log", clip=c).fit(column(x)) for c in ("auto", False))
    assert encoded(clipped, [1e9])[0, 0] == encoded(clipped, [1e12])[0, 0] < 4
    assert 30 < encoded(free, [1e9])[0, 0] < encoded(free, [1e12])[0, 0]


def test_nothing_is_clipped_without_clip():
    x = np.random.default_rng(0).lognormal(3, 2, 2000)
    free = TableEncoder(clip=False, dtype="float64").fit(column(x))
    np.testing.assert_allclose(encoded(free, x)[:, 0], (x - x.mean()) / x.std(), atol=1e-12)
    usual, automatic = (
        TableEncoder(clip=c, dtype="float64").fit(column(x)) for c in (True, "auto")
    )
    assert encoded(usual, x).max() < encoded(free, x).max() / 2
    np.testing.assert_array_equal(encoded(usual, x), encoded(automatic, x))
    far = TableEncoder(clip=False).fit(column(x))
    with pytest.raises(ValueError, match=r"column 'x0' holds 1e\+300 in row 0, too far"):
        far.transform(column([1e300]))


@pytest.mark.parametrize("zeros", [0, 0.99])
def test_amounts_are_learned_from_tables_as_from_matrices(zeros):
    """A linear effect of a heavy-tailed column: nobody may cut its tail."""
    rng = np.random.default_rng(0)
    x = rng.lognormal(3, 2, 6000) * (rng.random(6000) >= zeros)
    X = np.c_[x, rng.normal(size=6000)]
    y = 3 * x + rng.normal(size=6000)
    options = {"rank": 0, "solver": fm.ALS(), "epochs": 20, "random_state": 0}
    scores = []
    for form, clip in ((np.asarray, False), (sparse.csr_matrix, False), (np.asarray, True)):
        model = fm.FMRegressor(encoder=TableEncoder(clip=clip), **options)
        model.fit(form(X[:4000]), y[:4000])
        scores.append(model.score(form(X[4000:]), y[4000:]))
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    assert min(scores[:2]) > 0.999
    assert scores[2] < 0.9


@pytest.mark.parametrize("numeric", KINDS)
def test_statistics_stay_those_of_the_first_fit(numeric):
    first, more = column([1, 2, 4, 8, 300]), column([1e3, np.nan, -50])
    grown = TableEncoder(numeric=numeric, n_bins=3).fit(first)
    before = grown.transform(first)
    grown.partial_fit(more)
    assert grown.get_feature_names_out()[-1] == "x0=missing"
    after = grown.transform(first)
    assert (after[:, :-1] != before).nnz == after[:, -1].nnz == 0
    assert grown.transform(more)[1].indices.tolist() == [grown.n_features_out_ - 1]
    first = np.tile(first, (6, 1))
    wider = np.c_[first, first]
    grown.partial_fit(wider)
    assert (grown.transform(wider)[:5, -before.shape[1] :] != before).nnz == 0


def test_a_million_numbers_take_little_time():
    x = Numbers(np.random.default_rng(0).lognormal(size=1_000_000))
    fitted = TableEncoder(numeric="spline").fit(column(x.values))
    seconds = []
    for _ in range(5):
        started = time.process_time()  # others may be at work
        fitted._encode(column(x.values), fitted)
        seconds.append(time.process_time() - started)
    assert isinstance(fitted._encodings[0], Spline)
    assert min(seconds) < 0.3  # 0.08 where nothing else runs
