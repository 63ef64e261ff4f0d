"""Models in the ONNX format: ONNX Runtime predicts what they predict."""

import re

import numpy as np
import onnx
import pandas as pd
import pytest
import scipy.sparse as sp
from onnx_runtime import assert_like, run
from served import MAKERS, rows, served

import sparsefm as fm
from sparsefm.onnx import graph

ESTIMATORS = [name for name in MAKERS if name.startswith(("regressor", "classifier"))]
MODELS = [name for name in MAKERS if name not in ESTIMATORS]
X, Y = rows(3000, seed=1)


def padded(X, dtype):
    """Return rows as features and values, filled up with feature 5 and value 0."""
    X = sp.csr_matrix(X)
    lengths = np.diff(X.indptr)
    places = np.arange(max(lengths.max(), 1)) < lengths[:, None]
    ids = np.full(places.shape, 5)
    values = np.zeros(places.shape, dtype)
    ids[places], values[places] = X.indices, X.data
    return {"ids": ids, "values": values}


def columns(X):
    """Return the columns of an array as an encoder names them."""
    return {f"x{j}": np.ascontiguousarray(X[:, j]) for j in range(X.shape[1])}


@pytest.mark.parametrize("name", MODELS)
def test_models(name, tmp_path):
    model = served(name)
    fm.onnx.export(model, tmp_path / "model.onnx")
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    assert_like(run(tmp_path / "model.onnx", padded(X, model.dtype)), model, X)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_of_numbers(name, tmp_path):
    model = served(name)
    fm.onnx.export(model, tmp_path / "model.onnx")
    assert_like(run(tmp_path / "model.onnx", columns(X)), model, X)


