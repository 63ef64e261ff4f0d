"""The reference's sampler against the joint density of its model, and its random numbers."""

import numpy as np
import pytest
from gibbs_problems import STATE, copied, problem, reference
from gibbs_random import Random, log_between, normal_between, philox, truncated_normal
from gibbs_reference import colour_classes, log_joint
from scipy import special, stats

LOSSES = ["squared", "probit", "ordinal"]
RANKS = [0, 1, 3]


# --- random numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, words):
    counter, key, words = (
        [int(word, 16) for word in text.split()] for text in (counter, key, words)
    )
    assert philox(counter, key).tolist() == words
    assert philox([[counter] * 2] * 3, key).tolist() == [[words] * 2] * 3


def test_a_block_is_found_by_its_place_alone():
    random = Random(seed=7 | 9 << 32, chain=5)
    words = [int(word) for word in philox([11, 13, 17, 3 | 5 << 8], [7, 9])]
    expected = [((words[i + 1] << 32 | words[i]) >> 11) / 2**53 + 2**-54 for i in (0, 2)]
    assert [float(u) for u in random.uniforms(11, 13, 17, 3)] == expected
    a, b = random.uniforms(np.arange(12)[:, None], np.arange(14), 17, 3)
    assert [a[11, 13], b[11, 13]] == expected


def assert_follows(draws, distribution):
    assert stats.kstest(np.ravel(draws), distribution.cdf).pvalue > 1e-3


def test_draws_follow_their_distributions():
    random, items = Random(seed=1, chain=0), np.arange(20000)
    a, b = random.uniforms(items, 0, 0, 1)
    assert_follows(a, stats.uniform)
    assert_follows(b, stats.uniform)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(items))
    cosine, sine = random.normals(items, 0, 0, 2)
    assert_follows(cosine, stats.norm)
    assert_follows(sine, stats.norm)
    for shape in [0.05, 0.5, 1.0, 1.5, 7.0, 3000.0]:
        assert_follows(random.gamma(shape, items, 0, 3), stats.gamma(shape))


def test_a_gamma_does_not_depend_on_its_neighbours():
    random, shapes = Random(seed=1, chain=2), np.array([0.3, 1.0, 0.9, 40.0] * 50)
    together = random.gamma(shapes, np.arange(200), 4, 3)
    alone = [random.gamma(shapes[i], i, 4, 3) for i in range(200)]
    np.testing.assert_allclose(alone, together, rtol=1e-12)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("mean", [-40.0, -7.0, -0.3, 0.0, 0.3, 7.0, 40.0])
def test_truncated_normals_are_exact_in_both_tails(mean, sign):
    sd, u = 0.7, np.array([1e-16, 1e-6, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0])
    z = truncated_normal(mean, sd, sign, u)
    assert (sign * z >= 0).all()
    assert (np.diff(sign * z) < 0).all()
    # z has rounding errors of the mean's size, which the logarithms of the tails magnify.
    tails = special.log_ndtr(sign * (mean - z) / sd) - special.log_ndtr(sign * mean / sd)
    np.testing.assert_allclose(tails[:-1], np.log(u[:-1]), rtol=0, atol=2e-11)
    if abs(mean) < 1:
        bounds = (-mean / sd, np.inf) if sign == 1 else (-np.inf, -mean / sd)
        expected = stats.truncnorm(*bounds, mean, sd).ppf(1 - u[2:5] if sign == 1 else u[2:5])
        np.testing.assert_allclose(z[2:5], expected, rtol=1e-12)


# --- colouring ----------------------------------------------------------------------------------


def test_colours_by_hand():
    # Features 0 to 3 are lists of the second field: 0 meets 1, and 1 meets 3. 4 and 5 are one-hot.
    X = np.array([[1, 1, 0, 0, 1, 0], [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 1, 0]])
    assert colour_classes(X, np.array([1, 1, 1, 1, 0, 0])) == [[4, 5], [0, 2, 3], [1]]


