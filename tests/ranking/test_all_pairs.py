"""Least squares over all pairs, against the reference."""

import numpy as np
import pytest
from reference_all_pairs import AllPairs as Reference
from reference_all_pairs import penalties as reference_penalties
from scipy import sparse

from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.ranking.all_pairs import AllPairs, best_constant, penalties

N, M = 23, 17  # contexts, items
SETTINGS = {"unobserved_weight": 0.3, "l2": 0.05, "nu": 0.7}


@pytest.fixture(autouse=True)
def _helpers():
    _core.keep_helpers(True)
    yield
    _core.keep_helpers(False)


def csr(dense, dtype=np.float64):
    return as_csr(sparse.csr_array(dense), dtype)


def one_hot(rows, names):
    """Return a matrix with a feature for each name; -1: the row has none."""
    return (np.asarray(names)[:, None] == np.arange(max(names) + 1)).astype(float)[:rows]


def table(rng, rows, kind):
    """Return the features of the rows of a side."""
    parts = [np.eye(rows)]
    if kind != "ids":
        parts.append(one_hot(rows, rng.integers(-1, 4, rows)))
    if kind in ("many", "real"):
        parts.append((rng.random((rows, 6)) < 0.4).astype(float))
    if kind == "real":
        parts.append(np.where(rng.random((rows, 3)) < 0.7, rng.normal(size=(rows, 3)), 0))
    return np.hstack(parts)


def problem(kind="real", rank=5, weights=True, rows=(N, M), seed=0):
    """Return dense contexts and items in one space, positives and parameters."""
    rng = np.random.default_rng(seed)
    own, other = (table(rng, size, kind) for size in rows)
    contexts = np.hstack([own, np.zeros((len(own), other.shape[1] + 1))])  # the last: of nothing
    items = np.hstack([np.zeros((len(other), own.shape[1])), other, np.zeros((len(other), 1))])
    positives = (rng.random(rows) < 0.2).astype(float)
    if weights:
        positives *= rng.uniform(0.5, 3, rows)
    d = contexts.shape[1]
    return contexts, items, positives, [np.zeros(1), np.zeros(d), rng.normal(0, 0.3, (d, rank))]


def solver(contexts, items, positives, parameters, dtype=np.float64, **settings):
    """Return the core's solver, and the parameters that it changes."""
    matrices = [csr(X, dtype) for X in (contexts, items, positives)]
    own = [np.ascontiguousarray(parameter, dtype).copy() for parameter in parameters]
    return AllPairs(*matrices, *own, **{**SETTINGS, **settings}), own


def reference(contexts, items, positives, parameters):
    values = SETTINGS["unobserved_weight"], SETTINGS["l2"], SETTINGS["nu"]
    known = reference_penalties(contexts, items, positives, *values)
    return Reference(contexts, items, positives, known, values[0], *parameters)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("rank", [0, 1, 5, 16, 24])
@pytest.mark.parametrize("kind", ["ids", "one", "many", "real"])
def test_each_epoch_is_that_of_the_reference(kind, rank, weights):
    made = problem(kind, rank, weights)
    core, own = solver(*made)
    expected = reference(*made)
    assert core.objective() == pytest.approx(expected.objective(), rel=1e-12)
    for _ in range(3):
        assert core.epoch() == pytest.approx(expected.epoch(), rel=1e-9)
        for mine, theirs in zip(own, (expected.w0, expected.w, expected.V), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)
        assert core.objective() == pytest.approx(expected.objective(), rel=1e-9)


@pytest.mark.parametrize("kind", ["ids", "real"])
@pytest.mark.parametrize("rank", [0, 8, 16, 32])
def test_float32_is_close(kind, rank):
    made = problem(kind, rank)
    core, own = solver(*made, dtype=np.float32)
    expected = reference(*made)
    for _ in range(3):
        assert core.epoch() == pytest.approx(expected.epoch(), rel=1e-4)
    for mine, theirs in zip(own, (expected.w0, expected.w, expected.V), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["ids", "many", "real"])
def test_the_objective_never_rises(kind, dtype):
    core, _ = solver(*problem(kind, 12, seed=1), dtype=dtype)
    objectives = np.array([core.objective()] + [core.epoch() for _ in range(25)])
    rounding = 1e-5 if dtype == np.float32 else 1e-12
    assert (np.diff(objectives) <= rounding * objectives[1:]).all()
    assert objectives[-1] < 0.9 * objectives[0]


