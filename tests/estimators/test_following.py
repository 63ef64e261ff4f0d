"""Statistics that follow a stream: predictions stay when they move, and learning goes on."""

import copy
import pickle

import numpy as np
import pytest
from estimating import assert_same, scores_of

import sparsefm as fm
from sparsefm.estimators import going_on

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

STILL = 1e-30  # a learning rate that moves nothing
SOLVERS = [fm.Adam, lambda **given: fm.Adam(updates="exact", **given), fm.AdaGrad]


def table(rng, n, shift=0.0, scale=1.0):
    """Return columns of all kinds; of the numbers some are missing, some log, some 0 and 1."""
    x = rng.normal(shift, scale, n)
    frame = pd.DataFrame(
        {
            "x": x,
            "gaps": np.where(rng.random(n) < 0.3, np.nan, rng.normal(-shift, 2 * scale, n)),
            "more gaps": np.where(rng.random(n) < 0.3, np.nan, rng.normal(shift * 3, scale, n)),
            "amount": np.exp(rng.normal(shift / 4, 1, n)),
            "flag": rng.integers(0, 2, n).astype(float),
            "city": rng.choice(["rome", "oslo", None], n),
            "tags": [list(rng.choice(list("abc"), rng.integers(0, 3), replace=False)) for _ in x],
            "when": np.datetime64("2024-03-01", "s") + (x * 1e6).astype("m8[s]"),
        }
    )
    frame.loc[rng.random(n) < 0.2, "when"] = pd.NaT
    return frame


def targets(kind, rng, n, scale=1.0):
    if kind.endswith("regressor"):
        return rng.normal(5 * scale, scale, n)
    y = rng.integers(0, 2 if kind.endswith("classifier") else 3, n)
    y[:3] = np.arange(3) % (y.max() + 1)
    return y


def make(kind, **settings):
    kinds = {"amount": "log", "*": "standardize"}
    encoder = fm.TableEncoder(numeric=kinds, clip=False, dates="linear")
    settings = {"encoder": encoder, "random_state": 1, "n_threads": 1} | settings
    if kind.startswith(("weighted", "aware")):
        settings["variant"] = "fwfm" if kind.startswith("weighted") else "ffm"
    if kind.endswith("regressor"):
        return fm.FMRegressor(**settings)
    return fm.FMClassifier(loss="softmax" if kind == "softmax" else "logistic", **settings)


def fed(model, X, y, kind):
    arguments = {} if kind.endswith("regressor") else {"classes": np.unique([0, 1, *y])}
    if kind in ("softmax", "several"):
        arguments["classes"] = [0, 1, 2]
    return model.partial_fit(X, y, **arguments)


