"""What the samplers converge to: a posterior known exactly, and one found by another algorithm.

Both the reference's sampler and the core's are compared, with Monte-Carlo error.
"""

import numpy as np
import pytest
from gibbs_core import core, needs_core
from gibbs_problems import copied, design, problem
from gibbs_reference import Gibbs, Settings
from recorded import once
from reference import score
from scipy import special

SAMPLERS = [
    pytest.param(Gibbs, id="reference"),
    pytest.param(core, id="core", marks=needs_core),
]
LIMIT = 5  # standard errors: with the 100 numbers of a test, exceeded once in 10,000 tests


def batch_means(values, batches=40):
    """Return the means of consecutive parts of a chain, (batches, ...)."""
    return values.reshape(batches, -1, *values.shape[1:]).mean(axis=1)


def assert_means(values, expected, error=0.0):
    """Compare a chain's mean with numbers that have a standard error themselves."""
    parts = batch_means(values)
    errors = np.sqrt(parts.var(axis=0, ddof=1) / len(parts) + np.square(error))
    z = (parts.mean(axis=0) - expected) / errors
    assert np.abs(z).max() < LIMIT, z


def chain_of(make, given, sweeps, burn_in=50, seed=0):
    """Run a chain; return copies of w0, w, V and cuts of each sweep after the burn-in."""
    state = copied(given)
    sampler = make(**state, seed=seed)
    kept = []
    for t in range(burn_in + sweeps):
        sampler.sweep(t, 1)
        if t >= burn_in:
            kept.append([state[name].copy() for name in ("w0", "w", "V", "cuts")])
    return [np.array(column) for column in zip(*kept, strict=True)]


# --- a linear model with known hyperparameters --------------------------------------------------

FIXED = 1e12  # so strong a hyperprior leaves nothing to draw, up to 1e-6


def ridge(weighted):
    """Return a linear problem in which alpha and lambda are 2 and mu is 0, and its posterior."""
    given = problem(rank=0, rows=15, weighted=weighted, alpha0=2 * FIXED, beta0=FIXED, gamma0=FIXED)
    given["alpha"][:], given["means"][:], given["precisions"][:] = 2, 0, 2
    columns = np.column_stack([np.ones(15), given["X"]])
    omega = np.ones(15) if given["weights"] is None else given["weights"]
    prior = np.diag([given["settings"].bias_precision] + [2.0] * given["X"].shape[1])
    covariance = np.linalg.inv(2 * columns.T @ (omega[:, None] * columns) + prior)
    return given, covariance @ columns.T @ (2 * omega * given["y"]), covariance


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("make", SAMPLERS)
def test_a_linear_model_has_the_posterior_of_bayesian_ridge(make, weighted):
    given, mean, covariance = ridge(weighted)
    w0, w, *_ = chain_of(make, given, 1200)
    off = np.column_stack([w0, w]) - mean
    assert_means(off, 0)
    assert_means(np.einsum("ta,tb->tab", off, off), covariance)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("make", SAMPLERS)
def test_without_sampling_a_linear_model_becomes_ridge_regression(make, weighted):
    given, mean, _ = ridge(weighted)
    given["settings"] = given["settings"]._replace(sample=False)
    w0, w, *_ = chain_of(make, given, 1, burn_in=400)
    np.testing.assert_allclose(np.append(w0[-1], w[-1]), mean, rtol=0, atol=1e-9)


# --- a factorization machine, by Hamiltonian Monte Carlo ----------------------------------------


def small(loss):
    """Return a problem with 24 rows, two fields and a numeric column, and one factor."""
    rng = np.random.default_rng(8)
    X, fields = design(24, rng, kinds=("onehot", "lists", "numeric"))
    signal = score(X, 0.2, rng.normal(size=8), rng.normal(size=(8, 1)))
    y = signal + 0.5 * rng.normal(size=24)
    classes = np.digitize(y, [-0.7, 0.4, 1.5]) * 1.0
    return {
        "X": X,
        "y": {"squared": y, "ordinal": classes}.get(loss, np.where(y > 0, 1.0, -1.0)),
        "weights": rng.uniform(0.5, 2, 24),
        "fields": fields,
        "settings": Settings(
            loss, alpha0=16.0, beta0=8.0, gamma0=1.5, bias_precision=1.0, gap_precision=1.0
        ),
        "w0": np.zeros(1),
        "w": np.zeros(8),
        "V": 0.1 * rng.normal(size=(8, 1)),
        "alpha": np.ones(1),
        "means": np.zeros((3, 2)),
        "precisions": np.ones((3, 2)),
        "cuts": np.arange(3.0 if loss == "ordinal" else 1.0),
    }


