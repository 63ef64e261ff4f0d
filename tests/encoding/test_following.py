"""Statistics of streams: merged exactly, in any order of rows, and applied when they have moved."""

import json

import numpy as np
import pytest
from scipy import sparse

from sparsefm import Adam, FMRegressor, TableEncoder
from sparsefm.encoding.following import POINTS, RARE, Seen
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.moves import moves
from sparsefm.encoding.numeric import Logarithm, Number
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.encoding.statistics import Distribution
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader


def column(values):
    return np.asarray(values, float)[:, None]


def fed(X, sizes, **settings):
    encoder = TableEncoder(dtype="float64", **settings)
    begin = 0
    for size in sizes:
        encoder.partial_fit(X[begin : begin + size])
        begin += size
    return encoder


@pytest.mark.parametrize("unit", [1e-300, 1e-3, 1.0, 1e3, 1e300])
@pytest.mark.parametrize("seed", range(5))
def test_moments_are_merged_exactly(unit, seed):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(rng.normal() * 10, rng.exponential(), n) for n in rng.integers(1, 40, 12)]
    parts = [np.ldexp(1.0, int(rng.integers(-3, 3))) * part * unit for part in parts]
    weights = [rng.integers(1, 4, len(part)).astype(float) for part in parts]
    of = Distribution.of
    seen = Seen.of(of(parts[0], weights[0]), len(parts[0]))
    for part, w in zip(parts[1:], weights[1:], strict=True):
        seen = seen.joined(of(part, w), len(part))
    together, w = np.concatenate(parts) / unit, np.concatenate(weights)
    mean = np.average(together, weights=w)
    std = np.sqrt(np.average((together - mean) ** 2, weights=w))
    assert np.ldexp(seen.mean, seen.exponent) / unit == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert np.ldexp(seen.std, seen.exponent) / unit == pytest.approx(std, rel=1e-9)
    assert seen.weight == w.sum()
    assert seen.rows == len(w)


def test_a_memory_keeps_up():
    seen = Seen.of(Distribution.of(np.zeros(5000), None), 5000, memory=100)
    for _ in range(5):
        seen = seen.joined(Distribution.of(np.full(100, 8.0), None), 100)
    assert np.ldexp(seen.mean, seen.exponent) == pytest.approx(8 * (1 - 0.5**5))
    assert seen.rows == 100
    assert seen.weight == pytest.approx(100)
    assert seen.sample.weights.sum() == pytest.approx(100)


def test_a_sample_stays_small_and_typical():
    rng = np.random.default_rng(0)
    seen = Seen.of(Distribution.of(rng.normal(size=1), None), 1)
    for _ in range(3000):
        seen = seen.joined(Distribution.of(rng.normal(size=3), None), 3)
        assert len(seen.sample.values) <= POINTS
    assert seen.sample.weights.sum() == pytest.approx(9001)
    low, high = seen.sample.usual_range()
    assert low == pytest.approx(-4.65, abs=0.4)
    assert high == pytest.approx(4.65, abs=0.4)


@pytest.mark.parametrize("numeric", ["standardize", "log", "bin", "spline"])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_a_chunk_in_any_order(numeric, weighted):
    rng = np.random.default_rng(3)
    X = np.c_[rng.normal(3, 2, 900), rng.lognormal(0, 2, 900), rng.integers(0, 3, 900)]
    X[rng.random(X.shape) < 0.1] = np.nan
    weights = rng.random(900) if weighted else None
    found = []
    for order in (np.arange(90), rng.permutation(90)):
        encoder = TableEncoder(numeric=numeric, n_bins=5)
        for begin in range(0, 900, 90):
            rows = begin + order
            encoder.partial_fit(X[rows], None, None if weights is None else weights[rows])
        header, arrays = encoder_to_content(encoder)
        found.append((header, {name: array.tolist() for name, array in arrays.items()}))
    assert found[0] == found[1]


def test_weights_are_numbers_of_rows():
    rng = np.random.default_rng(0)
    X, weights = column(rng.normal(size=200)), rng.integers(0, 4, 200)
    encoders = TableEncoder(), TableEncoder()
    for begin in range(0, 200, 50):
        rows = slice(begin, begin + 50)
        encoders[0].partial_fit(X[rows] * (begin + 1), None, weights[rows])
        encoders[1].partial_fit(np.repeat(X[rows] * (begin + 1), weights[rows], axis=0))
    assert encoders[0]._encodings == encoders[1]._encodings


@pytest.mark.parametrize("sizes", [[1] * 600, [2, 1] * 200, [10] * 60, [100] * 6, [600]])
@pytest.mark.parametrize("kind", [Number, Logarithm])
def test_any_sizes_of_chunks_end_near_one_fit(sizes, kind):
    rng = np.random.default_rng(1)
    X = column(rng.lognormal(3, 0.5, 600))
    numeric = "log" if kind is Logarithm else "standardize"
    grown = fed(X, sizes, numeric=numeric)
    whole = TableEncoder(numeric=numeric).fit(X)
    assert type(grown._encodings[0]) is kind
    found, expected = grown.transform(X).toarray(), whole.transform(X).toarray()
    assert np.corrcoef(found[:, 0], expected[:, 0])[0, 1] > 0.97
    assert found.mean() == pytest.approx(0, abs=0.15)
    assert found.std() == pytest.approx(1, abs=0.15)


