"""Streams whose first rows are not like those that follow."""

import io
import warnings

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

ROWS = 400


def stream(first, kind="regression", seed=0, n=4000):
    """Return rows of y = 2x of which `first` changes the first chunk, and their targets."""
    rng = np.random.default_rng(seed)
    x = rng.normal(10, 3, n)
    X = pd.DataFrame({"x": x, "k": rng.normal(size=n)})
    X.loc[: ROWS - 1, "x"] = first
    y = 2 * x + 0.1 * rng.normal(size=n)
    return X, y if kind == "regression" else (x > 10).astype(int)


def feed(model, X, y, size=ROWS, **arguments):
    for begin in range(0, len(X), size):
        model.partial_fit(X[begin : begin + size], y[begin : begin + size], **arguments)
    return model


@pytest.mark.parametrize("first", [0.3, 7.0, 0.0, np.nan], ids=str)
@pytest.mark.parametrize("kind", ["regression", "classes"])
def test_a_column_that_was_constant_or_empty_is_learned_later(first, kind):
    X, y = stream(first, kind)
    if kind == "regression":
        model = feed(fm.FMRegressor(rank=4), X, y)
    else:
        model = feed(fm.FMClassifier(rank=4), X, y, classes=[0, 1])
    assert model.score(X[-800:], y[-800:]) > 0.95
    number = model.encoder_._encodings[0]
    assert not number.is_waiting
    assert number.deviations(np.array([7.0, 13.0])) == pytest.approx([-1, 1], abs=0.3)


def test_row_by_row():
    X, y = stream(np.arange(ROWS) % 7 + 6.5, "classes", n=900)
    model = feed(fm.FMClassifier(rank=2, n_threads=1), X, y, 1, classes=[0, 1])
    assert model.score(X[ROWS:], y[ROWS:]) > 0.85


def test_what_was_constant_waits_for_enough_rows_of_several_values():
    encoder = fm.TableEncoder().partial_fit(pd.DataFrame({"x": [3.0] * 50}))
    for value in range(12):
        encoder.partial_fit(pd.DataFrame({"x": [float(value), value + 0.5]}))
        assert encoder.transform(pd.DataFrame({"x": [4.0]})).nnz == 0
    encoder.partial_fit(pd.DataFrame({"x": np.arange(5.0, 20)}))
    assert encoder.transform(pd.DataFrame({"x": [4.0]})).nnz == 1
    for _ in range(200):
        encoder.partial_fit(pd.DataFrame({"x": np.arange(5.0, 20)}))
    found = encoder.transform(pd.DataFrame({"x": np.arange(5.0, 20)})).toarray()
    assert found.mean() == pytest.approx(0, abs=0.15)  # the statistics follow
    assert found.std() == pytest.approx(1, abs=0.15)


def test_zeros_may_turn_out_to_be_of_0_and_1():
    encoder = fm.TableEncoder().partial_fit(pd.DataFrame({"x": [0.0] * 50}))
    encoder.partial_fit(pd.DataFrame({"x": [0.0, 1.0] * 50}))
    assert encoder.transform(pd.DataFrame({"x": [0.0, 1.0]})).toarray().ravel().tolist() == [0, 1]
    assert encoder._encodings[0].is_binary
    assert not encoder._encodings[0].is_waiting


def test_numbers_after_zeros_contribute_once_there_are_statistics_of_them():
    x = pd.DataFrame({"x": np.random.default_rng(0).normal(50, 10, 10)})
    encoder = fm.TableEncoder().partial_fit(pd.DataFrame({"x": np.zeros(10)}))
    for _ in range(2):
        assert told(lambda: encoder.partial_fit(x)) == []
        assert encoder.transform(x).nnz == 0
    encoder.partial_fit(x)
    assert 0 < abs(encoder.transform(x)).max() < 10


