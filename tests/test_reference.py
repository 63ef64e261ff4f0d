"""The reference against itself (definitions, finite differences, limits) and against SystemDS."""

import numpy as np
import pytest
from golden import ADAM, AS_IS, FIXED, golden
from reference import (
    LOSSES,
    adam_step,
    gradients,
    objective,
    objective_gradients,
    score,
    score_brute_force,
    sigmoid,
    train,
)
from scipy import sparse

FORMS = {"dense": np.asarray, "csr": sparse.csr_array}
PENALTIES = {"l2_linear": 0.3, "l2_factors": 0.7}


def assert_close(actual, expected, atol=1e-12):
    """Absolute closeness: a relative part would hide the scale of what is compared."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def problem(seed=0, rows=12, features=7, rank=3):
    """Draw a problem; its last feature never occurs and its last row is empty."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features)) * (rng.random((rows, features)) < 0.5)
    X[:, -1] = 0.0
    X[-1] = 0.0
    parameters = (rng.normal(), rng.normal(size=features), rng.normal(size=(features, rank)))
    return X, rng.integers(0, 2, rows).astype(float), rng.uniform(0.5, 2.0, rows), parameters


# --- score --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rank", [0, 1, 2, 5])
@pytest.mark.parametrize("features", [1, 2, 9])
def test_fast_score_is_the_sum_over_pairs(features, rank, form):
    X, _, _, parameters = problem(features=features, rank=rank)
    assert_close(score(FORMS[form](X), *parameters), score_brute_force(X, *parameters))


def test_brute_force_by_hand():
    # 1 + (2*1 + 3*2) + <(1, 2), (3, -1)> * 1 * 2 = 9 + 2
    X, w, V = np.array([[1.0, 2.0]]), np.array([2.0, 3.0]), np.array([[1.0, 2.0], [3.0, -1.0]])
    assert score_brute_force(X, 1.0, w, V).tolist() == [11.0]


# --- gradients ----------------------------------------------------------------------------------