def scores_of(X, w0, w, V):
    """Score all rows with many parameters, w0 (m, 1), w (m, d), V (m, d, k): (m, n)."""
    return w0 + w @ X.T + ((X @ V) ** 2 - (X * X) @ (V * V)).sum(axis=2) / 2


class Hamiltonian:
    """The posterior without latent targets, and moves of many walkers at once that keep it.

    A walker is one vector: w0, theta (d, 2), mu (F, 2), log lambda (F, 2), log alpha, log gaps. The
    likelihood of classes is theirs. Nothing is shared with the Gibbs sampler but the model.
    """

    def __init__(self, given, walkers, rng):
        self.given, self.rng = given, rng
        d, fields = len(given["fields"]), len(given["means"])
        gaps = len(given["cuts"]) - 1
        self.shapes = [(1,), (d, 2), (fields, 2), (fields, 2), (1,), (gaps,)]
        self.cuts = np.cumsum([np.prod(shape) for shape in self.shapes])
        self.members = (np.arange(fields)[:, None] == given["fields"]).astype(float)
        self.at = 0.3 * rng.normal(size=(walkers, self.cuts[-1]))
        self.density, self.slope = self.log_posterior(self.at)

    def parts(self, at):
        pieces = np.split(at, self.cuts[:-1], axis=1)
        return [
            piece.reshape(len(at), *shape) for piece, shape in zip(pieces, self.shapes, strict=True)
        ]

    def scores(self):
        w0, theta, *_ = self.parts(self.at)
        return scores_of(self.given["X"], w0, theta[..., 0], theta[..., 1:])

    def log_posterior(self, at):
        """Return the log density of each walker and its gradient."""
        loss, _, alpha0, beta0, gamma0, bias_precision, gap_precision = self.given["settings"]
        X, y, omega, fields = (self.given[name] for name in ("X", "y", "weights", "fields"))
        w0, theta, mu, log_lambda, log_alpha, log_gaps = self.parts(at)
        w, V = theta[..., 0], theta[..., 1:]
        lambda_, alpha = np.exp(log_lambda), np.exp(log_alpha)
        s = scores_of(X, w0, w, V)
        # Gammas, as densities of the logarithm: with one x more. Then w0, mu and theta.
        total = (alpha0 * log_lambda - beta0 * lambda_).sum(axis=(1, 2)) / 2
        total += (alpha0 * log_alpha - beta0 * alpha)[:, 0] / 2
        total -= bias_precision * w0[:, 0] ** 2 / 2
        total += (log_lambda - gamma0 * lambda_ * mu**2).sum(axis=(1, 2)) / 2
        off = theta - mu[:, fields]
        total += (log_lambda[:, fields] - lambda_[:, fields] * off**2).sum(axis=(1, 2)) / 2
        d_log_alpha = (alpha0 - beta0 * alpha) / 2
        total -= gap_precision * (log_gaps**2).sum(axis=1) / 2
        d_log_gaps = -gap_precision * log_gaps
        if loss == "squared":
            squares = omega * (y - s) ** 2
            total += (log_alpha - alpha * squares).sum(axis=1) / 2
            d_log_alpha += (1 - alpha * squares).sum(axis=1, keepdims=True) / 2
            d_s = alpha * omega * (y - s)
        elif loss == "ordinal":
            gaps, k, sd = np.exp(log_gaps), y.astype(int), 1 / np.sqrt(omega)
            ends, zero = np.full((len(at), 1), np.inf), np.zeros((len(at), 1))
            edges = np.concatenate([-ends, zero, gaps.cumsum(axis=1), ends], axis=1)
            lower, upper = (edges[:, k] - s) / sd, (edges[:, k + 1] - s) / sd
            side = -np.sign(lower + upper)  # of the lower tail, where no digits are lost
            chance = np.abs(special.ndtr(side * upper) - special.ndtr(side * lower))
            chance = np.maximum(chance, 1e-300)  # so far out that nothing is accepted
            d_lower, d_upper = (
                np.where(chance > 1e-300, np.exp(-(edge**2) / 2), 0)
                / chance
                / sd
                / np.sqrt(2 * np.pi)
                for edge in (lower, upper)
            )
            total += np.log(chance).sum(axis=1)
            d_s = d_lower - d_upper
            for m in range(gaps.shape[1]):  # gap m moves the edges from m + 2 on
                moved = (k + 1 >= m + 2) * d_upper - (k >= m + 2) * d_lower
                d_log_gaps[:, m] += gaps[:, m] * moved.sum(axis=1)
        else:
            sd = 1 / np.sqrt(omega)
            log_chance = special.log_ndtr(y * s / sd)
            total += log_chance.sum(axis=1)
            d_s = y / sd * np.exp(-omega * s * s / 2 - log_chance) / np.sqrt(2 * np.pi)
        pull = -lambda_[:, fields] * off
        d_V = X.T @ (d_s[..., None] * (X @ V)) - (d_s @ (X * X))[..., None] * V
        d_theta = pull + np.concatenate([(d_s @ X)[..., None], d_V], axis=2)
        d_mu = -self.members @ pull - gamma0 * lambda_ * mu
        squares = self.members @ off**2 + gamma0 * mu**2
        sizes = self.members.sum(axis=1)[:, None] + 1
        d_log_lambda = (alpha0 + sizes - (beta0 + squares) * lambda_) / 2
        d_w0 = d_s.sum(axis=1, keepdims=True) - bias_precision * w0
        slopes = [d_w0, d_theta, d_mu, d_log_lambda, d_log_alpha, d_log_gaps]
        return total, np.concatenate([part.reshape(len(at), -1) for part in slopes], axis=1)

    def move(self, steps=12, size=0.12):
        """Move all walkers by leapfrog steps of a random size; accept or stay."""
        momentum = self.rng.normal(size=self.at.shape)
        size = size * self.rng.uniform(0.5, 1, (len(self.at), 1))
        energy = self.density - (momentum**2).sum(axis=1) / 2
        at, slope = self.at, self.slope
        for _ in range(steps):
            momentum = momentum + size / 2 * slope
            at = at + size * momentum
            density, slope = self.log_posterior(at)
            momentum = momentum + size / 2 * slope
        change = density - (momentum**2).sum(axis=1) / 2 - energy
        accepted = np.log(self.rng.random(len(at))) < change
        self.at = np.where(accepted[:, None], at, self.at)
        self.slope = np.where(accepted[:, None], slope, self.slope)
        self.density = np.where(accepted, density, self.density)
        return accepted.mean()


