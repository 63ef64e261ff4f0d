"""The core's Gibbs sampler draws what the reference draws, and passes Geweke's test itself."""

import numpy as np
import pytest
from geweke import geweke, setup
from gibbs_core import InFloat32, core, needs_core
from gibbs_problems import KINDS, MIXED, STATE, copied, problem, reference

pytestmark = needs_core

LOSSES = ["squared", "probit", "ordinal"]


def both(given, sweeps, seed=0, chain=0, threads=1, dtype=np.float64, first=0):
    """Return the states of the core and of the reference after some sweeps."""
    states = copied(given)
    for name in ("w0", "w", "V"):
        states[name] = states[name].astype(dtype)
    drawn = core(**states, seed=seed, chain=chain)
    expected = reference(given, seed, chain)
    for t in range(first, first + sweeps):
        drawn.sweep(t, threads)
        expected.sweep(t)
    return {name: states[name] for name in STATE}, {name: getattr(expected, name) for name in STATE}


def assert_same(states, tolerance=1e-8):
    for name in STATE:
        np.testing.assert_allclose(
            states[0][name], states[1][name], rtol=tolerance, atol=tolerance, err_msg=name
        )


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("rank", [0, 1, 3, 8])
@pytest.mark.parametrize("loss", LOSSES)
def test_three_sweeps_are_those_of_the_reference(loss, rank, weighted):
    assert_same(both(problem(loss, rank, weighted=weighted), sweeps=3))


PLACES = {
    "two fields of ones": ("onehot", "ids"),
    "two fields": ("scaled", "ids"),
    "two fields with values": ("scaled", "scaled"),
    "one field": ("ids",),
    "lists alone": ("lists",),
    "dense": ("vectors", "numeric"),
}


@pytest.mark.parametrize("rows", [12, 400])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kinds", PLACES.values(), ids=PLACES)
def test_every_kind_of_design(kinds, loss, rows):
    for rank in (0, 1, 5, 7, 8, 15, 16, 33):
        assert_same(both(problem(loss, rank, rows=rows, kinds=kinds), sweeps=3))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("rows", [3001, 15000])
@pytest.mark.parametrize("kinds", [MIXED, ("ids", "onehot")], ids=["mixed", "two fields"])
@pytest.mark.parametrize("loss", LOSSES)
def test_many_rows_and_threads(loss, kinds, rows, threads):
    given = problem(loss, rank=4, rows=rows, seed=3, kinds=kinds)
    assert_same(both(given, sweeps=2, threads=threads))


@pytest.mark.parametrize("seed", range(60))
def test_random_problems(seed):
    rng = np.random.default_rng(seed)
    given = problem(
        loss=str(rng.choice(LOSSES)),
        rank=int(rng.choice([0, 1, 2, 3, 7, 8, 9, 15, 16, 17])),
        rows=int(rng.choice([9, 10, 33, 64, 65, 130, 1000])),
        weighted=bool(rng.integers(2)),
        kinds=tuple(rng.choice(list(KINDS), rng.integers(1, 6))),
        seed=seed,
    )
    if seed % 4 == 0:  # features of a field that do not stand together
        order = rng.permutation(len(given["fields"]))
        given["X"], given["fields"] = given["X"][:, order], given["fields"][order]
    elif seed % 4 == 1:  # rows with nothing, and with nothing of a field
        given["X"] *= rng.random(given["X"].shape) < 0.3
    elif seed % 4 == 2:  # fields of several kinds
        given["fields"] //= 2
    place = {"seed": int(rng.integers(2**63)), "threads": int(rng.integers(1, 4))}
    assert_same(both(given, sweeps=2, **place), tolerance=1e-7)


def test_many_ordered_classes():
    """Their gaps form groups at random."""
    rng = np.random.default_rng(0)
    given = problem("ordinal", 2, rows=400)
    given["y"] = np.digitize(rng.normal(size=400), np.linspace(-1.5, 1.5, 29)) * 1.0
    given["cuts"] = np.r_[0, rng.uniform(0.05, 0.2, 28).cumsum()]
    states = both(given, sweeps=6)
    assert_same(states)
    gaps = [np.log(np.diff(cuts)) for cuts in (given["cuts"], states[0]["cuts"])]
    assert len(set(np.round(gaps[1] - gaps[0], 6))) > 10


def test_the_comparison_sees_another_chain():
    other = both(problem(), sweeps=1, chain=1)[0]
    with pytest.raises(AssertionError):
        assert_same((other, both(problem(), sweeps=1)[1]))


@pytest.mark.parametrize("rank", [0, 3])
def test_without_sampling(rank):
    assert_same(both(problem(rank=rank, sample=False), sweeps=5))


@pytest.mark.parametrize(
    "place",
    [
        {"seed": 2**64 - 1, "chain": 2**24 - 1, "first": 2**32 - 3},
        {"seed": 5 << 32, "chain": 1, "first": 17},
    ],
    ids=["last", "other"],
)
def test_any_seed_chain_and_sweep(place):
    assert_same(both(problem("probit"), sweeps=3, **place))


def test_shapes_of_a_gamma_below_one():
    given = problem(alpha0=0.01, rows=20)
    given["fields"] = np.zeros_like(given["fields"])  # the other fields have no features
    given["weights"] = np.zeros(20)
    given["weights"][3] = 1
    assert_same(both(given, sweeps=1))  # the noise: shape (0.01 + 1) / 2
    assert_same(both(given, sweeps=1, first=1))  # fields without features


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_is_near(loss):
    assert_same(both(problem(loss, rank=3, rows=200), sweeps=1, dtype=np.float32), tolerance=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_scores_far_on_the_wrong_side(loss):
    given = problem(loss, rank=2, rows=40)
    given["w"] *= 20
    given["cuts"] *= 3
    assert np.abs(reference(given).scores()).max() > 30
    assert_same(both(given, sweeps=3))


@pytest.mark.parametrize("make", [core, InFloat32])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_core_has_the_distribution_of_the_model(loss, weighted, make):
    outcome = geweke(make, setup(loss, weighted), chains=200)
    assert outcome.p > 1e-3, (outcome.worst, outcome.z[outcome.worst])


@pytest.mark.parametrize("loss", ["probit", "ordinal"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_state_outside_the_arrays_is_none(dtype, loss):
    """A sampler made anew between two sweeps goes on as if it had not been."""
    given = problem(loss)
    results = []
    for anew in (False, True):
        states = copied(given)
        for name in ("w0", "w", "V"):
            states[name] = states[name].astype(dtype)
        sampler = core(**states, seed=4)
        for t in range(4):
            if anew:
                sampler = core(**states, seed=4)
            sampler.sweep(t, 1)
        results.append([states[name].tobytes() for name in STATE])
    assert results[0] == results[1]