@pytest.mark.parametrize(
    "kind",
    [
        *("regressor", "classifier", "several", "softmax"),
        *("weighted regressor", "weighted classifier", "aware regressor", "aware classifier"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(6))
def test_predictions_of_all_rows_stay_when_statistics_move(kind, dtype, seed):
    rng = np.random.default_rng(seed)
    solver, rank = SOLVERS[seed % 3], [0, 1, 3][seed // 2]
    model = make(kind, rank=rank, solver=solver(learning_rate=0.05), dtype=dtype, init_scale=0.3)
    for _ in range(3):
        n = int(rng.integers(40, 90))
        fed(model, table(rng, n, 1.0, 1.0), targets(kind, rng, n), kind)
    fixed = table(rng, 60, 2.0, 3.0)
    before, names = scores_of(model, fixed), model.get_feature_names_out().tolist()
    numbers = [model.encoder_._encodings[position] for position in range(4)]
    when = model.encoder_._encodings[7].linear
    more = table(rng, 300, rng.choice([-2, 2]) + 0.5 * rng.normal(), np.exp(rng.normal()))
    if seed % 2:
        more["flag"] = rng.normal(0.5, 3, 300)  # it is not 0 and 1 any longer
    model.set_params(solver=solver(learning_rate=STILL))
    fed(model, more, targets(kind, rng, 300, 7.0), kind)
    assert model.get_feature_names_out().tolist() == names
    assert all(model.encoder_._encodings[position] != numbers[position] for position in range(4))
    time = model.encoder_._encodings[7].linear
    assert time.mean != when.mean
    assert model.encoder_._encodings[4].is_binary == (seed % 2 == 0)
    size = np.abs(before).max()
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(scores_of(model, fixed), before, atol=tolerance * size)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "softmax"])
def test_predictions_stay_beside_values_that_are_clipped(kind):
    """As long as the range of what is not clipped stays, they do for all rows."""
    rng = np.random.default_rng(0)
    settings = {"encoder": fm.TableEncoder(), "rank": 2, "dtype": "float64", "init_scale": 0.3}
    model = make(kind, solver=fm.Adam(learning_rate=0.05), **settings)
    fed(model, table(rng, 300), targets(kind, rng, 300), kind)
    number = model.encoder_._encodings[0]
    fixed = table(rng, 200, 0.0, 5.0)  # some beyond the range
    before = scores_of(model, fixed)
    model.set_params(solver=fm.Adam(learning_rate=STILL))
    fed(model, table(rng, 300, 0.7, 0.5), targets(kind, rng, 300), kind)
    moved = model.encoder_._encodings[0]
    assert (moved.low, moved.high) == (number.low, number.high)
    assert moved.mean != number.mean
    assert (fixed["x"] > number.high).any()
    np.testing.assert_allclose(scores_of(model, fixed), before, atol=1e-9)


def test_a_wrong_range_moves_predictions_as_little_as_it_can():
    rng = np.random.default_rng(0)
    model = make("regressor", rank=0, encoder=None, solver=fm.Adam(learning_rate=0.05))
    x = rng.normal(size=100)
    for _ in range(20):
        model.partial_fit(x[:, None], x)
    later = rng.normal(50, 5, 1000)[:, None]
    before = model.predict(later)
    assert np.ptp(before) == 0  # all are beyond the range
    model.set_params(solver=fm.Adam(learning_rate=STILL)).partial_fit(later, np.resize(x, 1000))
    after = model.predict(later)
    assert np.ptp(after) > 0
    assert np.abs(after - before).mean() < 0.5  # a line through the first rows would be 50 off


# --- learning -------------------------------------------------------------------------------------


def stream(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x": rng.normal(50, 5, n), "k": rng.normal(size=n)})
    X["city"] = rng.choice(["rome", "oslo"], n)
    score = (X["x"] - 50) / 5 * np.where(X["city"] == "rome", 1.5, 0.5) + X["k"]
    y = score + 0.1 * rng.normal(size=n)
    if kind == "regressor":
        return X, (1000 + 10 * y).to_numpy()
    return X, (np.digitize(y, [-0.7, 0.7]) if kind != "classifier" else (y > 0).astype(int))


def in_chunks(model, X, y, kind, sizes):
    begin = 0
    for size in sizes:
        fed(model, X[begin : begin + size], y[begin : begin + size], kind)
        begin += size
    assert begin == len(X)
    return model


@pytest.mark.parametrize("kind", ["regressor", "classifier", "softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_row_at_a_time_ends_near_one_large_call(kind, dtype):
    n = 800
    X, y = stream(kind, n + 500)
    settings = {"encoder": None, "rank": 4, "dtype": dtype, "batch_size": 1}
    settings["solver"] = fm.Adam(learning_rate=0.02)
    one = in_chunks(make(kind, **settings), X[:n], y[:n], kind, [1] * n)
    whole = in_chunks(make(kind, **settings), X[:n], y[:n], kind, [n])
    scores = [model.score(X[n:], y[n:]) for model in (one, whole)]
    assert scores[1] > 0.85
    assert scores[0] > scores[1] - 0.05


@pytest.mark.parametrize("kind", ["regressor", "classifier", "softmax"])
@pytest.mark.parametrize("first", [1, 10, 100])
def test_a_first_chunk_that_is_not_typical(kind, first):
    n = 4000
    X, y = stream(kind, n + 500)
    X.loc[: first - 1, "x"] = 0.01 * (X["x"] - 50)  # elsewhere, and far narrower
    sizes = [first, *[100] * ((n - first) // 100), (n - first) % 100]
    settings = {"encoder": None, "rank": 4, "solver": fm.Adam(learning_rate=0.02)}
    model = in_chunks(
        make(kind, **settings), X[:n], y[:n], kind, sizes[: -1 if sizes[-1] == 0 else None]
    )
    assert model.score(X[n:], y[n:]) > 0.8


def test_targets_that_were_constant_or_in_another_unit():
    X, y = stream("regressor", 4500)
    for first in (np.full(100, 3.0), 1e-3 * y[:100]):
        settings = {"encoder": None, "rank": 4, "solver": fm.Adam(learning_rate=0.02)}
        model = make("regressor", **settings).partial_fit(X[:100], first)
        in_chunks(model, X[100:4000], y[100:4000], "regressor", [100] * 39)
        assert model.score(X[4000:], y[4000:]) > 0.8


# --- states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["regressor", "classifier", "softmax"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_goes_on_from_a_pickle_and_a_file_as_without_a_break(kind, solver, tmp_path):
    rng = np.random.default_rng(0)
    model = make(kind, rank=2, solver=solver(learning_rate=0.02))
    others = [copy.deepcopy(model) for _ in range(2)]
    for chunk in range(6):
        X, y = table(rng, 80, chunk, 1 + chunk), targets(kind, rng, 80, chunk + 1)
        for one in (model, *others):
            fed(one, X, y, kind)
            assert_same(one, model, X)
        others[0] = pickle.loads(pickle.dumps(others[0]))
        others[1].save(tmp_path / "model", optimizer_state=True)
        others[1] = fm.load(tmp_path / "model")


@pytest.mark.parametrize("kind", ["regressor", "classifier", "softmax"])
def test_a_large_model_is_left_alone_until_the_call_returns(kind, monkeypatch):
    """Others have it meanwhile, and have it after an error."""
    monkeypatch.setattr(going_on, "SMALL_MODEL", 0)
    rng = np.random.default_rng(0)
    model = make(kind, rank=2, solver=fm.Adam())
    X = table(rng, 100)
    fed(model, X, targets(kind, rng, 100), kind)
    before = scores_of(model, X)

    class StopError(Exception):
        pass

    def stop(epoch):
        assert np.array_equal(scores_of(model, X), before)
        raise StopError

    model.set_params(callbacks=[stop])
    with pytest.raises(StopError):
        fed(model, table(rng, 100, 3, 3), targets(kind, rng, 100, 9), kind)
    assert np.array_equal(scores_of(model, X), before)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "softmax"])
def test_warm_starts_follow_a_stream_too(kind):
    rng = np.random.default_rng(0)
    still = {"rank": 2, "solver": fm.Adam(learning_rate=STILL), "init_scale": 0.5}
    model = make(kind, **still, dtype="float64", epochs=1, warm_start=True)
    fed(model, table(rng, 100), targets(kind, rng, 100), kind)
    fixed, number = table(rng, 50), model.encoder_._encodings[0]
    before = scores_of(model, fixed)
    model.fit(table(rng, 500, 4, 3), targets(kind, rng, 500, 9))
    assert model.encoder_._encodings[0] != number
    np.testing.assert_allclose(scores_of(model, fixed), before, atol=1e-9 * np.abs(before).max())


def test_samples_keep_the_statistics_of_their_fit():
    X, y = stream("regressor", 300)
    model = fm.FMRegressor(rank=2, solver=fm.Gibbs(), epochs=12, warm_start=True).fit(X, y)
    encodings, target = model.encoder_._encodings, model._target
    model.fit(X, y)  # sampling goes on with the same rows only
    assert model.encoder_._encodings[:2] == encodings[:2]
    assert (model._target.mean, model._target.std) == (target.mean, target.std)


@pytest.mark.parametrize("jump", [1e-300, 1e-12, 1e12, 1e300])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("what", ["x", "target"])
def test_units_that_differ_wildly_make_nothing_infinite(jump, clip, what):
    """Such features, and such targets, begin anew."""
    rng = np.random.default_rng(0)
    model = make("regressor", rank=2, encoder=fm.TableEncoder(clip=clip), solver=fm.Adam())
    for chunk in range(20):
        x = rng.normal(size=(200, 1))
        y = 2 * x[:, 0]
        if chunk:
            x, y = (x * jump, y) if what == "x" else (x, y * jump)
        model.partial_fit(x, y)
        assert np.isfinite(model.predict(x)).all()
    if jump > 1:  # otherwise the first rows rule for long
        predicted = model.predict(x) / np.abs(y).max()
        assert np.corrcoef(predicted, x[:, 0] / np.abs(x).max())[0, 1] > 0.9


def test_time_goes_on_in_a_stream():
    rng = np.random.default_rng(0)
    model = fm.FMRegressor(rank=0, solver=fm.Adam(learning_rate=0.02), batch_size=16)
    begin = np.datetime64("2024-01-01", "s")
    for day in range(0, 400, 2):
        x = day + 2 * rng.random(60)
        when = pd.DataFrame({"when": begin + (x * 86400).astype("m8[s]")})
        model.partial_fit(when, np.sin(x / 60) + 0.01 * rng.normal(size=60))
    later = pd.DataFrame({"when": [begin + np.timedelta64(390, "D"), begin]})
    near, _ = model.predict(later)
    assert near == pytest.approx(np.sin(390 / 60), abs=0.3)
    assert model.encoder_._encodings[0].linear.high > 300 * 86400 + begin.astype(int)


@pytest.mark.parametrize("scale", [30, 1e4, 1e7])
@pytest.mark.parametrize("first", ["0 and 1", "narrow"])
def test_what_was_learned_of_small_numbers_is_not_stretched_to_large_ones(scale, first):
    """A slope of numbers between 0 and 1 says nothing of thousands: the feature begins anew."""
    rng = np.random.default_rng(0)
    encoder = None if first == "0 and 1" else fm.TableEncoder(clip=False)
    model = fm.FMRegressor(rank=0, encoder=encoder)
    for call in range(60):
        z = rng.normal(size=(100, 2))
        x = z.copy()
        if call >= 10:
            x[:, 0] = scale * (3 + z[:, 0])
        elif first == "0 and 1":
            x[:, 0] = rng.integers(0, 2, 100)
        model.partial_fit(x, 2 * z[:, 0] + z[:, 1])
    assert model.score(x, 2 * z[:, 0] + z[:, 1]) > 0.9


@pytest.mark.parametrize("ones", [1, 20, 40])
@pytest.mark.parametrize("numeric", ["standardize", "log", "bin"])
def test_rows_one_at_a_time_that_begin_with_ones(ones, numeric):
    rng = np.random.default_rng(0)
    x = rng.normal(1e4, 2e3, 1000)
    x[:ones] = 1
    y = (x - 1e4) / 2e3
    encoder = fm.TableEncoder(numeric=numeric, n_bins=8)
    model = fm.FMRegressor(rank=0, encoder=encoder)
    for row in range(1000):
        model.partial_fit(x[row : row + 1, None], y[row : row + 1])
    # Rows of ones rule statistics of logarithms, and bins, for longer.
    assert model.score(x[ones:, None], y[ones:]) > (0.7 if numeric == "standardize" else 0.1)


def test_weights_of_targets_are_in_one_unit_in_all_calls():
    model = fm.FMRegressor(rank=0)
    for call in range(50):
        odd = call % 2
        model.partial_fit([[call % 7.0]], [odd * 100.0], sample_weight=[9.0 if odd else 1.0])
    seen = model._target.followed
    assert seen.mean * 2.0**seen.exponent == pytest.approx(90)


def test_a_long_stream_can_be_saved(tmp_path):
    """Values that never come again are forgotten before their weight underflows."""
    model = fm.FMRegressor(rank=0)
    for call in range(1100):
        x = (np.arange(1000) % 5)[:, None] * 1.0
        x[0] = 7 if call == 0 else 0
        model.encoder_.partial_fit(x) if call else model.partial_fit(x, x[:, 0])
    model.save(tmp_path / "model", optimizer_state=True)
    assert fm.load(tmp_path / "model").predict(x).tobytes() == model.predict(x).tobytes()


def test_fit_transform_after_a_stream_is_that_of_fit():
    X = np.random.default_rng(0).normal(size=(20, 2))
    encoder = fm.TableEncoder(numeric="bin", n_bins=4).partial_fit(X)
    expected = fm.TableEncoder(numeric="bin", n_bins=4).fit_transform(X)
    assert (encoder.fit_transform(X) != expected).nnz == 0


@pytest.mark.parametrize("size", [1e7, 1e17])
def test_0_and_1_that_turn_out_to_be_huge_numbers_of_a_logarithm(size):
    rng = np.random.default_rng(0)
    model = fm.FMRegressor(rank=2, encoder=fm.TableEncoder(numeric="log"))
    x = rng.integers(0, 2, (100, 1)) * 1.0
    for _ in range(3):
        model.partial_fit(x, x[:, 0])
    huge = size * np.exp(rng.normal(size=(100, 1)))
    model.partial_fit(huge, x[:, 0])
    assert np.abs(model.predict(huge)).max() < 10