def moments_by_hamiltonian(given, walkers=300, burn_in=150, moves=150):
    """Return each walker's mean of (s, s^2, cuts, cuts^2) over its moves: (walkers, numbers)."""
    chain = Hamiltonian(given, walkers, np.random.default_rng(3))
    total = 0
    accepted = []
    for move in range(burn_in + moves):
        accepted.append(chain.move())
        if move >= burn_in:
            gaps = np.exp(chain.parts(chain.at)[-1])
            total = total + moments(chain.scores(), gaps.cumsum(axis=1)) / moves
    assert 0.6 < np.mean(accepted) < 0.99
    return total


def moments(s, cuts):
    numbers = np.concatenate([s, cuts], axis=1)
    return np.concatenate([numbers, numbers**2], axis=1)


@pytest.mark.parametrize("loss", ["squared", "probit", "ordinal"])
def test_the_other_algorithm_has_the_gradient_of_its_density(loss):
    chain = Hamiltonian(small(loss), 4, np.random.default_rng(0))
    _, slope = chain.log_posterior(chain.at)
    for i in range(chain.at.shape[1]):
        step = 1e-5 * (np.arange(chain.at.shape[1]) == i)
        ends = [chain.log_posterior(chain.at + sign * step)[0] for sign in (1, -1)]
        np.testing.assert_allclose(slope[:, i], (ends[0] - ends[1]) / 2e-5, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module", params=["squared", "probit", "ordinal"])
def known(request):
    given = small(request.param)
    return given, moments_by_hamiltonian(given)


@pytest.mark.slow
@pytest.mark.parametrize("make", [pytest.param(Gibbs, id="reference", marks=once), SAMPLERS[1]])
def test_scores_have_the_posterior_that_another_algorithm_finds(make, known):
    given, found = known
    errors = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    w0, w, V, cuts = chain_of(make, given, 8000 if make is Gibbs else 80000)
    numbers = moments(scores_of(given["X"], w0, w, V), cuts[:, 1:])
    assert_means(numbers, found.mean(axis=0), errors)