def test_estimators_of_sparse_matrices(tmp_path):
    settings = {"rank": 3, "epochs": 2, "search": None, "solver": fm.Adam()}
    train = sp.csr_matrix(rows()[0] * np.arange(1, 13))
    model = fm.FMClassifier(**settings).fit(train, rows()[1]["two"])
    fm.onnx.export(model, tmp_path / "model.onnx")
    new = sp.csr_matrix(X * np.arange(1, 13))
    assert_like(run(tmp_path / "model.onnx", padded(new, "f4")), model, new)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [("two", "logistic"), ("two", "hinge"), ("three", "logistic"), ("three", "softmax")],
)
def test_classifiers_of_float64(kind, loss, tmp_path):
    settings = {"rank": 3, "epochs": 2, "search": None, "solver": fm.Adam()}
    train, y = rows()
    model = fm.FMClassifier(**settings, loss=loss, dtype="float64").fit(train, y[kind])
    fm.onnx.export(model, tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", columns(X))
    if loss != "hinge":
        assert_like(found, model, X)
    np.testing.assert_allclose(found["scores"], model.decision_function(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("loss", [None, "ordinal"])
def test_scores_and_labels_far_out(loss, tmp_path):
    model = fm.FMClassifier(rank=2, solver=fm.Gibbs(burn_in=1, samples=3), loss=loss, n_threads=1)
    train, y = rows(300)
    model.fit(sp.csr_matrix(train), y["three"])
    fm.onnx.export(model, tmp_path / "model.onnx")
    far = sp.csr_matrix(X * np.geomspace(1, 100, len(X))[:, None])
    scores = model.decision_function(far)
    found = run(tmp_path / "model.onnx", padded(far, "f4"))
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(far), atol=1e-4)
    ranked = np.sort(scores, axis=1)
    gaps = ranked[:, -1] - ranked[:, -2]
    certain = np.abs(scores).max(axis=1) > 690  # a probability is nothing in float64
    assert certain.sum() > 200
    if loss is None:  # of two classes that are certain against the rest, the first is chosen
        assert (gaps[certain] == 0).sum() > 30
    settled = (gaps == 0) | (gaps > 1e-4)
    np.testing.assert_array_equal(found["label"][settled], model.predict(far)[settled])


# --- tables --------------------------------------------------------------------------------------


def table(n, seed, *, more=False):
    """Draw columns of every kind, with missing values; `more` has what training never saw."""
    rng = np.random.default_rng(seed)
    towns = ["Rome", "Oslo", "", "Łódź", "New York"] + ["Quito", "Ur"] * more
    drawn = pd.DataFrame(
        {
            "town": rng.choice(towns, n).astype(object),
            "plain": rng.choice(["a", "b"] + ["c"] * more, n).astype(object),
            "floor": rng.integers(-3, 9 + 5 * more, n).astype(float),
            "member": rng.random(n) < 0.5,
            "age": rng.normal(40, 12, n) * (1 + 3 * more * (rng.random(n) < 0.05)),
            "pay": np.exp(rng.normal(8, 2, n)) * rng.choice([-1, 1], n),
            "one": np.ones(n),
        }
    )
    for name in ("town", "floor", "age", "pay"):
        drawn.loc[rng.random(n) < 0.1, name] = None if name == "town" else np.nan
    y = (drawn["age"].fillna(30) > 40) * 1.0 + drawn["member"] + (drawn["plain"] == "a")
    return drawn, y.to_numpy()


def feed(drawn, text=("town", "plain")):
    """Return a table as ONNX Runtime takes it."""
    return {
        name: drawn[name].fillna("").to_numpy(object)
        if name in text
        else drawn[name].to_numpy(np.float64)
        for name in drawn
    }


KINDS = ["standardize", "log", "bin", "spline", "auto"]


@pytest.mark.parametrize("numeric", KINDS)
@pytest.mark.parametrize("cls", [fm.FMRegressor, fm.FMClassifier])
def test_tables(cls, numeric, tmp_path):
    drawn, y = table(600, 0)
    drawn["town"] = drawn["town"].replace("", "Bern")
    labels = np.array(["low", "middle", "high", "top"])[y.astype(int)]
    encoder = fm.TableEncoder(numeric=numeric, categorical=["floor"])
    settings = {"rank": 3, "epochs": 2, "search": None, "solver": fm.Adam(), "encoder": encoder}
    model = cls(**settings).fit(drawn, y if cls is fm.FMRegressor else labels)
    fm.onnx.export(model, tmp_path / "model.onnx")
    new, _ = table(4000, 1, more=True)
    new["town"] = new["town"].replace("", "Bern")
    assert new.isna().any().any()
    assert_like(run(tmp_path / "model.onnx", feed(new)), model, new)


def test_an_empty_text_that_is_a_category(tmp_path):
    drawn, y = table(600, 0)
    drawn["town"] = drawn["town"].fillna("Rome")
    model = fm.FMRegressor(rank=2, epochs=1, search=None, solver=fm.Adam()).fit(drawn, y)
    fm.onnx.export(model, tmp_path / "model.onnx")
    assert_like(run(tmp_path / "model.onnx", feed(drawn)), model, drawn)


def test_encodings_that_have_grown(tmp_path):
    model = fm.FMRegressor(rank=2, search=None, solver=fm.Adam(), n_threads=1)
    for seed in range(2):
        drawn, y = table(300, seed, more=seed == 1)
        drawn["town"] = drawn["town"].replace("", "Bern")
        model.partial_fit(drawn, y)
    fm.onnx.export(model, tmp_path / "model.onnx")
    assert_like(run(tmp_path / "model.onnx", feed(drawn)), model, drawn)


@pytest.mark.parametrize("kind", [object, float])
def test_a_column_that_was_all_missing_has_no_input(kind, tmp_path):
    drawn, y = table(300, 0)
    drawn["town"] = drawn["town"].replace("", "Bern")
    drawn["empty"] = pd.Series([None] * 300, dtype=kind)
    encoder = fm.TableEncoder(categorical=["empty"])
    settings = {"rank": 2, "epochs": 2, "search": None, "solver": fm.Adam(), "encoder": encoder}
    model = fm.FMRegressor(**settings).fit(drawn, y)
    fm.onnx.export(model, tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", feed(drawn.drop(columns="empty")))
    assert_like(found, model, drawn)


# --- what ONNX cannot express --------------------------------------------------------------------


def fitted(drawn, **encoding):
    encoder = fm.TableEncoder(**encoding)
    settings = {"rank": 1, "epochs": 1, "search": None, "solver": fm.Adam()}
    return fm.FMRegressor(**settings, encoder=encoder).fit(drawn, np.arange(len(drawn)) * 1.0)


@pytest.mark.parametrize(
    ("values", "encoding", "message"),
    [
        (pd.Categorical([0.5, 1.5] * 20), {}, "column 'seen'.*no whole ones.*make them text"),
        (
            [2**60, 2**61] * 20,
            {"categorical": ["seen"]},
            "column 'seen'.*too large.*make them text",
        ),
        ([[2**60], [2**61, 1]] * 20, {}, "column 'seen'.*too large.*make them text"),
        ([1e-320, 2e-320] * 20, {}, "column 'seen'.*too small: scale them"),
        (["a", "b"] * 20, {"unknown": "error"}, "unknown='error'.*fit with 'ignore'"),
        (["a\0", "b"] * 20, {}, "column 'seen'.*text.*replace it"),
        ([["a\0"], ["b"]] * 20, {}, "column 'seen'.*text.*replace it"),
    ],
)
def test_what_cannot_be_expressed(values, encoding, message, tmp_path):
    model = fitted(pd.DataFrame({"seen": values}), **encoding)
    with pytest.raises(ValueError, match=message):
        fm.onnx.export(model, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_column_named_as_an_output(tmp_path):
    model = fitted(pd.DataFrame({"label": ["a", "b"] * 20}))
    with pytest.raises(ValueError, match="column 'label' has the name of an output"):
        fm.onnx.export(model, tmp_path / "model.onnx")


def test_a_column_named_as_an_input_of_another(tmp_path):
    model = fitted(pd.DataFrame({"g": [["a"], None] * 20, "g:missing": [1.5, 2.5] * 20}))
    with pytest.raises(ValueError, match=r"column 'g:missing' has the name of another.*rename it"):
        fm.onnx.export(model, tmp_path / "model.onnx")


def test_a_model_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="less than 2 GiB"):
        fm.onnx.export(served("model"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "sparsefm\[onnx\]"'):
        fm.onnx.export(served("model"), tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["sparsefm.0", "sparsefm.constant.1", "", "a\0", "\ud800"])
def test_names_that_cannot_be(name, tmp_path):
    names = pd.Index(["right", name], dtype=object)
    model = fitted(pd.DataFrame([[1.0, 2.5], [2.0, 3.5]] * 20, columns=names))
    with pytest.raises(ValueError, match=re.escape(f"column {name!r} cannot be exported")):
        fm.onnx.export(model, tmp_path / "model.onnx")


def test_other_objects(tmp_path):
    with pytest.raises(TypeError, match="model must be a Model"):
        fm.onnx.export("model", tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="not fitted"):
        fm.onnx.export(fm.FMRegressor(), tmp_path / "model.onnx")