def test_a_first_chunk_that_is_not_typical():
    rng = np.random.default_rng(0)
    first, later = column(rng.normal(0, 0.01, 10)), column(rng.normal(50, 5, 3000))
    encoder = fed(np.r_[first, later], [10, *[100] * 30])
    found = encoder.transform(later[-1000:]).toarray()
    assert abs(found.mean()) < 0.3
    assert 0.5 < found.std() < 1.5
    assert np.unique(found).size == 1000  # none is clipped


@pytest.mark.parametrize("numeric", ["standardize", "log"])
def test_0_and_1_that_turn_out_to_be_numbers(numeric):
    rng = np.random.default_rng(0)
    encoder = fed(column(rng.integers(0, 2, 200)), [100, 100], numeric=numeric)
    assert encoder._encodings[0].is_binary
    numbers = column(rng.integers(0, 9, 1000))
    encoder.partial_fit(numbers)
    assert type(encoder._encodings[0]) is (Logarithm if numeric == "log" else Number)
    assert not encoder._encodings[0].is_binary
    found = encoder.transform(numbers).toarray()
    assert abs(found.mean()) < 0.3
    assert 0.7 < found.std() < 1.3


@pytest.mark.parametrize("first", [np.nan, 0.0, 1.0, 7.0])
@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize(
    ("numeric", "kind"),
    [("standardize", Number), ("log", Logarithm), ("bin", Bins), ("spline", Spline)],
)
def test_a_column_of_one_value_takes_the_kind_of_the_rows_that_follow(first, size, numeric, kind):
    rng = np.random.default_rng(0)
    later = column(rng.normal(20, 5, 350))
    X = np.r_[column([first] * 20), later]
    encoder = fed(X, [20, *[size] * (350 // size)], numeric=numeric, n_bins=4)
    assert type(encoder._encodings[0]) is kind
    found = encoder.transform(later).toarray()
    assert found.shape[1] == len(encoder.get_feature_names_out()) == len(encoder.fields_)
    assert len(set(encoder.get_feature_names_out())) == found.shape[1]
    assert np.unique(found, axis=0).shape[0] > 3
    if kind in (Bins, Spline):
        np.testing.assert_allclose(found.sum(axis=1), 1)
    restored = saved(encoder)
    assert (restored.transform(X) != encoder.transform(X)).nnz == 0
    assert restored.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()


@pytest.mark.parametrize("numeric", ["bin", "spline"])
def test_bins_and_knots_of_few_rows_wait(numeric):
    X = column(np.arange(60.0) % 13)
    encoder = fed(X, [29], numeric=numeric, n_bins=4)
    assert encoder.transform(X).nnz == 0
    encoder.partial_fit(X[29:])
    whole = TableEncoder(numeric=numeric, n_bins=4, dtype="float64").fit(X)
    assert encoder.get_feature_names_out().tolist() == whole.get_feature_names_out().tolist()
    assert (encoder.transform(X) != whole.transform(X)).nnz == 0
    before = encoder.transform(X)
    encoder.partial_fit(X * 1.5)  # from now on they stay
    assert (encoder.transform(X) != before).nnz == 0


def test_statistics_of_a_fit_stay():
    rng = np.random.default_rng(0)
    encoder = TableEncoder().fit(column(rng.normal(size=100)))
    before = encoder._encodings
    for _ in range(5):
        encoder.partial_fit(column(rng.normal(2, 2, 100)))
    assert encoder._encodings == before
    again = fed(column(rng.normal(size=100)), [100])
    again.fit(column(rng.normal(size=100)))  # begins anew, and is no stream
    assert again._encodings[0].followed is None


# --- files ----------------------------------------------------------------------------------------


def saved(encoder):
    header, arrays = encoder_to_content(encoder)
    reader = Reader(json.loads(json.dumps(header, allow_nan=False)), dict(arrays))
    restored = read_encoder(reader)
    reader.check_all_read()
    return restored


@pytest.mark.parametrize("numeric", ["standardize", "log"])
def test_a_stream_goes_on_after_a_file(numeric):
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=900) + np.arange(900) / 100, rng.integers(0, 2, 900)]
    X[700:, 1] *= 5
    one = fed(X, [100], numeric=numeric)
    other = saved(one)
    for begin in range(100, 900, 100):
        one.partial_fit(X[begin : begin + 100])
        other = saved(other.partial_fit(X[begin : begin + 100]))
        assert one._encodings == other._encodings
    header, arrays = encoder_to_content(one)
    again, same = encoder_to_content(other)
    assert header == again
    assert all(np.array_equal(same[name], arrays[name]) for name in arrays)


def test_a_damaged_sample_is_refused():
    header, arrays = encoder_to_content(fed(column(np.arange(50.0)), [50]))
    for name, value in (("values", np.zeros(50)), ("weights", -np.ones(50))):
        with pytest.raises(FileFormatError, match="damaged sample"):
            read_encoder(Reader(header, arrays | {f"0.followed.{name}": value}))


def test_files_of_before_streams_were_followed():
    header, arrays = encoder_to_content(TableEncoder().fit(column(np.arange(50.0))))
    assert "followed" not in header["columns"][0]  # as in these files
    restored = read_encoder(Reader(header, arrays))
    assert restored._encodings[0].followed is None


def test_sparse_matrices_keep_the_scales_of_the_first_rows():
    X = sparse.random(100, 4, 0.5, format="csr", random_state=0)
    encoder = TableEncoder().partial_fit(X)
    before = encoder._scales.values
    encoder.partial_fit(X * 3)
    assert encoder._scales.values.tolist() == before.tolist()


@pytest.mark.parametrize("numeric", ["standardize", "log"])
@pytest.mark.parametrize("value", [5.0, 0.0, 21.0, 400.0])
@pytest.mark.parametrize("size", [10, 500])
def test_a_column_that_stands_still_keeps_its_unit(numeric, value, size):
    rng = np.random.default_rng(0)
    X = column(rng.normal(20, 4, 5000))
    still = column(np.full(60 * size + 6000, value))
    sizes = [500] * 10 + [size] * (len(still) // size)
    encoder = fed(np.r_[X, still], sizes, numeric=numeric)
    assert encoder.transform(still[:5]).nnz == 0
    quiet = encoder._encodings[0]
    encoder.partial_fit(X[:size])
    for _, _, factor, offset in moves([quiet], encoder._encodings):
        assert 0.2 < factor < 10  # what was learned is not begun anew
        assert abs(offset) < 5
    for begin in [*range(0, 5000, 500)] * 3:
        encoder.partial_fit(X[begin : begin + 500])
    features = encoder.transform(X).toarray()
    assert features.std() == pytest.approx(1, abs=0.15)
    assert features.mean() == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("zeros", [0.96, 0.99])
def test_columns_of_many_zeros_forget_what_no_longer_is(zeros):
    """An outlier among the first rows, or another unit, had ruled the deviation for ever."""
    rng = np.random.default_rng(0)
    X = column(np.where(rng.random(30_000) < zeros, 0.0, rng.exponential(size=30_000)))
    deviation = np.sqrt(2 * (1 - zeros))
    for first in (np.r_[1e4, X[1:500, 0]], 100 * X[:500, 0]):
        encoder = fed(np.r_[column(first), X[500:]], [500] * 60)
        number = encoder._encodings[0]
        assert 0.4 < np.ldexp(number.std, number.exponent) / deviation < 2.5


def test_rare_values_of_a_column_that_stands_still_rule_its_deviation():
    """As if they had a share of `RARE`: compared with NumPy, in windows that forget."""
    rng = np.random.default_rng(1)
    moving, still = rng.normal(3, 2, 4000), np.full(8000, 7.0)
    encoder = fed(column(np.r_[moving, still]), [500] * 24)
    number = encoder._encodings[0]
    others = np.sqrt(np.mean((moving[-2000:] - 7) ** 2))
    assert np.ldexp(number.mean, number.exponent) == 7
    scale = np.ldexp(number.std, number.exponent)
    assert scale == pytest.approx(others * RARE**0.5, rel=0.25)


@pytest.mark.parametrize("share", [0.95, 0.99])
def test_targets_that_stand_still_stay_sensible(share):
    rng = np.random.default_rng(0)

    def rows(n, share):
        X = rng.normal(size=(n, 2))
        return X, np.where(X[:, 0] > np.quantile(X[:, 0], share), 100.0 + 20 * X[:, 1], 5.0)

    model = FMRegressor(solver=Adam(), rank=2, search=None, random_state=0)
    for _ in range(4):
        model.partial_fit(*rows(250, 0.5))
    for _ in range(30):
        model.partial_fit(*rows(500, share))
    X, y = rows(2000, share)
    found = model.predict(X)
    assert np.sqrt(np.mean((found - y) ** 2)) < y.std()
    assert y.min() - 25 < found.min()
    assert found.max() < y.max() + 25


def test_predictions_do_not_jump_when_a_still_sensor_moves_again():
    rng = np.random.default_rng(0)

    def rows(n, *, is_still):
        X = np.c_[np.full(n, 5.0) if is_still else rng.normal(20, 4, n), rng.normal(size=n)]
        return X, X @ [0.5, 1.0]

    model = FMRegressor(solver=Adam(), rank=2, search=None, random_state=0)
    for _ in range(40):
        model.partial_fit(*rows(250, is_still=False))
    for _ in range(60):
        model.partial_fit(*rows(500, is_still=True))
    X, y = rows(500, is_still=False)
    for n in (1, 100):
        model.partial_fit(*rows(n, is_still=False))
        assert np.sqrt(np.mean((model.predict(X) - y) ** 2)) < 0.5  # was 4.6 and 2.8