@pytest.mark.parametrize("seed", range(5))
def test_classes_share_no_row_and_no_feature_could_have_a_smaller_colour(seed):
    given = problem(seed=seed)
    X, fields = given["X"], given["fields"]
    classes = colour_classes(X, fields)
    assert sorted(j for members in classes for j in members) == list(range(len(fields)))
    for number, members in enumerate(classes):
        assert (np.count_nonzero(X[:, members], axis=1) <= 1).all()
        assert len(set(fields[members])) == 1
        for earlier in classes[:number]:
            if fields[earlier[0]] == fields[members[0]]:
                for j in members:
                    assert any(i < j and (X[:, i] * X[:, j]).any() for i in earlier)


# --- conditionals -------------------------------------------------------------------------------


def joint(given, targets, name, place, values):
    """Evaluate the log joint density with one number, or one feature's parameters, replaced."""
    given = copied(given)
    given.pop("y")
    if name == "theta":
        given["w"][place], given["V"][place] = values[0], values[1:]
    else:
        given[name][place] = values
    return log_joint(targets=targets, **given)


def quadratic(density, start):
    """Return mean and precision of a normal from differences of its log density, with step 1."""
    size = len(start)
    steps = np.eye(size)
    at = density(start)
    ups = np.array([density(start + step) for step in steps])
    downs = np.array([density(start - step) for step in steps])
    precision = np.empty((size, size))
    for a in range(size):
        for b in range(size):
            corner = density(start + steps[a] + steps[b])
            precision[a, b] = -(corner - ups[a] - ups[b] + at)
    return start + np.linalg.solve(precision, (ups - downs) / 2), precision


def assert_gamma(density, shape, rate):
    """On a grid, the log density is that of the Gamma up to a constant."""
    grid = np.geomspace(0.05, 20, 9)
    actual = np.array([density(x) for x in grid])
    expected = (shape - 1) * np.log(grid) - rate * grid
    np.testing.assert_allclose(np.diff(actual), np.diff(expected), rtol=1e-9, atol=1e-8)


def targets_of(given):
    """Return y, or for classes some numbers on the sides of y, or between its cuts."""
    y, random = given["y"], np.random.default_rng(9).uniform(0.1, 2, len(given["y"]))
    if given["settings"].loss == "squared":
        return y
    if given["settings"].loss == "probit":
        return y * random
    edges = np.r_[-4, given["cuts"], given["cuts"][-1] + 4]
    lower, upper = edges[y.astype(int)], edges[y.astype(int) + 1]
    return lower + (upper - lower) * random / 2.1


@pytest.fixture(
    params=[(loss, rank, w) for loss in LOSSES for rank in RANKS for w in (False, True)]
)
def given(request):
    loss, rank, weighted = request.param
    return problem(loss, rank, weighted=weighted, seed=rank)


