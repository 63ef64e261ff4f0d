"""Statistics that follow a stream: predictions stay when they move, and learning goes on."""

import numpy as np
import pytest
from estimating import scores_of

import sparsefm as fm

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
        }
    )
    return frame


def targets(kind, rng, n, scale=1.0):
    if kind == "regressor":
        return rng.normal(5 * scale, scale, n)
    y = rng.integers(0, 2 if kind == "classifier" else 3, n)
    y[:3] = np.arange(3) % (y.max() + 1)
    return y


def make(kind, **settings):
    encoder = fm.TableEncoder(numeric={"amount": "log", "*": "standardize"}, clip=False)
    settings = {"encoder": encoder, "random_state": 1, "n_threads": 1} | settings
    if kind == "regressor":
        return fm.FMRegressor(**settings)
    return fm.FMClassifier(loss="softmax" if kind == "softmax" else "logistic", **settings)


def fed(model, X, y, kind):
    arguments = {} if kind == "regressor" else {"classes": np.unique([0, 1, *y])}
    if kind in ("softmax", "several"):
        arguments["classes"] = [0, 1, 2]
    return model.partial_fit(X, y, **arguments)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "several", "softmax"])
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
    more = table(rng, 300, rng.choice([-3, 3]) + rng.normal(), np.exp(rng.normal()))
    if seed % 2:
        more["flag"] = rng.normal(0.5, 3, 300)  # it is not 0 and 1 any longer
    model.set_params(solver=solver(learning_rate=STILL))
    fed(model, more, targets(kind, rng, 300, 7.0), kind)
    assert model.get_feature_names_out().tolist() == names
    assert all(model.encoder_._encodings[position] != numbers[position] for position in range(4))
    assert model.encoder_._encodings[4].is_binary == (seed % 2 == 0)
    size = np.abs(before).max()
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(scores_of(model, fixed), before, atol=tolerance * size)