def test_the_end_is_a_minimum():
    contexts, items, positives, parameters = problem("ids", 2)
    core, own = solver(contexts, items, positives, parameters)
    for _ in range(2000):
        core.epoch()
    expected = reference(contexts, items, positives, own)
    least = expected.objective()
    for array in (expected.w0, expected.w, expected.V):
        for place in np.ndindex(array.shape):
            kept = array[place]
            slope = 0.0
            for step in (-1e-4, 1e-4):
                array[place] = kept + step
                slope += np.sign(step) * expected.objective() / 2e-4
            array[place] = kept
            assert abs(slope) < 1e-4 * least


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(dtype):
    """Features in few rows, and in so many that their rows are several tasks."""
    rng = np.random.default_rng(0)
    rows = 3000, 700
    sides = []
    for size in rows:
        half = np.arange(size) % 2
        ids, groups = sparse.eye_array(size), one_hot(size, rng.integers(-1, 7, size))
        several = sparse.random_array((size, 5), density=0.5, rng=rng)
        sides.append(sparse.hstack([ids, one_hot(size, half), groups, several]))
    widths = [side.shape[1] for side in sides]
    contexts = sparse.hstack([sides[0], sparse.csr_array((rows[0], widths[1]))]).tocsr()
    items = sparse.hstack([sparse.csr_array((rows[1], widths[0])), sides[1]]).tocsr()
    positives = sparse.random_array(rows, density=0.02, rng=rng, format="csr")
    parameters = [np.zeros(1), np.zeros(sum(widths)), rng.normal(0, 0.1, (sum(widths), 12))]
    found = []
    for threads in (1, 2, 7, 16):
        core, own = solver(contexts, items, positives, parameters, dtype)
        objectives = [core.objective(threads), core.epoch(threads), core.epoch(threads)]
        found.append([*own, np.array(objectives)])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert np.array_equal(one, other)


def test_rows_without_features_or_positives():
    contexts, items, positives, parameters = problem("real", 3)
    contexts[[0, 5]] = 0
    items[3] = 0
    positives[[1, 5]] = 0
    positives[:, [2, 3]] = 0
    core, own = solver(contexts, items, positives, parameters)
    expected = reference(contexts, items, positives, parameters)
    for _ in range(2):
        assert core.epoch() == pytest.approx(expected.epoch(), rel=1e-9)
    np.testing.assert_allclose(own[2], expected.V, rtol=1e-7, atol=1e-9)
    assert np.array_equal(own[2][-1], parameters[2][-1])  # a feature of nothing stays