def test_features_have_the_conditional_of_the_joint_density(given):
    sampler, targets = reference(given), targets_of(given)
    for j in range(len(given["w"])):
        start = sampler.theta[j] + 0.3
        mean, precision = quadratic(lambda v, j=j: joint(given, targets, "theta", j, v), start)
        actual = sampler.feature_conditional(targets, j)
        np.testing.assert_allclose(actual[0], mean, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(actual[1], precision, rtol=1e-8, atol=1e-8)


def test_the_bias_has_the_conditional_of_the_joint_density(given):
    targets = targets_of(given)
    mean, precision = quadratic(lambda v: joint(given, targets, "w0", 0, v[0]), np.zeros(1))
    actual = reference(given).bias_conditional(targets)
    np.testing.assert_allclose(actual, (mean[0], precision[0, 0]), rtol=1e-8)


def test_hyperparameters_have_the_conditionals_of_the_joint_density(given):
    sampler, targets = reference(given), targets_of(given)
    shape, rate = sampler.precision_conditional()
    means, precisions = sampler.mean_conditional()
    for place in np.ndindex(given["means"].shape):
        mean, precision = quadratic(
            lambda v, place=place: joint(given, targets, "means", place, v[0]), np.zeros(1)
        )
        np.testing.assert_allclose(means[place], mean[0], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(precisions[place], precision[0, 0], rtol=1e-8)
        assert_gamma(
            lambda x, place=place: joint(given, targets, "precisions", place, x),
            shape[place],
            rate[place],
        )


def test_the_noise_has_the_conditional_of_the_joint_density():
    for rank in RANKS:
        given = problem(rank=rank)
        conditional = reference(given).noise_conditional(given["y"])
        assert_gamma(lambda x, g=given: joint(g, g["y"], "alpha", 0, x), *conditional)


@pytest.mark.parametrize("loss", ["probit", "ordinal"])
def test_latent_targets_have_the_conditional_of_the_joint_density(loss):
    given = problem(loss)
    sampler, targets = reference(given), targets_of(given)
    draws = np.array([sampler.draw_targets(t) for t in range(4000)])
    edges = np.r_[-np.inf, given["cuts"], np.inf]
    classes = (np.maximum(given["y"], 0)).astype(int)
    assert ((edges[classes] <= draws) & (draws <= edges[classes + 1])).all()
    for r in np.flatnonzero(given["weights"]):

        def density(value, r=r):
            moved = targets.copy()
            moved[r] = value[0]
            return joint(given, moved, "w0", 0, given["w0"][0])

        mean, precision = quadratic(density, np.zeros(1))
        sd = precision[0, 0] ** -0.5
        bounds = (edges[classes[r] : classes[r] + 2] - mean[0]) / sd
        assert_follows(draws[:, r], stats.truncnorm(*bounds, mean[0], sd))


# --- the cuts -----------------------------------------------------------------------------------


def slope(function, at, step=1e-5):
    """Return the gradient of a function by central differences."""
    steps = step * np.eye(len(at))
    return np.array([function(at + e) - function(at - e) for e in steps]) / (2 * step)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
def test_gaps_have_the_density_of_the_latent_targets_summed_out(weighted):
    given = problem("ordinal", weighted=weighted)
    given["w"] *= 0.2  # the simple formula loses small probabilities
    given["V"] *= 0.2
    sampler = reference(given)
    omega = np.ones(20) if given["weights"] is None else given["weights"]
    s, k = sampler.scores(), given["y"].astype(int)

    def expected(gaps):
        edges = np.r_[-np.inf, 0, np.exp(gaps).cumsum(), np.inf]
        rows = [
            stats.norm.cdf(edges[k[r] : k[r] + 2], s[r], omega[r] ** -0.5)
            for r in np.flatnonzero(omega)
        ]
        return np.log(np.diff(rows)).sum() - 0.25 / 2 * (gaps**2).sum()

    places = np.array([[-0.9, 0.3], [0.5, -2.0], [0.1, 0.1]])
    actual = [sampler.log_density(gaps) for gaps in places]
    np.testing.assert_allclose(np.diff(actual), np.diff([*map(expected, places)]), rtol=1e-9)


@pytest.mark.parametrize("gaps", [(-0.9, 0.3), (-0.9, 3.0)], ids=["near", "wide"])
def test_the_proposal_is_a_step_of_newtons_method(gaps):
    sampler = reference(problem("ordinal"))
    gaps = np.array(gaps)
    mean, precision = sampler.proposal(gaps, np.eye(2))
    gradient = slope(sampler.log_density, gaps)
    np.testing.assert_allclose(precision @ mean, gradient, rtol=1e-6, atol=1e-8)
    hessian = slope(lambda at: slope(sampler.log_density, at, 1e-4), gaps, 1e-4)
    # But for the curvature of the cuts themselves, where it would lower the precision.
    of_rows = gradient + sampler.settings.gap_precision * gaps
    left_out = np.diag(np.maximum(of_rows, 0))
    assert np.count_nonzero(left_out) == (2 if gaps[1] < 1 else 0)
    np.testing.assert_allclose(precision - left_out, -hessian, rtol=1e-4, atol=1e-4)


def test_steps_of_a_gap_have_its_conditional():
    """A class of one row has a gap that is far from normal."""
    given = problem("ordinal", rows=40)
    given["y"] = np.r_[np.zeros(20), 1, np.full(19, 2.0)]
    given["cuts"] = np.array([0.0, 0.4])
    sampler = reference(given)
    draws = []
    for t in range(4000):
        gaps = sampler.draw_gaps(t)
        sampler.cuts[1:] = np.exp(gaps).cumsum()
        draws.append(gaps[0])
    grid = np.linspace(-9, 6, 1501)
    weights = np.exp([sampler.log_density(np.array([a])) for a in grid])
    distribution = np.cumsum(weights) / weights.sum()
    assert len(set(draws)) > 0.6 * len(draws)
    thinned = np.array(draws[::4])
    assert stats.kstest(thinned, lambda a: np.interp(a, grid, distribution)).pvalue > 1e-3


@pytest.mark.parametrize("bounds", [(-1, 0.5), (0.2, np.inf), (-np.inf, -3), (6, 6.5), (-40, -39)])
def test_normals_between_bounds(bounds):
    u = np.random.default_rng(2).random(4000)
    draws = normal_between(*map(float, bounds), u)
    assert ((bounds[0] <= draws) & (draws <= bounds[1])).all()
    below = np.exp(log_between(bounds[0], draws) - log_between(*map(float, bounds)))
    assert_follows(below, stats.uniform)


# --- the sweep ----------------------------------------------------------------------------------


def state(sampler):
    return {name: getattr(sampler, name).copy() for name in STATE}


def swept(given, sweeps=3, seed=0, chain=0):
    sampler = reference(given, seed, chain)
    for t in sweeps if np.ndim(sweeps) else range(sweeps):
        sampler.sweep(t)
    return state(sampler)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_of_weight_zero_is_ignored(loss):
    given = problem(loss)
    other = 3 - given["y"] if loss == "ordinal" else -given["y"]
    changed = {**given, "y": np.where(given["weights"] == 0, other, given["y"])}
    np.testing.assert_equal(swept(given), swept(changed))


def test_rows_of_weight_zero_may_as_well_be_absent():
    # They do not even keep features of a field from being drawn at once.
    given = problem(rows=12, kinds=("lists", "onehot"), seed=0)
    kept = given["weights"] > 0
    for seed in range(20):
        given["X"][~kept, :4] = np.random.default_rng(seed).normal(size=(2, 4))
        fewer = {**given, **{name: given[name][kept] for name in ("X", "y", "weights")}}
        actual, expected = swept(given), swept(fewer)
        for name in STATE:
            np.testing.assert_allclose(actual[name], expected[name], rtol=1e-9)


def test_the_first_sweep_keeps_the_hyperparameters_and_probit_its_noise():
    given = problem("probit")
    once, twice = swept(given, 1), swept(given, 2)
    np.testing.assert_equal(once["means"], given["means"])
    np.testing.assert_equal(once["precisions"], given["precisions"])
    assert (twice["means"] != given["means"]).all()
    assert (twice["precisions"] != given["precisions"]).all()
    assert twice["alpha"] == 1
    assert swept(problem(), 1)["alpha"] != given["alpha"]


def test_seed_chain_and_sweep_each_change_the_draws():
    given = problem("probit")
    states = [swept(given, **place) for place in ({}, {"seed": 1}, {"seed": 1 << 32}, {"chain": 1})]
    states.append(swept(given, [3, 4, 5]))
    assert len({s["w"].tobytes() for s in states}) == len(states)


@pytest.mark.parametrize("rank", RANKS)
def test_without_sampling_the_density_climbs_to_a_stationary_point(rank):
    given = problem(rank=rank, sample=False)
    sampler = reference(given)
    rest = {name: given[name] for name in given if name not in ("y", "w0", "w", "V")}

    def density(w0, w, V):
        return log_joint(targets=given["y"], w0=w0, w=w, V=V, **rest)

    values = []
    for t in range(1500):
        sampler.sweep(t)
        if t < 10 or t == 1499:
            values.append(density(sampler.w0, sampler.w, sampler.V))
    assert (np.diff(values) > -1e-9).all()
    at = [sampler.w0, sampler.w, sampler.V]
    for theta in at:
        for place in np.ndindex(theta.shape):
            best = density(*at)
            for step in (1e-3, -1e-3):
                theta[place] += step
                assert density(*at) < best
                theta[place] -= step
    np.testing.assert_equal(sampler.alpha, given["alpha"])
    np.testing.assert_equal(sampler.means, given["means"])
    np.testing.assert_equal(sampler.precisions, given["precisions"])
