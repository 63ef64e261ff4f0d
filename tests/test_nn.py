"""The layers against the reference, brute force and finite differences; their arguments."""

from concurrent.futures import ThreadPoolExecutor

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import adam_step, gradients, score, score_brute_force
from scipy import sparse

import sparsefm as fm

RANKS = [0, 1, 2, 3, 5, 8, 9, 16, 17, 31, 64]
FORMS = {"csr": sparse.csr_array, "ones": sparse.csr_matrix, "dense": np.asarray}
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}  # of the sum of all terms' absolute values


def problem(form="csr", rank=3, rows=300, features=20, dtype="float64", seed=0):
    """Draw rows, slopes and parameters; row 3 is empty and, of several, the last feature absent."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    if form != "dense":
        X *= rng.random((rows, features)) < 0.4
    X[3:4], X[:, features - 1 :] = 0, X[:, features - 1 :] * (features == 1)
    X = (X != 0) * 1.0 if form == "ones" else X
    draws = X, rng.normal(size=rows), rng.normal(size=features), rng.normal(size=(features, rank))
    X, slopes, w, V = (draw.astype(dtype) for draw in draws)
    return FORMS[form](X), slopes, (0.75, w, V)


def assert_close(actual, expected, terms, dtype):
    """Compare with a tolerance that is relative to what was added up."""
    assert np.shape(actual) == np.shape(expected)
    error = np.abs(np.asarray(actual, float) - expected)
    assert (error <= TOLERANCE[dtype] * terms).all()


def terms_of_score(X, w0, w, V):
    """Sum the absolute values of the terms of each score."""
    X, V = abs(X), np.abs(V)
    return abs(w0) + X @ np.abs(w) + ((X @ V) ** 2).sum(axis=1)


def terms_of_gradients(X, slopes, V):
    """Sum the absolute values of the terms of dw0, dw and dV."""
    X, g, V = abs(X), np.abs(slopes), np.abs(V)
    return g.sum(), X.T @ g, 2 * X.T @ (g[:, None] * (X @ V))


def wide(X, *arguments):
    """Convert to what the reference computes with."""
    return [np.asarray(a.toarray() if sparse.issparse(a) else a, float) for a in (X, *arguments)]


def same_bits(a, b):
    return all(
        np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in zip(a, b, strict=True)
    )


def layers(X, slopes, parameters, **options):
    scores = fm.nn.forward(X, *parameters, **options)
    return scores, *fm.nn.backward(X, slopes, *parameters, **options)


# --- forward and backward -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("features", [1, 20])
def test_layers_are_those_of_the_reference(features, rank, form, dtype):
    X, slopes, parameters = problem(form, rank, features=features, dtype=dtype)
    scores, dw0, dw, dV = layers(X, slopes, parameters)
    assert scores.dtype == dw.dtype == dV.dtype == dtype
    assert isinstance(dw0, float)
    X, slopes, *parameters = wide(X, slopes, *parameters)
    expected = score(X, *parameters), *gradients(X, slopes, *parameters)
    terms = terms_of_score(X, *parameters), *terms_of_gradients(X, slopes, parameters[2])
    for actual, wanted, size in zip((scores, dw0, dw, dV), expected, terms, strict=True):
        assert_close(actual, wanted, size, dtype)


@st.composite
def small_problems(draw):
    """Draw up to 6 rows of up to 6 features and parameters, all eighths: no sum is rounded."""
    rows, features, rank = draw(st.tuples(*(st.integers(low, 6) for low in (0, 1, 0))))
    numbers = st.integers(-16, 16).map(lambda i: i / 8)
    sparse_numbers = st.one_of(st.just(0.0), st.just(1.0), numbers)
    draws = ((rows, features), (rows,), (features,), (features, rank))
    elements = (sparse_numbers, numbers, numbers, numbers)
    X, slopes, w, V = (
        draw(arrays.arrays(float, shape, elements=e))
        for shape, e in zip(draws, elements, strict=True)
    )
    return X, slopes, (draw(numbers), w, V)


@settings(max_examples=150, deadline=None, database=None)
@given(small_problems(), st.sampled_from(["dense", "csr"]))
def test_forward_is_the_sum_over_pairs(problem, form):
    X, _, parameters = problem
    expected = score_brute_force(X, *parameters)
    np.testing.assert_array_equal(fm.nn.forward(FORMS[form](X), *parameters), expected)


@settings(max_examples=100, deadline=None, database=None)
@given(small_problems(), st.sampled_from(["dense", "csr"]))
def test_backward_is_finite_differences(problem, form):
    X, slopes, parameters = problem
    X = FORMS[form](X)
    actual, step = fm.nn.backward(X, slopes, *parameters), 0.125
    for number, theta in enumerate(parameters):
        differences = np.zeros(np.shape(theta))
        for place in np.ndindex(differences.shape):
            ends = []
            for shift in (step, -step):
                moved = [np.array(other, float) for other in parameters]
                moved[number][place] += shift
                ends.append(slopes @ fm.nn.forward(X, *moved))
            # Scores are quadratic in each parameter: this is exact at any step.
            differences[place] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_array_equal(actual[number], differences)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rank", [0, 3, 16])
def test_edges(rank, dtype):
    X, slopes, (w0, w, V) = problem(rank=rank, dtype=dtype)
    assert fm.nn.forward(X, w0, w, V)[3] == w0  # of an empty row
    _, dw, dV = fm.nn.backward(X, slopes, w0, w, V)
    assert not dw[-1].any()
    assert not dV[-1].any()
    assert fm.nn.forward(X[:0], w0, w, V).shape == (0,)
    nothing = fm.nn.backward(X[:0], [], w0, w, V)
    assert same_bits(nothing, (0.0, np.zeros_like(w), np.zeros_like(V)))
    without_features = fm.nn.forward(np.zeros((4, 0)), w0, w[:0], V[:0])
    assert without_features.tolist() == [w0] * 4


def test_more_rows_than_one_call_takes():
    rows = 2**18 + 5
    columns = np.arange(rows, dtype=np.int32) % 7
    values, indptr = (np.arange(rows) % 3 + 1).astype(float), np.arange(rows + 1)
    X = sparse.csr_matrix((values, columns, indptr), (rows, 7))
    scores = fm.nn.forward(X, 0.5, np.arange(7.0), np.ones((7, 2)))
    np.testing.assert_array_equal(scores, 0.5 + values * columns)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("form", FORMS)
def test_same_bits_for_any_number_of_threads(form, dtype):
    case = problem(form, rank=17, rows=2000, features=300, dtype=dtype)
    expected = layers(*case, n_threads=1)
    for n_threads in (2, 3, 7, None):
        assert same_bits(layers(*case, n_threads=n_threads), expected)


@pytest.mark.parametrize("form", FORMS)
def test_inputs_are_left_alone(form):
    X, slopes, (w0, w, V) = problem(form)
    inputs = [slopes, w, V, *([X] if form == "dense" else [X.data, X.indices, X.indptr])]
    before = [array.copy() for array in inputs]
    layers(X, slopes, (w0, w, V))
    assert same_bits(inputs, before)


def test_layouts_of_parameters():
    X, slopes, (w0, w, V) = problem()
    expected = layers(X, slopes, (w0, w, V))
    for change in (np.asfortranarray, np.ndarray.tolist, lambda a: np.repeat(a, 2, axis=0)[::2]):
        assert same_bits(
            layers(X, change(slopes), (np.array([w0]), change(w), change(V))), expected
        )
    columns = change(slopes)[:, None], (w0, w[:, None], V)
    assert same_bits(layers(X, *columns), expected)


@pytest.mark.parametrize(
    ("w", "V", "found"),
    [("f4", "f4", "f4"), ("f4", "f8", "f8"), ("f8", "f4", "f8"), ("i8", "i4", "f8")],
)
def test_types_of_parameters(w, V, found):
    X, slopes, parameters = problem()
    parameters = 1, np.ceil(parameters[1]).astype(w), np.ceil(parameters[2]).astype(V)
    scores, _, dw, dV = layers(X, slopes, parameters)
    assert scores.dtype == dw.dtype == dV.dtype == found


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *(("w0", bad, ValueError) for bad in (np.nan, np.inf, [1.0, 2.0], "1", None, 1j)),
        *(("w", bad, ValueError) for bad in (np.full(20, np.nan), np.ones(19), np.ones((20, 3)))),
        *(("w", bad, TypeError) for bad in (["x"] * 20, np.ones(20) * 1j)),
        *(("V", bad, ValueError) for bad in (np.full((20, 2), np.inf), np.ones(20))),
        *(("V", bad, TypeError) for bad in ([["x"]] * 20, np.ones((20, 2)) * 1j)),
        *(("n_threads", bad, ValueError) for bad in (0, -1)),
        *(("n_threads", bad, TypeError) for bad in (2.5, True, "2")),
    ],
)
def test_refused(name, value, error):
    X, slopes, (w0, w, V) = problem()
    arguments = {"w0": w0, "w": w, "V": V, name: value}
    with pytest.raises(error, match=rf"^{name}\b"):
        fm.nn.forward(X, **arguments)
    with pytest.raises(error, match=rf"^{name}\b"):
        fm.nn.backward(X, slopes, **arguments)


def test_many_python_threads_at_once():
    cases = [problem(form, rank, rows=600, dtype="float32") for form in FORMS for rank in (4, 9)]

    def work(case):
        X, slopes, parameters = case
        theta, m, v = (np.zeros(5000) for _ in range(3))
        for t in range(1, 20):
            fm.nn.adam_update(theta, np.sin(np.arange(5000.0)), m, v, t, 0.1)
        model = fm.train(X, slopes, rank=4, epochs=3, batch_size=100, n_threads=2)
        return *layers(X, slopes, parameters, n_threads=2), theta, model.V, fm.predict(X, model)

    expected = [work(case) for case in cases]
    with ThreadPoolExecutor(8) as pool:
        for done, wanted in zip(pool.map(work, cases * 5), expected * 5, strict=True):
            assert same_bits(done, wanted)


# --- Adam ---------------------------------------------------------------------------------------

SHAPES = [(), (0,), (1,), (7,), (8,), (33,), (1000,), (0, 3), (3, 0), (3, 5), (2, 3, 4)]
RATES = [(0.1, 0.9, 0.999, 1e-8), (0.01, 0.0, 0.0, 0.1), (1.0, 0.5, 0.99, 1e-3)]


def adam_state(shape, dtype):
    rng = np.random.default_rng(0)
    theta, grad, m = (np.asarray(rng.normal(size=shape), dtype) for _ in range(3))
    return theta, grad, m, np.asarray(rng.random(shape), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_adam_is_that_of_the_reference(shape, dtype):
    for rates in RATES:
        theta, grad, m, v = adam_state(shape, dtype)
        expected = [np.array(a, float) for a in (theta, m, v)]
        for t in (1, 2, 3, 1000, 10**12):
            before = grad.copy()
            assert fm.nn.adam_update(theta, grad, m, v, t, *rates) is None
            assert same_bits([grad], [before])
            adam_step(expected[0], wide(grad)[0], *expected[1:], t, *rates)
            for actual, wanted in zip((theta, m, v), expected, strict=True):
                assert actual.shape == shape
                assert_close(actual, wanted, 10 + np.abs(wanted), dtype)
            grad = np.asarray(-0.5 * grad, dtype)


def test_adam_has_the_usual_defaults():
    left, right = adam_state((9,), "float64"), adam_state((9,), "float64")
    fm.nn.adam_update(*left, 3, 0.1)
    fm.nn.adam_update(*right, t=3, lr=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8)
    assert same_bits(left, right)


@pytest.mark.parametrize(
    "change",
    [
        np.ndarray.tolist,
        np.asfortranarray,
        lambda g: g.astype(">f4"),
        lambda g: np.repeat(g, 2, 0)[::2],
    ],
)
def test_adam_takes_any_gradient(change):
    expected, actual = adam_state((4, 3), "float32"), adam_state((4, 3), "float32")
    fm.nn.adam_update(*expected, 1, 0.1)
    theta, grad, m, v = actual
    fm.nn.adam_update(theta, change(grad), m, v, 1, 0.1)
    assert same_bits((theta, m, v), (expected[0], *expected[2:]))


def locked(array):
    array.flags.writeable = False
    return array


IN_PLACE = {
    "strided": (lambda a: np.repeat(a, 2, axis=1)[:, ::2], ValueError),
    "fortran": (np.asfortranarray, ValueError),
    "read-only": (lambda a: locked(a.copy()), ValueError),
    "list": (np.ndarray.tolist, TypeError),
    "int": (lambda a: a.astype(int), TypeError),
    "float16": (lambda a: a.astype("f2"), TypeError),
    "big-endian": (lambda a: a.astype(">f8"), TypeError),
    "float": (lambda a: 1.0, TypeError),
}


@pytest.mark.parametrize("name", ["theta", "m", "v"])
@pytest.mark.parametrize("kind", IN_PLACE)
def test_adam_refuses_what_it_cannot_change(kind, name):
    change, error = IN_PLACE[kind]
    state = dict(zip(("theta", "grad", "m", "v"), adam_state((4, 3), "float64"), strict=True))
    state[name] = change(state[name])
    before = [np.array(array) for array in state.values()]
    with pytest.raises(error, match=rf"^{name}\b"):
        fm.nn.adam_update(**state, t=1, lr=0.1)
    assert same_bits(state.values(), before)


@pytest.mark.parametrize(
    ("name", "values", "error"),
    [
        ("m", [np.zeros((3, 4)), np.zeros(12), np.zeros((4, 3), "f4")], ValueError),
        ("v", [np.zeros((3, 4)), np.zeros(12), np.zeros((4, 3), "f4")], ValueError),
        ("grad", [np.ones((3, 4)), np.ones(12), np.ones(3), 1.0], ValueError),
        ("t", [0, -1], ValueError),
        ("t", [1.0, True, "1", None], TypeError),
        ("lr", [-0.1, np.nan, np.inf], ValueError),
        ("beta1", [1.0, -0.1, np.nan], ValueError),
        ("beta2", [1.0, -0.1, np.nan], ValueError),
        ("epsilon", [-1e-8, np.nan], ValueError),
        ("lr", ["x", None, 1j], TypeError),
    ],
)
def test_adam_refuses(name, values, error):
    state = dict(zip(("theta", "grad", "m", "v"), adam_state((4, 3), "float64"), strict=True))
    before = [array.copy() for array in state.values()]
    for value in values:
        with pytest.raises(error, match=rf"^{name}\b"):
            fm.nn.adam_update(**{**state, "t": 1, "lr": 0.1, name: value})
    assert same_bits(state.values(), before)


@pytest.mark.parametrize(
    "grad", [["x"] * 3, [1j, 0, 0], [1.0, None, "2"], [[1.0], [1.0, 2.0], [3.0]]]
)
def test_adam_refuses_gradients_that_are_no_numbers(grad):
    theta, _, m, v = adam_state((3,), "float64")
    with pytest.raises((TypeError, ValueError), match=r"^grad\b"):
        fm.nn.adam_update(theta, grad, m, v, 1, 0.1)
