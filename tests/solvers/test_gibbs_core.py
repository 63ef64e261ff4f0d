"""The core's Gibbs sampler: the same bits on any threads, and bad input.

That a sweep draws what it should is tested against the reference.
"""

from contextlib import nullcontext, suppress
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sparsefm import _core
from sparsefm.data.csr import as_csr

STATE = ("w0", "w", "V", "alpha", "means", "precisions", "cuts")
LOSSES = ["squared", "probit", "ordinal"]


def one_hot(rng, rows, sizes):
    blocks = [np.eye(size, dtype=np.float32)[rng.integers(0, size, rows)] for size in sizes]
    return sparse.hstack([sparse.csr_array(block) for block in blocks]), sizes


def design(kind, rng, rows):
    """Draw rows, and the number of features of each field."""
    if kind == "one-hot":  # a field of rare features, and one of frequent ones
        return one_hot(rng, rows, [200, 3])
    if kind == "three":  # with sums that are cached; a feature with 9 of 10 rows beside rare ones
        X, sizes = one_hot(rng, rows, [50, 3])
        rare = np.minimum(np.arange(rows) % 600, 60)
        rng.shuffle(rare)
        return sparse.hstack([X, np.eye(61)[rare]]), [*sizes, 61]
    if kind == "lists":  # features of a field meet in rows
        X, sizes = one_hot(rng, rows, [30, 5])
        return sparse.hstack([X, 0.4 * (rng.random((rows, 12)) < 0.3)]), [*sizes, 12]
    if kind == "numeric":  # dense columns, two of them in one field
        X, sizes = one_hot(rng, rows, [4])
        return sparse.hstack([X, rng.normal(size=(rows, 3))]), [*sizes, 1, 2]
    if kind == "absent":  # features that never occur; rows without any
        X, sizes = one_hot(rng, rows, [7, 3, 5])
        X = X.tolil()
        X[:, [0, 8]] = 0
        X[1:3] = 0
        return X, sizes
    raise ValueError(kind)


KINDS = ["one-hot", "three", "lists", "numeric", "absent"]


def problem(
    kind="three", loss="squared", dtype="float64", *, rank=5, rows=300, weighted=False, **settings
):
    """Return the sampler's arguments, by name."""
    rng = np.random.default_rng(0)
    X, sizes = design(kind, rng, rows)
    shape = (len(sizes), rank + 1)
    y = rng.normal(size=rows)
    weights = rng.uniform(0.3, 3, rows) * (rng.random(rows) < 0.9) if weighted else None
    constants = {"sample": 1, "alpha0": 1, "beta0": 1, "gamma0": 1, "bias_precision": 0.1}
    constants["gap_precision"] = 1
    classes = {"probit": np.sign(y), "ordinal": np.digitize(y, [-1, 0.2, 0.5])}
    constants |= settings
    return {
        "X": as_csr(sparse.csr_matrix(X), dtype),
        "y": classes.get(loss, y).astype(dtype),
        "weights": None if weights is None else weights.astype(dtype),
        "fields": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        "settings": SimpleNamespace(core_name=loss, core_constants=constants),
        "w0": np.zeros(1, dtype),
        "w": np.zeros(X.shape[1], dtype),
        "V": (0.3 * rng.normal(size=(X.shape[1], rank))).astype(dtype),
        "alpha": np.ones(1),
        "means": np.zeros(shape),
        "precisions": np.full(shape, 10.0),
        "cuts": np.array([0.0, 0.5, 2.0]) if loss == "ordinal" else np.zeros(1),
        "seed": 2**40 + 7,
        "chain": 3,
    }


def chain_of(given, sweeps=3, threads=1):
    """Return the chain's arrays after some sweeps, and the sums of squares; `given` stays."""
    given = {**given, **{name: given[name].copy() for name in STATE}}
    sampler = _core.Gibbs(**given)
    squares = [sampler.sweep(t, threads) for t in range(sweeps)]
    return {name: given[name] for name in STATE}, squares


def bits(given, **options):
    arrays, squares = chain_of(given, **options)
    assert all(np.isfinite(array).all() for array in arrays.values())
    return b"".join(array.tobytes() for array in arrays.values()), squares


# --- the same bits ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_a_bit(kind, loss, weighted, dtype):
    given = problem(kind, loss, dtype, weighted=weighted, rank=9, rows=20_000)
    expected = bits(given, sweeps=2)
    for threads in (2, 3, 4):
        assert bits(given, sweeps=2, threads=threads) == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_seed_and_chain_change_bits(kind, loss, dtype):
    given = problem(kind, loss, dtype, rank=9, rows=200)
    assert bits(given) == bits(given)
    assert len({bits({**given, **other})[0] for other in ({}, {"seed": 8}, {"chain": 4})}) == 3


