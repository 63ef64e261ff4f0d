"""AdaGrad against its definition: dense, in plain NumPy."""

import numpy as np
import pytest
from reference import objective, objective_gradients
from scipy import sparse

import sparsefm as fm

TASKS = {"squared": "regression", "logistic": "binary", "hinge": "binary"}


def adagrad(X, y, init, loss, batches, *, rate, accumulator, l2, weights=None):
    """Return (w0, w, V) after dense AdaGrad steps on each batch's summed gradients."""
    parameters = [np.array(start, np.float64) for start in init]
    sums = [np.full_like(theta, accumulator) for theta in parameters]
    for rows in batches:
        r = None if weights is None else weights[rows]
        gradients = objective_gradients(X[rows], y[rows], *parameters, loss, r, *l2)
        for theta, h, gradient in zip(parameters, sums, gradients, strict=True):
            total = len(rows) * np.asarray(gradient)
            h += total**2
            theta -= rate * total / np.sqrt(h)
    return parameters


def problem(loss, ones):
    rng = np.random.default_rng(0)
    X = sparse.random(230, 40, density=0.15, format="csr", random_state=rng)
    X.data = np.ones_like(X.data) if ones else rng.normal(size=X.nnz)
    scores = np.asarray(X @ rng.normal(size=40)) + rng.normal(size=230)
    y = scores if loss == "squared" else (scores > 0).astype(float)
    return X, y, rng.uniform(0.5, 2, 230)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("rank", [0, 3, 16])
@pytest.mark.parametrize("loss", TASKS)
def test_training_is_the_definition(loss, rank, ones, weighted):
    X, y, r = problem(loss, ones)
    weights = r if weighted else None
    rng = np.random.default_rng(1)
    init = (0.1, rng.normal(size=40), 0.3 * rng.normal(size=(40, rank)))
    batches = [np.arange(b, min(b + 50, 230)) for b in range(0, 230, 50)] * 3
    settings = {"l2_linear": 0.01, "l2_factors": 0.02}
    expected = adagrad(
        X, y, init, loss, batches, rate=0.1, accumulator=0.5, l2=(0.01, 0.02), weights=weights
    )
    for n_threads in (1, 2):
        model = fm.train(
            X,
            y,
            task=TASKS[loss],
            loss=loss,
            solver=fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5, **settings),
            init=init,
            epochs=3,
            batch_size=50,
            shuffle=False,
            sample_weight=weights,
            n_threads=n_threads,
            dtype="float64",
        )
        for found, wanted in zip((model.w0, model.w, model.V), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)
    single = fm.train(X, y, task=TASKS[loss], loss=loss, solver=fm.AdaGrad(), init=init, epochs=1)
    assert single.V.dtype == np.float32


def test_it_learns():
    X, y, _ = problem("logistic", ones=False)
    model = fm.train(X, y, task="binary", solver=fm.AdaGrad(), init="uniform", epochs=30)
    start = np.zeros(40)
    constant = objective(X, y, np.log(y.mean() / (1 - y.mean())), start, start[:, None], "logistic")
    assert model.history[-1].train_loss < 0.8 * constant


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 0), ("initial_accumulator", 0), ("initial_accumulator", -1.0),
     ("l2_linear", -1), ("l2_factors", float("nan"))],
)  # fmt: skip
def test_settings_refused(name, value):
    with pytest.raises(ValueError, match=name):
        fm.AdaGrad(**{name: value})


@pytest.mark.parametrize("value", [1e-60, 1e60])
def test_accumulators_out_of_range(value):
    X, y, _ = problem("squared", ones=True)
    with pytest.raises(ValueError, match="initial_accumulator"):
        fm.train(X, y, solver=fm.AdaGrad(initial_accumulator=value))
    fm.train(X, y, solver=fm.AdaGrad(initial_accumulator=value), dtype="float64", epochs=1)
