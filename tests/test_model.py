"""Models, made by hand and trained, and what they predict; the settings that `train` refuses."""

import copy
import pickle

import numpy as np
import pytest
from reference import score, sigmoid
from scipy import sparse

import sparsefm as fm

ROWS, FEATURES, RANK = 30, 7, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, FEATURES)) * (RNG.random((ROWS, FEATURES)) < 0.5)
Y = RNG.normal(size=ROWS)
W, V = RNG.normal(size=FEATURES), RNG.normal(size=(FEATURES, RANK))
TASKS = {"squared": "regression", "logistic": "binary", "hinge": "binary"}


def made(loss="squared", dtype="float64", **parameters):
    parameters = {"w0": 0.3, "w": W.astype(dtype), "V": V.astype(dtype), **parameters}
    return fm.Model(**parameters, task=TASKS[loss], loss=loss)


def fit(X=X, y=Y, **settings):
    settings = {"rank": 2, "epochs": 2, "batch_size": 8, "n_threads": 1, **settings}
    return fm.train(X, y, **settings)


# --- a model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", TASKS)
def test_trained_model(loss, dtype):
    y = Y if loss == "squared" else Y > 0
    model = fit(y=y, task=TASKS[loss], loss=loss, rank=5, dtype=dtype, epochs=3)
    assert type(model.w0) is float
    assert (model.w.shape, model.V.shape) == ((FEATURES,), (FEATURES, 5))
    assert model.w.dtype == model.V.dtype == model.dtype == dtype
    assert model.w.flags.c_contiguous
    assert model.V.flags.c_contiguous
    assert (model.n_features, model.rank) == (FEATURES, 5)
    assert (model.task, model.loss) == (TASKS[loss], loss)
    assert [epoch.epoch for epoch in model.history] == [1, 2, 3]
    assert repr(model) == (
        f"Model(task={TASKS[loss]!r}, loss={loss!r}, n_features={FEATURES}, rank=5, dtype={dtype}, "
        "epochs=3)"
    )


def test_model_by_hand_owns_its_arrays():
    w, factors = W.copy(), V.copy()
    model = fm.Model(np.float32(0.5), w, factors)
    assert type(model.w0) is float
    assert (model.w0, model.task, model.loss, model.history) == (0.5, "regression", "squared", ())
    expected = model.predict(X)
    w[:], factors[:] = 0, 0
    np.testing.assert_array_equal(model.predict(X), expected)
    with pytest.raises(AttributeError):
        model.w0 = 1.0


@pytest.mark.parametrize(
    "change", [np.asfortranarray, np.ndarray.tolist, lambda a: a[::-1].copy()[::-1]]
)
def test_layouts_of_parameters(change):
    model = made(w=change(W), V=change(V))
    assert model.V.flags.c_contiguous
    assert model.predict(X).tobytes() == made().predict(X).tobytes()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"w": W[1:]}, rf"w .*{FEATURES - 1}.*{FEATURES}"),
        ({"w": np.c_[W, W]}, "w must be one-dimensional"),
        ({"w": 1.0}, "w must be one-dimensional"),
        ({"w": np.full(FEATURES, np.nan)}, "w holds nan"),
        ({"w": W * 1j}, "w must hold real numbers"),
        ({"w": W.astype(str)}, "w must hold real numbers"),
        ({"w": None}, "w "),
        ({"w": sparse.csr_array(W[None])}, "w "),
        ({"V": W}, "V must have shape"),
        ({"V": V[None]}, "V must have shape"),
        ({"V": None}, "V must have shape"),
        ({"V": np.full_like(V, np.inf)}, "V holds inf"),
        ({"V": V * 1j}, "V must hold real numbers"),
        ({"V": sparse.csr_array(V)}, "V "),
        ({"w0": np.nan}, "w0 must be a finite number"),
        ({"w0": [1.0, 2.0]}, "w0 must be a finite number"),
        ({"w0": None}, "w0 must be a finite number"),
        ({"w0": "1"}, "w0 must be a finite number"),
    ],
)
def test_parameters_refused(wrong, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        made(**wrong)


@pytest.mark.parametrize(
    ("task", "loss", "name"),
    [("ranking", "squared", "task"), ("binary", "squared", "loss"), ("regression", "log", "loss")],
)
def test_tasks_refused(task, loss, name):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        fm.Model(0.0, W, V, task, loss)


def test_loss_none_is_the_tasks_own():
    for task, loss in (("regression", "squared"), ("binary", "logistic")):
        model = fm.Model(0.3, W, V, task, None)
        assert model.loss == loss
        assert model.predict(X).tobytes() == made(loss).predict(X).tobytes()


def test_errors_about_parameters_do_not_speak_of_rows_of_x():
    infinite = V.copy()
    infinite[4, 1] = np.inf
    with pytest.raises(ValueError, match=r"^w .*") as error:
        made(w=W[1:])
    assert "X" not in str(error.value)
    with pytest.raises(ValueError, match=r"^V holds inf at row 4\b"):
        made(V=infinite)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol):
    model = fit(X_val=X, y_val=Y)
    for again in (pickle.loads(pickle.dumps(model, protocol)), copy.deepcopy(model)):
        assert again is not model
        assert again.V is not model.V
        assert again.predict(X).tobytes() == model.predict(X).tobytes()
        assert (repr(again), again.history) == (repr(model), model.history)
        assert (again.w0, again.dtype) == (model.w0, model.dtype)