@pytest.mark.parametrize("rows", [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_hardly_any_pairs(rows):
    rng = np.random.default_rng(0)
    n, m = rows
    contexts = np.hstack([np.eye(n), np.zeros((n, m))])
    items = np.hstack([np.zeros((m, n)), np.eye(m)])
    made = contexts, items, np.ones(rows), [np.zeros(1), np.zeros(n + m), rng.random((n + m, 2))]
    core, own = solver(*made)
    expected = reference(*made)
    assert core.epoch() == pytest.approx(expected.epoch(), rel=1e-9)
    np.testing.assert_allclose(own[2], expected.V, rtol=1e-9)


def test_no_positives_at_all():
    contexts, items, positives, parameters = problem("real", 3)
    core, own = solver(contexts, items, 0 * positives, parameters)
    expected = reference(contexts, items, 0 * positives, parameters)
    for _ in range(3):
        assert core.epoch() == pytest.approx(expected.epoch(), rel=1e-9)
    np.testing.assert_allclose(own[2], expected.V, rtol=1e-7, atol=1e-9)


def test_repeated_positives_count_together():
    contexts, items, positives, parameters = problem("one", 3, weights=False)
    rows, columns = positives.nonzero()
    twice = sparse.coo_array(
        (np.ones(2 * len(rows)), (np.tile(rows, 2), np.tile(columns, 2))), positives.shape
    )
    matrices = [csr(X) for X in (contexts, items)]
    own = [parameter.copy() for parameter in parameters]
    core = AllPairs(*matrices, csr(twice), *own, **SETTINGS)
    double, other = solver(contexts, items, 2 * positives, parameters)
    assert core.epoch() == double.epoch()
    assert np.array_equal(own[2], other[2])


def test_penalties_grow_with_what_is_known():
    contexts, items, positives, _ = problem("real")
    matrices = [csr(X) for X in (contexts, items, positives)]
    for nu in (0, 0.5, 1):
        settings = {"unobserved_weight": 0.3, "l2": 2.0, "nu": nu}
        expected = reference_penalties(contexts, items, positives, 0.3, 2.0, nu)
        np.testing.assert_allclose(penalties(*matrices, **settings), expected)


@pytest.mark.parametrize("weights", [False, True])
def test_without_features_the_constant_is_best(weights):
    contexts, items, positives, parameters = problem("ids", 2, weights)
    core, own = solver(0 * contexts, 0 * items, positives, parameters)
    core.epoch()
    expected = best_constant(csr(positives), SETTINGS["unobserved_weight"])
    assert own[0] == pytest.approx(expected, rel=1e-12)
    assert best_constant(csr(np.zeros((0, 3))), 1.0) == 0


def test_float32_where_positives_outweigh_the_penalty():
    """Its sums have too few digits, and are made again in double."""
    contexts, items, positives, parameters = problem("ids", 24)
    positives = np.where(positives > 0, 1e6, 0)
    core, _ = solver(contexts, items, positives, parameters, dtype=np.float32, nu=0.0)
    expected = reference(contexts, items, positives, parameters)
    expected.penalties = np.where(expected.penalties > 0, SETTINGS["l2"], 0)
    for _ in range(2):
        assert core.epoch() == pytest.approx(expected.epoch(), rel=1e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_are_too_large_are_an_error(dtype):
    contexts, items, positives, parameters = problem("real", 3)
    parameters[2][:] = 1e30 if dtype == np.float32 else 1e200
    core, own = solver(contexts, items, positives, parameters, dtype)
    with pytest.raises(OverflowError, match="too large"):
        core.objective()
    with pytest.raises(OverflowError, match="too large"):
        core.epoch()
    assert all(np.isfinite(parameter).all() for parameter in own)


def arguments(**changed):
    """Return what the core's solver takes, with some of it changed."""
    contexts, items, positives, parameters = problem("ids", 3)
    given = dict(zip(("w0", "w", "V"), parameters, strict=True))
    for name, X in (("contexts", contexts), ("items", items), ("positives", positives)):
        given[name] = csr(X)
    return {**given, "penalties": np.ones(len(parameters[1])), "alpha": 0.1, **changed}


D = N + M + 1  # features of `arguments`


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"contexts": csr(np.ones((N, D - 1)))}, ValueError, "same number of columns"),
        ({"contexts": csr(np.zeros((N - 1, D)))}, ValueError, "a row for each context"),
        ({"contexts": csr(np.ones((N, D)))}, ValueError, "occurs in contexts and in items"),
        ({"items": csr(np.zeros((M + 1, D)))}, ValueError, "a column for each item"),
        ({"positives": csr(np.ones((M, N)))}, ValueError, "a row for each context"),
        ({"positives": csr(-np.ones((N, M)))}, ValueError, "negative weight"),
        ({"positives": csr(np.full((N, M), 2), np.float32)}, TypeError, "float64"),
        ({"penalties": np.ones(D - 1)}, ValueError, "penalties must have shape"),
        ({"penalties": -np.ones(D)}, ValueError, "penalties must be finite"),
        ({"penalties": np.full(D, np.nan)}, ValueError, "penalties must be finite"),
        ({"penalties": np.ones(D, np.float32)}, TypeError, "penalties must be"),
        ({"alpha": -1.0}, ValueError, "alpha must be finite"),
        ({"alpha": np.inf}, ValueError, "alpha must be finite"),
        ({"w0": np.zeros(2)}, ValueError, "w0 must have shape"),
        ({"w": np.zeros(D + 1)}, ValueError, "w must have shape"),
        ({"w": np.zeros(D, np.float32)}, TypeError, "w must be"),
        ({"V": np.zeros(D)}, ValueError, "V must have shape"),
        ({"V": np.zeros((D + 1, 3))}, ValueError, "V must have shape"),
        ({"V": np.zeros((3, D)).T}, TypeError, "V must be"),
        ({"V": None}, TypeError, "V must be"),
        ({"items": None}, TypeError, "incompatible"),
    ],
)
def test_the_core_refuses(changed, error, message):
    with pytest.raises(error, match=message):
        _core.AllPairs(**arguments(**changed))


def test_arrays_that_cannot_be_changed_are_refused():
    fixed = np.zeros(D)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="w must be writeable"):
        _core.AllPairs(**arguments(w=fixed))
    with pytest.raises(ValueError, match="threads must be at least 1"):
        _core.AllPairs(**arguments()).epoch(0)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"unobserved_weight": 0}, ValueError),
        ({"unobserved_weight": "much"}, TypeError),
        ({"l2": 0}, ValueError),
        ({"l2": None}, TypeError),
        ({"nu": -1}, ValueError),
        ({"nu": np.nan}, ValueError),
    ],
)
def test_settings_are_checked(changed, error):
    (name,) = changed
    with pytest.raises(error, match=name):
        solver(*problem("ids", 2), **changed)


def test_parameters_that_are_no_numbers_are_an_error():
    core, own = solver(*problem("real", 3))
    own[2][0] = np.nan
    with pytest.raises(OverflowError):
        core.epoch(2)