def central_differences(function, parameters, step):
    """Differentiate a function of (w0, w, V) in every coordinate."""
    slopes = [np.zeros_like(np.asarray(theta, dtype=float)) for theta in parameters]
    for number, theta in enumerate(parameters):
        for place in np.ndindex(np.shape(theta)):
            ends = []
            for shift in (step, -step):
                moved = [np.array(other, dtype=float) for other in parameters]
                moved[number][place] += shift
                ends.append(function(*moved))
            slopes[number][place] = (ends[0] - ends[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("penalties", [{}, PENALTIES], ids=["bare", "l2"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_objective_gradients_are_finite_differences(form, loss, weighted, penalties):
    X, y, r, parameters = problem(seed=1)
    step = 1e-5
    if loss == "hinge":
        # No row may stand so near the kink that a step crosses it; and both sides must occur.
        margins = (2 * y - 1) * score(X, *parameters)
        assert np.abs(margins - 1).min() > 100 * step
        assert 0 < np.mean(margins < 1) < 1
    settings = {"loss": loss, "weights": r if weighted else None, **penalties}
    X = FORMS[form](X)
    expected = central_differences(lambda *p: objective(X, y, *p, **settings), parameters, step)
    for actual, difference in zip(
        objective_gradients(X, y, *parameters, **settings), expected, strict=True
    ):
        assert_close(actual, difference, atol=2e-9)


@pytest.mark.parametrize("rank", [0, 1, 4])
def test_dense_and_sparse_rows_agree(rank):
    X, y, r, parameters = problem(seed=2, rank=rank)
    settings = {"loss": "logistic", "weights": r, **PENALTIES}
    dense, csr = X, sparse.csr_array(X)
    assert_close(score(dense, *parameters), score(csr, *parameters))
    assert_close(
        objective(dense, y, *parameters, **settings), objective(csr, y, *parameters, **settings)
    )
    for function, arguments in ((gradients, (r,)), (objective_gradients, (y,))):
        extra = settings if function is objective_gradients else {}
        for a, b in zip(
            function(dense, *arguments, *parameters, **extra),
            function(csr, *arguments, *parameters, **extra),
            strict=True,
        ):
            assert np.shape(a) == np.shape(b)
            assert_close(a, b)


def test_whole_weights_repeat_rows():
    X, y, _, parameters = problem(seed=3)
    times = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), times)
    repeated = objective(X[rows], y[rows], *parameters, "logistic", None, 0.3, 0.7)
    assert_close(objective(X, y, *parameters, "logistic", times, 0.3, 0.7), repeated)
    assert_close(objective(X, y, *parameters, "logistic", 10 * times, 0.3, 0.7), repeated)


def test_absent_features_have_no_gradient_at_all():
    X, y, _, parameters = problem()
    _, dw, dV = objective_gradients(X, y, *parameters, "squared", **PENALTIES)
    assert dw[-1] == 0.0
    assert not dV[-1].any()


def test_a_stored_zero_is_not_active():
    X, y, _, parameters = problem()
    stored = sparse.csr_array(np.where(X == 0, 1.0, X))
    stored.data[X.ravel() == 0] = 0.0
    assert stored.nnz == X.size
    penalised = objective(stored, y, *parameters, "squared", **PENALTIES)
    assert_close(penalised, objective(X, y, *parameters, "squared", **PENALTIES))


# --- losses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [800.0, 1e5])
def test_losses_stay_finite_far_out(s):
    scores, targets = np.array([s, -s, s, -s]), np.array([1.0, 0.0, 0.0, 1.0])
    right_then_wrong = {
        "logistic": ([0, 0, s, s], [0, 0, 1, -1]),
        "hinge": ([0, 0, 1 + s, 1 + s], [0, 0, 1, -1]),
        "squared": (0.5 * (scores - targets) ** 2, scores - targets),
    }
    # exp may round to zero (underflow); nothing may overflow or become invalid.
    with np.errstate(all="raise", under="ignore"):
        for name, (values, slopes) in right_then_wrong.items():
            assert_close(LOSSES[name].value(targets, scores), values)
            assert_close(LOSSES[name].slope(targets, scores), slopes)
        assert_close(sigmoid(scores), [1, 0, 1, 0])


def test_logistic_loss_is_the_negative_log_likelihood():
    s = np.linspace(-20, 20, 81)
    p = 1 / (1 + np.exp(-s))
    for y, likelihood in ((1.0, p), (0.0, 1 - p)):
        # 1 - p has lost up to 1e-16 / (1 - p) of its relative accuracy at s = 20.
        assert_close(LOSSES["logistic"].value(y, s), -np.log(likelihood), atol=1e-7)
        assert_close(LOSSES["logistic"].slope(y, s), p - y)


def test_logistic_slope_keeps_its_digits_in_the_tail():
    assert LOSSES["logistic"].slope(1.0, 40.0) == pytest.approx(-np.exp(-40.0), rel=1e-15, abs=0)


def test_hinge_is_flat_at_its_kink():
    y, s = np.array([1.0, 0.0]), np.array([1.0, -1.0])
    assert not LOSSES["hinge"].slope(y, s).any()
    assert not LOSSES["hinge"].value(y, s).any()


# --- Adam ---------------------------------------------------------------------------------------


def test_epsilon_stands_beside_the_uncorrected_root():
    theta, m, v = np.array(1.0), np.array(0.0), np.array(0.0)
    adam_step(theta, 2.0, m, v, 1, learning_rate=0.1, beta1=0.9, beta2=0.99, epsilon=0.3)
    # m = 0.1 * 2 and v = 0.01 * 4, so the move is 0.1 * (0.1 / 0.1) * 0.2 / (0.2 + 0.3)
    assert (float(m), float(v)) == pytest.approx((0.2, 0.04))
    assert float(theta) == pytest.approx(1 - 0.04)


def run(X, y, r, parameters, batches, **settings):
    options = {"loss": "logistic", "learning_rate": 0.1, "weights": r, **PENALTIES, **settings}
    return train(X, y, init=parameters, batches=batches, **options)


def test_training_by_hand():
    X, y, r, parameters = problem(seed=6)
    first, second = np.arange(5), np.arange(3, 9)
    w0, w, V, losses = run(X, y, r, parameters, [first, second], epsilon=0.1)

    state = [(np.array(p), np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    for t, rows in ((1, first), (2, second)):
        batch = (X[rows], y[rows], *(theta for theta, _, _ in state), "logistic", r[rows])
        # The reported loss is the weighted one of the batch, before the update, without L2.
        assert_close(losses[t - 1], objective(*batch))
        grads = objective_gradients(*batch, **PENALTIES)
        for (theta, m, v), grad in zip(state, grads, strict=True):
            adam_step(theta, np.asarray(grad), m, v, t, 0.1, 0.9, 0.999, 0.1)
    for actual, (theta, _, _) in zip((w0, w, V), state, strict=True):
        assert_close(actual, theta)


@pytest.mark.parametrize("updates", ["exact", "lazy"])
def test_training_agrees_for_dense_and_sparse_rows(updates):
    X, y, r, parameters = problem(seed=4)
    batches = [np.arange(start, start + 4) for start in (0, 4, 8, 0, 4, 8)]
    dense = run(X, y, r, parameters, batches, updates=updates)
    csr = run(sparse.csr_array(X), y, r, parameters, batches, updates=updates)
    for a, b in zip(dense, csr, strict=True):
        assert_close(a, b)


def test_lazy_is_exact_when_every_batch_touches_everything():
    X, y, r, parameters = problem(seed=5)
    X[:, -1] = 1.0
    batches = [np.arange(len(y))] * 5
    exact = run(X, y, r, parameters, batches, updates="exact")
    lazy = run(X, y, r, parameters, batches, updates="lazy")
    for a, b in zip(exact, lazy, strict=True):
        np.testing.assert_array_equal(a, b)


def test_lazy_leaves_a_feature_alone_while_it_is_absent():
    # Feature 0 occurs in row 0 only, feature 1 in row 1 only: t goes on, its moments do not.
    X, y, parameters = np.eye(2), np.array([0.5, -2.0]), (0.0, np.zeros(2), np.ones((2, 1)))
    rates = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-8}
    batches = [np.array([row]) for row in (0, 1, 1, 0)]
    settings = {"init": parameters, "loss": "squared", **rates}
    states = {
        updates: [
            train(X, y, batches=batches[:steps], updates=updates, **settings)
            for steps in range(len(batches) + 1)
        ]
        for updates in ("exact", "lazy")
    }
    w_of = {updates: [w[0] for _, w, _, _ in runs] for updates, runs in states.items()}
    assert w_of["lazy"][1] == w_of["lazy"][2] == w_of["lazy"][3]
    assert len(set(w_of["exact"])) == len(batches) + 1

    w, m, v = np.array(0.0), np.array(0.0), np.array(0.0)
    for t, before in ((1, 0), (4, 3)):
        w0_then, w_then, _, _ = states["lazy"][before]
        adam_step(w, w0_then + w_then[0] - y[0], m, v, t, **rates)
    assert_close(w_of["lazy"][4], w)


# --- SystemDS -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AS_IS + FIXED)
def test_first_batch_of_systemds(name):
    case = golden(name)
    rows = next(case.steps()).rows
    X, y, loss = case.X[rows], case.y[rows], "logistic" if case.is_binary else "squared"
    out = score(X, *case.init)
    dout = LOSSES[loss].slope(y, out) / len(y)
    dw0, dW, dV = gradients(X, dout, *case.init)
    actual = {"out": out, "dout": dout, "dw0": dw0, "dW": dW, "dV": dV}
    for key, value in actual.items():
        assert_close(value, case.recorded[f"step1_{key}"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FIXED)
def test_training_of_systemds(name, form):
    case = golden(name)
    X, everything = FORMS[form](case.X), np.arange(len(case.y))
    w0, w, V, losses = train(
        X,
        case.y,
        init=case.init,
        loss="logistic" if case.is_binary else "squared",
        batches=[everything[step.rows] for step in case.steps()],
        **ADAM,
    )
    recorded = case.recorded
    assert_close(losses, recorded["loss"][:, 6])
    for actual, key in ((w0, "w0"), (w, "W"), (V, "V"), (score(X, w0, w, V), "score")):
        assert_close(actual, recorded[f"final_{key}"])
    if case.is_binary:
        assert_close(sigmoid(score(X, w0, w, V)), recorded["final_prob"])