@pytest.mark.parametrize("rank", [0, 1, 8, 16, 17, 32, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_do_not_change_a_bit_at_any_rank(rank, dtype):
    given = problem("three", dtype=dtype, rank=rank, rows=9000)
    assert bits(given, sweeps=2, threads=3) == bits(given, sweeps=2)


@pytest.mark.parametrize("kind", KINDS[:-1])
@pytest.mark.parametrize("loss", LOSSES)
def test_one_row(kind, loss):
    assert bits(problem(kind, loss, rows=1), threads=2) == bits(problem(kind, loss, rows=1))


def test_no_rows_and_no_features():
    given = problem("absent", rows=4)
    given |= {"X": as_csr(sparse.csr_matrix((4, 15)), "float64")}
    bits(given)
    given |= {"weights": np.zeros(4)}
    bits(given)
    empty = {name: given[name][:0] for name in ("fields", "w", "V")}
    bits({**given, **empty, "X": as_csr(sparse.csr_matrix((4, 0)), "float64")})


@pytest.mark.parametrize("loss", ["probit", "ordinal"])
def test_sweeps_depend_on_the_arrays_only(loss):
    """A chain goes on in a new sampler as it would have in the old one: checkpoints are exact."""
    given = problem("three", loss, "float32", rows=5000)
    whole, _ = chain_of(given, sweeps=4)
    half, _ = chain_of(given, sweeps=2)
    sampler = _core.Gibbs(**{**given, **half})
    for t in (2, 3):
        sampler.sweep(t, 2)
    for name in STATE:
        np.testing.assert_array_equal(half[name], whole[name])


# --- what is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_float32_draws_what_float64_does(kind, loss):
    narrow, _ = chain_of(problem(kind, loss, "float32", weighted=True), sweeps=1)
    wide, _ = chain_of(problem(kind, loss, weighted=True), sweeps=1)
    for name in STATE:
        np.testing.assert_allclose(narrow[name], wide[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_weight_zero_are_ignored(kind):
    given = problem(kind, weighted=True)
    kept = given["weights"] > 0
    X = sparse.csr_matrix((given["X"].values, given["X"].indices, given["X"].indptr))
    X.resize(len(kept), given["X"].n_features)
    few = {name: given[name][kept] for name in ("y", "weights")}
    arrays, squares = chain_of({**given, **few, "X": as_csr(X[kept], "float64")})
    expected, expected_squares = chain_of(given)
    np.testing.assert_allclose(squares, expected_squares)
    for name in STATE:
        np.testing.assert_allclose(arrays[name], expected[name], rtol=1e-8, atol=1e-10)


def test_without_noise_the_residuals_only_shrink():
    given = problem("three", rank=3, rows=2000, sample=0)
    _, squares = chain_of({**given, "precisions": np.full_like(given["precisions"], 1e-8)}, 20)
    assert np.all(np.diff(squares) < 0)


def test_the_sum_of_squares_is_that_of_the_new_parameters():
    given = problem("lists", weighted=True)
    arrays, squares = chain_of(given)
    scores = np.empty(300)
    _core.forward(scores, given["X"], 0, arrays["w0"][0], arrays["w"], arrays["V"], 1)
    np.testing.assert_allclose(squares[-1], given["weights"] @ (given["y"] - scores) ** 2)


def test_two_ordered_classes_are_the_classes_of_probit():
    probit, ordinal = problem(loss="probit"), problem(loss="ordinal")
    ordinal |= {"y": (probit["y"] > 0).astype(float), "cuts": np.zeros(1)}
    assert bits(ordinal) == bits(probit)


def test_cuts_stay_in_order_and_finite():
    given = problem(loss="ordinal", rows=300)
    given["y"] = np.r_[np.zeros(290), 1, 2, 3, np.full(7, 2.0)]
    for scale in (1e-6, 1.0, 1e3):
        given["w0"] = np.array([scale])
        for width in (1e-10, 1.0, 1e3):
            arrays, _ = chain_of({**given, "cuts": width * np.arange(3)}, sweeps=20)
            assert np.isfinite(arrays["cuts"]).all()
            assert (np.diff(np.r_[0, arrays["cuts"][1:]]) > 0).all()


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["y", "weights", "fields", *STATE])
def test_arrays_are_checked(name):
    given = problem("three", weighted=True)
    array = given[name]
    other = np.float32 if array.dtype == np.float64 else np.float64
    for wrong in (array[:-1].copy(), array[..., None], array.astype(other), array.tolist(), None):
        if name == "weights" and wrong is None:
            continue
        with pytest.raises((ValueError, TypeError), match=r"must"):
            _core.Gibbs(**{**given, name: wrong})


@pytest.mark.parametrize("name", STATE)
def test_arrays_of_the_chain_must_be_writeable(name):
    given = problem()
    given[name].flags.writeable = False
    with pytest.raises(ValueError, match=f"{name} must be writeable"):
        _core.Gibbs(**given)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("y", np.nan, "y holds NaN"),
        ("y", np.inf, "y holds NaN or infinity"),
        ("weights", -1, "weights must be finite and not negative"),
        ("weights", np.nan, "weights must be finite"),
        ("fields", 3, "fields holds a field"),
        ("fields", -1, "fields holds a field"),
    ],
)
def test_values_are_checked(name, value, message):
    given = problem("three", weighted=True)
    given[name][4] = value
    with pytest.raises(ValueError, match=message):
        _core.Gibbs(**given)


def test_settings_are_checked():
    given = problem()
    with pytest.raises(ValueError, match="targets must be 1 or -1"):
        _core.Gibbs(**{**given, "settings": problem(loss="probit")["settings"]})
    with pytest.raises(ValueError, match="there is no 'cauchy'"):
        _core.Gibbs(**{**given, "settings": problem(loss="cauchy")["settings"]})
    with pytest.raises(ValueError, match="beta0 must be finite"):
        _core.Gibbs(**problem(beta0=np.nan))
    for loss in ("probit", "ordinal"):
        with pytest.raises(ValueError, match=f"{loss} can only be sampled"):
            _core.Gibbs(**problem(loss=loss, sample=0))
    given = problem(loss="ordinal")
    for wrong in (-1, 0.5, 4):
        with pytest.raises(ValueError, match="ordinal targets must be integers"):
            _core.Gibbs(**{**given, "y": given["y"] + wrong})
    given = problem()
    incomplete = problem()
    del incomplete["settings"].core_constants["gamma0"]
    with pytest.raises(ValueError, match="needs the constant 'gamma0'"):
        _core.Gibbs(**incomplete)
    with pytest.raises(ValueError, match="chain must be"):
        _core.Gibbs(**{**given, "chain": 1 << 24})
    place = np.array([0, 1]), np.zeros(1, np.int32)
    zero = _core.Csr(*place, np.zeros(1), given["X"].n_features, "X")
    with pytest.raises(ValueError, match="unsorted, duplicate or explicitly zero"):
        _core.Gibbs(**{**given, "X": zero, "y": given["y"][:1]})


def test_sweeps_are_checked():
    given = problem()
    sampler = _core.Gibbs(**given)
    for t, threads in [(-1, 1), (1 << 32, 1), (0, 0)]:
        with pytest.raises(ValueError, match="must be at least"):
            sampler.sweep(t, threads)
    for name in ("alpha", "precisions"):
        for wrong in (0, -1, np.nan, np.inf):
            kept = given[name].copy()
            given[name].flat[-1] = wrong
            with pytest.raises(ValueError, match="must be finite and positive"):
                sampler.sweep(0, 1)
            given[name][:] = kept
    for wrong in (0.0, 0.5, 3.0, np.nan, np.inf):
        ordered = problem(loss="ordinal")
        sampler = _core.Gibbs(**ordered)
        ordered["cuts"][0 if wrong == 3 else 1] = wrong if wrong != 0.5 else 2
        with pytest.raises(ValueError, match="cuts must ascend"):
            sampler.sweep(0, 1)
    sampler = _core.Gibbs(**given)
    sampler.sweep(0, 1)


@pytest.mark.parametrize("name", ["w0", "w", "V", "means"])
def test_a_chain_that_is_not_finite_is_an_error(name):
    given = problem()
    given[name].flat[-1] = np.nan
    sampler = _core.Gibbs(**given)
    with pytest.raises(OverflowError, match=r"not finite|cannot be drawn"):
        sampler.sweep(0, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e4, 1e10, 1e18, 1e25, 1e37])