# --- predictions --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", TASKS)
def test_what_is_predicted(loss, dtype):
    model = made(loss, dtype)
    scores = score(
        X.astype(dtype).astype(float), 0.3, *(a.astype(dtype).astype(float) for a in (W, V))
    )
    expected = sigmoid(scores) if loss == "logistic" else scores
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
    for predicted in (
        fm.predict(X, model),
        model.predict(X),
        fm.predict(sparse.csr_array(X), model),
    ):
        assert (predicted.shape, predicted.dtype) == ((ROWS,), dtype)
        np.testing.assert_allclose(predicted, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(model.score(X), scores, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("loss", TASKS)
def test_no_rows(loss, make):
    predicted = made(loss).predict(make(X[:0]))
    assert (predicted.shape, predicted.dtype) == ((0,), np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [0, 3, 17])
def test_same_bits_for_any_number_of_threads(rank, dtype):
    many = np.tile(X, (40, 1))
    model = made(dtype=dtype, V=RNG.normal(size=(FEATURES, rank)).astype(dtype))
    expected = model.predict(many, n_threads=1)
    assert np.array_equal(expected[:ROWS], expected[-ROWS:])
    for n_threads in (2, 3, 7, None):
        assert fm.predict(many, model, n_threads=n_threads).tobytes() == expected.tobytes()


@pytest.mark.parametrize(("dtype", "huge"), [("float32", 3e38), ("float64", 1e300)])
@pytest.mark.parametrize("loss", TASKS)
def test_huge_values_are_refused(loss, dtype, huge):
    far = X.copy()
    far[5] = huge
    with pytest.raises(ValueError, match=rf"^the score of row 5 of X is too large for {dtype}"):
        made(loss, dtype).predict(far)


@pytest.mark.parametrize("n_threads", [0, -1, 2.5, True, "2"])
def test_n_threads_refused(n_threads):
    for call in (
        made().predict,
        made().score,
        lambda X, **options: fm.predict(X, made(), **options),
    ):
        with pytest.raises((TypeError, ValueError), match=r"^n_threads must be"):
            call(X, n_threads=n_threads)


@pytest.mark.parametrize("model", [None, "model", X, fm.Model, (0.0, W, V)])
def test_not_a_model(model):
    with pytest.raises(TypeError, match=r"(?s)^model must be a (sparsefm\.)?Model.*\(X, model\)"):
        fm.predict(X, model)


def test_arguments_in_the_wrong_order():
    with pytest.raises(TypeError, match=r"(?s)^model must be a (sparsefm\.)?Model.*\(X, model\)"):
        fm.predict(made(), X)


def test_going_on_with_a_model():
    first = fit(rank=3)
    before = pickle.dumps(first)
    same = fit(rank=None, init=(first.w0, first.w, first.V)).V
    assert fit(rank=None, init=first).V.tobytes() == same.tobytes() != first.V.tobytes()
    assert pickle.dumps(first) == before


# --- settings -----------------------------------------------------------------------------------

# fmt: off
WRONG_VALUES = {
    "task": ["ranking", None, ["binary"]], "loss": ["absolute", "logistic", 1],
    "rank": [-1, -(2**70)], "epochs": [0, -1], "batch_size": [0, -1],
    "init": ["zeros", ""], "init_scale": [-0.1, np.nan, np.inf, 1e300],
    "seed": [-1], "n_threads": [0, -1],
    "dtype": ["float16", "int32", int, ">f4", "no type", None],
    "learning_rate": [0, -0.1, np.nan, np.inf, 10**400], "epsilon": [0, -1e-8, 1e-60, np.nan],
    "beta1": [1.0, -0.1, np.nan, 2], "beta2": [1.0, -0.1, np.nan, 2], "updates": ["eager", None],
    "l2_linear": [-1e-9, np.nan, np.inf], "l2_factors": [-1e-9, np.nan, np.inf],
}
INTEGERS = ("rank", "epochs", "batch_size", "n_threads", "seed")
NUMBERS = ("learning_rate", "beta1", "beta2", "epsilon", "l2_linear", "l2_factors")
WRONG_TYPES = {
    **{name: [1.5, True, "8", [1]] for name in INTEGERS},
    **{name: ["x", None, True, 1j] for name in NUMBERS},
    "init_scale": ["1", True], "init": [None, 7, np.ones(3), (0.0, [1.0])],
    "solver": ["adam", fm.Adam, {"learning_rate": 1}],
    "callbacks": [None, 5, print, [print, None], ["print"]],
}
CHOICES = {
    "task": ["regression", "binary"], "loss": ["squared"], "init": ["normal", "uniform"],
    "dtype": ["float32", "float64"], "updates": ["lazy", "exact"],
}
# fmt: on


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [(name, value, ValueError) for name, values in WRONG_VALUES.items() for value in values]
    + [(name, value, TypeError) for name, values in WRONG_TYPES.items() for value in values],
    ids=lambda value: str(value)[:20],
)
def test_settings_refused(name, value, error):
    seen, choices = [], CHOICES.get(name, ()) if error is ValueError else ()

    def call():
        if name in fm.Adam.__dataclass_fields__:
            return fit(solver=fm.Adam(**{name: value}), callbacks=[seen.append])
        return fit(**{"callbacks": [seen.append], name: value})

    listed = "".join(f".*'{choice}'" for choice in choices)
    with pytest.raises(error, match=rf"^{name}\b{listed}"):
        call()
    assert not seen


D1, D2 = np.ones(FEATURES), np.ones((FEATURES, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init": (0.0, D1, D2), "rank": 3}, "rank is 3, but init has rank 2"),
        ({"init": (0.0, D1, D2), "init_scale": 0.1}, "init_scale"),
        ({"init": made(), "init_scale": 0.1}, "init_scale"),
        ({"init": (0.0, D1[1:], D2[1:])}, f"init has 6 features, but X has {FEATURES}"),
        ({"init": (0.0, D1[1:], D2)}, "w .*6.*7"),
        ({"init": (0.0, D1, D1)}, "V must have shape"),
        ({"init": (0.0, D2, D2)}, "w "),
        ({"init": (np.nan, D1, D2)}, "w0 must be a finite number"),
        ({"init": (0.0, D1 * np.nan, D2)}, "w holds nan"),
        ({"init": (0.0, D1, D2 * np.inf)}, "V holds inf"),
        ({"init": (0.0, D1, D2 * 1e300)}, "(V|init)"),
        ({"init": (1e300, D1, D2)}, "(w0|init)"),
    ],
)
def test_init_refused(settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        fit(**{"rank": None, **settings})


def test_a_rank_beyond_memory_is_named():
    with pytest.raises(MemoryError, match=r"^rank .*GiB"):
        fit(rank=2**62)