def test_the_wait_survives_a_file(tmp_path):
    X, y = stream(0.3, n=410)
    model = feed(fm.FMRegressor(rank=2), X[:ROWS], y[:ROWS])
    model.partial_fit(X[ROWS:], y[ROWS:])
    model.save(tmp_path / "model", optimizer_state=True)
    again = fm.load(tmp_path / "model")
    assert again.encoder_._encodings == model.encoder_._encodings
    assert len(again.encoder_._encodings[0].seen) == 11


def csv(text_first):
    empty, full = [",st"[i % 2 + 1] for i in range(50)], ["ab"[i % 2] for i in range(50)]
    rows = [f",{v}" for v in empty] + [f"{u},{v}" for u, v in zip(full, "st" * 25, strict=True)]
    return io.StringIO("u,v\n" + "\n".join(rows[::-1] if text_first else rows))


@pytest.mark.parametrize("text_first", [True, False])
def test_text_after_an_empty_chunk_and_before_one(text_first):
    model = fm.FMClassifier(rank=2)
    for chunk in pd.read_csv(csv(text_first), chunksize=50):
        model.partial_fit(chunk, [0, 1] * 25, classes=[0, 1])
    names = model.get_feature_names_out().tolist()
    assert sorted(names) == ["u=a", "u=b", "u=missing", "v=s", "v=t"]
    assert model.predict(pd.DataFrame({"u": ["a", None, "c"], "v": ["s", "t", "t"]})).shape == (3,)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_text_after_a_column_without_a_type(library):
    module = pytest.importorskip(library)
    make = getattr(module, "DataFrame", None) or module.table
    nothing = module.nulls(20) if library == "pyarrow" else [None] * 20
    encoder = fm.TableEncoder().partial_fit(make({"u": nothing, "v": ["s", "t"] * 10}))
    encoder.partial_fit(make({"u": ["b", "a"] * 10, "v": ["s", "t"] * 10}))
    names = ["u=a", "u=missing", "v=s", "v=t", "u=b"]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.transform(make({"u": ["a"], "v": ["t"]})).indices.tolist() == [0, 3]


@pytest.mark.parametrize("numeric", ["auto", "log", "spline", "bin"])
def test_numbers_after_a_column_of_none(numeric):
    """They are numbers, and not one category for each."""
    encoder = fm.TableEncoder(numeric=numeric, n_bins=4)
    encoder.partial_fit(pd.DataFrame({"x": np.full(20, None, object), "v": ["s", "t"] * 10}))
    encoder.partial_fit(pd.DataFrame({"x": np.arange(50.0), "v": ["s", "t"] * 25}))
    assert encoder.n_features_out_ < 10
    whole = fm.TableEncoder(numeric=numeric, n_bins=4).fit(pd.DataFrame({"x": np.arange(50.0)}))
    new = pd.DataFrame({"x": [3.3, 40.0], "v": ["s", "s"]})
    found = np.sort(encoder.transform(new).toarray(), axis=1)
    expected = whole.transform(new[["x"]]).toarray()
    assert np.allclose(found[found != 1].sum(), expected[expected != 1].sum())


# --- warnings -------------------------------------------------------------------------------------


def told(action):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        action()
    return [str(one.message) for one in said]


def chunks_told(*chunks, **settings):
    """Return what is told of chunks in a stream, and what after a fit of the first of them."""
    stream, fitted = (fm.TableEncoder(**settings) for _ in range(2))
    return (
        told(lambda: [stream.partial_fit(chunk) for chunk in chunks]),
        told(lambda: [fitted.fit(chunks[0]), *(fitted.partial_fit(one) for one in chunks[1:])]),
    )


def column(values):
    return pd.DataFrame({"ok": np.arange(len(values)) % 5.0, "age": values})


RNG = np.random.default_rng(1)


@pytest.mark.parametrize("numeric", ["auto", "log", "spline", "bin"])
def test_a_column_that_moves_far_away_is_told_once(numeric):
    first, later = column(RNG.normal(5, 1, 200)), column(RNG.normal(1e4, 1, 200))
    in_stream, messages = chunks_told(first, first, later, later, numeric=numeric)
    assert in_stream == ([] if numeric in ("auto", "log") else messages)  # statistics follow
    assert len(messages) == 1
    assert "column 'age'" in messages[0]
    assert "begin with rows" in messages[0]


