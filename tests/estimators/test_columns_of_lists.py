"""Estimators on columns of lists: several features of one field in a row."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import sparsefm as fm
from sparsefm.data.csr import as_scipy
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.categories import Categories
from sparsefm.encoding.multi import Multi


def history(n_rows=400, seed=3):
    """Return rows with a list, and targets in which single pairs of values matter."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(12, rng.integers(0, 5), replace=False) for _ in range(n_rows)]
    lists = [[f"v{i}" for i in row] for row in chosen]
    users = [f"u{i}" for i in rng.integers(0, 9, n_rows)]
    strength = {f"{u}{v}": rng.normal() for u in set(users) for v in (f"v{i}" for i in range(12))}
    y = [sum(strength[u + v] for v in row) for u, row in zip(users, lists, strict=True)]
    return [{"u": u, "g": row} for u, row in zip(users, lists, strict=True)], np.array(y)


SOLVERS = [
    pytest.param(lambda: fm.Adam(), id="adam"),
    pytest.param(lambda: fm.Gibbs(), id="gibbs"),
    pytest.param(lambda: fm.ALS(), id="als"),
]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("combiner", ["mean", "sum"])
def test_a_model_is_that_of_the_same_matrix(solver, combiner):
    """`train` on the encoded rows gives the same model; a formula in NumPy its predictions."""
    X, y = history()
    encoder = TableEncoder(combiner=combiner, dtype="float64")
    options = {"rank": 4, "epochs": 6, "solver": solver(), "random_state": 0}
    model = fm.FMRegressor(
        **options, encoder=encoder, dtype="float64", search=None, bounds=None, n_threads=1
    )
    model.fit(X, y)
    rows = model.encoder_.transform(X)
    other = clone(model).set_params(n_threads=2).fit(X, y)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    linear, pairs = rows @ model.w_, (rows @ model.V_) ** 2 - rows.power(2) @ model.V_**2
    expected = model.w0_ + linear + pairs.sum(axis=1) / 2
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-8, atol=1e-10)
    assert model.score(X, y) > 0.3


def test_a_sampler_knows_the_field_of_a_list():
    """Rows encoded by hand, with fields given, have the same chain."""
    X, y = history()
    encoder = TableEncoder(dtype="float64").fit(X)
    fields = encoder.fields_
    assert fields.tolist() == sorted(fields.tolist())
    rows = encoder.transform(X)
    dense = np.zeros(rows.shape)
    for i, row in enumerate(X):
        for value in row["g"]:
            dense[i, encoder.get_feature_names_out().tolist().index(f"g={value}")] += 1
        dense[i] /= max(len(row["g"]), 1)
        dense[i, encoder.get_feature_names_out().tolist().index(f"u={row['u']}")] = 1
    options = {"rank": 3, "solver": fm.Gibbs(), "epochs": 6, "seed": 1}
    models = [
        fm.train(matrix, y, fields=fields, task="regression", dtype="float64", **options)
        for matrix in (rows, sparse.csr_matrix(dense))
    ]
    np.testing.assert_array_equal(*[model.predict(rows) for model in models])


def test_inspection():
    X, y = history()
    model = fm.FMRegressor(rank=4, epochs=20, search=None, random_state=0, bounds=None).fit(X, y)
    fields = model.field_interactions()
    assert fields.shape == (2, 2)
    assert fields[0, 1] > 0
    found = model.interactions(50)
    assert {a.split("=")[0] for a in found["first"]} == {"u"}  # no pairs within the list
    assert {a.split("=")[0] for a in found["second"]} == {"g"}
    np.testing.assert_allclose(model.explain(X).scores, model.predict(X), atol=1e-5)
    assert "g=v9" in model.get_feature_names_out()


def test_an_estimator_goes_on(tmp_path):
    X, y = history()
    model = fm.FMClassifier(
        rank=2, solver=fm.AdaGrad(), encoder=TableEncoder(multi={"t": ","}), random_state=0
    )
    texts = [{"u": row["u"], "t": ",".join(row["g"])} for row in X]
    labels = (y > 0).astype(int)
    model.partial_fit(texts[:200], labels[:200], classes=[0, 1])
    n_features = len(model.w_)
    model.partial_fit([*texts[200:], {"u": "new", "t": "v1,fresh"}], [*labels[200:], 1])
    assert len(model.w_) == n_features + 2
    model.save(tmp_path / "model")
    loaded = fm.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(texts), model.predict_proba(texts))
    nested = fm.FMClassifier(search=None, epochs=1).set_params(encoder__multi={"t": ","})
    assert nested.fit(texts, labels).encoder_.multi == {"t": ","}


def test_the_search_takes_lists():
    X, y = history(120)
    for i, row in enumerate(X):
        row["n"] = float(i % 17)
    model = fm.FMRegressor(search_seconds=1, random_state=0).fit(X, y)
    assert {type(one) for one in model.encoder_._encodings[:2]} == {Categories, Multi}
    assert as_scipy(model.encoder_._encode(X, model)).shape[0] == 120