@pytest.mark.parametrize("what", ["X", "y", "weights", "V"])
def test_numbers_of_any_size_give_finite_numbers_or_an_error(what, scale, kind, dtype):
    given = problem(kind, dtype=dtype, weighted=True)
    if what == "X":
        X = given["X"]
        values = X.values.astype(dtype) * np.asarray(scale, dtype)
        given["X"] = _core.Csr(X.indptr, X.indices, values, X.n_features, "X")
    else:
        given[what] *= np.asarray(scale, dtype)
    sampler = _core.Gibbs(**given)
    refused = pytest.raises(OverflowError, match="too large") if scale > 1e3 else nullcontext()
    with suppress(pytest.fail.Exception), refused:  # it need not be refused
        for t in range(3):
            sampler.sweep(t, 2)
    for name in STATE:
        assert np.isfinite(given[name]).all()


def test_a_gram_that_float32_cannot_hold_is_summed_in_double():
    """The squares of these numbers overflow float32, but the parameters are ordinary."""
    given = problem("numeric", dtype="float32", rank=0, rows=100)
    X = given["X"]
    values = X.values * np.where(X.indices >= 4, np.float32(1e20), np.float32(1))
    large = {"X": _core.Csr(X.indptr, X.indices, values, X.n_features, "X")}
    arrays, _ = chain_of({**given, **large}, sweeps=1)
    expected, _ = chain_of(given, sweeps=1)
    np.testing.assert_allclose(arrays["w"][:4], expected["w"][:4], rtol=0.2, atol=0.05)
    assert np.all(np.abs(arrays["w"][4:]) < 1e-18)


def test_what_lasts_as_long_as_the_sampler():
    """The sampler keeps its arrays alive."""
    sampler = _core.Gibbs(**problem("three", weighted=True))
    clutter = [np.full(5000, np.nan) for _ in range(50)]
    assert np.isfinite(sampler.sweep(0, 2))
    del clutter