def test_0_and_1_that_turn_out_to_be_numbers():
    first, later = column(RNG.integers(0, 2, 200)), column(RNG.integers(0, 90, 200))
    in_stream, (message,) = chunks_told(first, later, later)
    assert in_stream == []
    assert "column 'age' held nothing but 0 and 1" in message


@pytest.mark.parametrize(("others", "n_told"), [([2], 0), ([2, 3] * 20, 1), ([99], 1)])
def test_a_few_small_numbers_beside_0_and_1_say_little(others, n_told):
    first = column([0, 1] * 50)
    later = column([*others, *[0, 1] * 50])
    in_stream, messages = chunks_told(first, later)
    assert in_stream == []
    assert len(messages) == n_told


def test_values_of_a_sparse_matrix():
    ones = sparse.random(300, 4, 0.3, format="csr", random_state=0, data_rvs=np.ones)
    messages, after_fit = chunks_told(ones, ones * 50, ones * 50)
    assert messages == after_fit
    assert len(messages) == 4
    assert "column 'x0' of the sparse matrix are 50 times" in messages[0]
    assert chunks_told(ones, ones * 3, ones) == ([], [])


@pytest.mark.parametrize("start", ["fit", "partial_fit"])
@pytest.mark.parametrize("spread", [100.0, 0.0])
def test_targets(spread, start):
    x = RNG.normal(size=4000)
    y = np.where(np.arange(4000) < ROWS, 5 + 1e-3 * x * (spread > 0), 5 + 1000 * x)
    X, model = x[:, None], fm.FMRegressor(rank=2, solver=fm.Adam(), search=None)
    getattr(model, start)(X[:ROWS], y[:ROWS])
    messages = told(lambda: feed(model, X[ROWS:], y[ROWS:]))
    if start == "fit":
        assert len(messages) == 1
        assert "targets between" in messages[0]
    else:
        assert messages == []
        assert model.score(X[ROWS:], y[ROWS:]) > 0.9


def test_a_first_call_of_few_rows():
    X, y = stream(7.0)
    assert told(lambda: fm.FMRegressor(rank=2).partial_fit(X[-1:], y[-1:])) == []
    matrix = sparse.csr_matrix(X[-5:])
    (message,) = told(lambda: fm.FMRegressor(rank=2).partial_fit(matrix, y[-5:]))
    assert "5 row(s), of which the scales of the sparse matrix" in message
    assert told(lambda: fm.FMRegressor(rank=2).partial_fit((matrix != 0) * 1.0, y[-5:])) == []


@pytest.mark.parametrize("seed", range(20))
def test_ordinary_streams_say_nothing(seed):
    rng = np.random.default_rng(seed)
    n = 1000
    X = pd.DataFrame(
        {
            "normal": rng.normal(rng.normal() * 1e3, 10 ** rng.uniform(-3, 3), n),
            "heavy": rng.standard_cauchy(n),
            "income": rng.lognormal(10, 1.5, n),
            "rare count": rng.poisson(0.02, n) * rng.integers(2, 9, n),
            "count": rng.poisson(2, n),
            "flag": rng.random(n) < 0.01,
            "0 and 1": rng.integers(0, 2, n),
            "year": rng.integers(1990, 2020, n),
            "missing": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
            "text": rng.choice(list("abc"), n),
            "drifts": np.arange(n) / n + rng.normal(size=n),
        }
    )
    y = rng.standard_cauchy(n)
    size = int(rng.choice([50, 100, 333]))
    assert told(lambda: feed(fm.FMRegressor(rank=2, n_threads=1), X, y, size)) == []
    numeric = ["standardize", "log", "spline", "bin"][seed % 4]
    assert not any(chunks_told(*(X[b : b + size] for b in range(0, n, size)), numeric=numeric))
    counts = sparse.csr_matrix(rng.poisson(0.3, (n, 20)) * 1.0)
    assert not any(chunks_told(*(counts[b : b + size] for b in range(0, n, size))))
