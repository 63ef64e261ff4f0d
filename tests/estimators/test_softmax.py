"""Classifiers with softmax loss, and the choice between it and one output for each class."""

import copy

import numpy as np
import pandas as pd
import pytest
from estimating import QUICK
from scipy import sparse
from sklearn.metrics import log_loss

import sparsefm as fm
from sparsefm.errors import FileFormatError
from sparsefm.estimators.targets import Classes
from sparsefm.io.file import read_file, write_file
from sparsefm.training.class_model import ClassModel

SOFTMAX = {**QUICK, "loss": "softmax"}


def onehot(n=600, classes=4, sizes=(12, 9), strength=2.0, seed=0):
    """Draw pairs of categories, and classes whose scores are products of factors."""
    rng = np.random.default_rng(seed)
    left, right = (rng.normal(size=(size, 3)) for size in sizes)
    mix = strength * rng.normal(size=(3, classes))
    codes = rng.integers(sizes, size=(n, 2))
    scores = (left[codes[:, 0]] * right[codes[:, 1]]) @ mix
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    columns = codes + np.array([0, sizes[0]])
    offsets = np.arange(0, 2 * n + 1, 2)
    return sparse.csr_matrix((np.ones(2 * n), columns.ravel(), offsets), (n, sum(sizes))), y


def formula(model, X):
    """Return scores from the parameters, with a factorization machine for each class."""
    return np.column_stack(
        [
            fm.Model(w0, w, V).score(X)
            for w0, w, V in zip(model.w0_, model.w_, model.V_, strict=True)
        ]
    )


@pytest.mark.parametrize("solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()])
def test_probabilities_are_those_of_the_parameters(solver):
    X, y = onehot()
    model = fm.FMClassifier(**{**SOFTMAX, "solver": solver}).fit(X, y)
    assert isinstance(model._models[0], ClassModel)
    shapes = [model.w0_.shape, model.w_.shape, model.V_.shape]
    assert shapes == [(4,), (4, 21), (4, 21, 2)]
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores, formula(model, X), rtol=1e-4, atol=1e-5)
    odds = np.exp(scores)
    chances = model.predict_proba(X)
    np.testing.assert_allclose(chances, odds / odds.sum(axis=1, keepdims=True), rtol=1e-6)
    assert np.array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])
    assert model.history_["train_loss"][-1] < model.history_["train_loss"][0] < np.log(4)


def test_interactions_are_learned():
    X, y = onehot(6000, classes=6)
    train, test = slice(0, 4000), slice(4000, None)
    found = {}
    for rank in (0, 4):
        model = fm.FMClassifier(loss="softmax", rank=rank, random_state=1).fit(X[train], y[train])
        found[rank] = log_loss(y[test], model.predict_proba(X[test]))
    assert found[4] < 0.85 * found[0]


def test_two_classes():
    X, y = onehot(classes=2)
    model = fm.FMClassifier(**SOFTMAX).fit(X, np.array(["no", "yes"])[y])
    assert model.decision_function(X).shape == (600,)
    chances = model.predict_proba(X)
    np.testing.assert_allclose(chances[:, 1], 1 / (1 + np.exp(-model.decision_function(X))))
    assert np.array_equal(model.predict(X), np.where(chances[:, 1] > 0.5, "yes", "no"))
    assert model.w_.shape == (2, 21)


def test_weights_are_repetitions():
    X, y = onehot(200)
    counts = np.random.default_rng(1).integers(0, 3, 200)
    counts[np.unique(y, return_index=True)[1]] = 1  # each class has a row
    weighted = fm.FMClassifier(**SOFTMAX).fit(X, y, sample_weight=counts)
    rows = np.repeat(np.arange(200), counts)
    repeated = fm.FMClassifier(**SOFTMAX).fit(X[rows], y[rows])
    assert np.array_equal(weighted.decision_function(X), repeated.decision_function(X))


def test_the_same_bits_on_any_number_of_threads():
    X, y = onehot(3000, classes=9)
    given = {**SOFTMAX, "batch_size": 512}
    one = fm.FMClassifier(**given, n_threads=1).fit(X, y).decision_function(X)
    for n_threads in (2, 4):
        other = fm.FMClassifier(**given, n_threads=n_threads).fit(X, y)
        assert np.array_equal(other.decision_function(X), one)


@pytest.mark.parametrize("optimizer_state", [False, True])
def test_saved_and_loaded(tmp_path, optimizer_state):
    X, y = onehot()
    model = fm.FMClassifier(**SOFTMAX).fit(X, y)
    model.save(tmp_path / "model", optimizer_state=optimizer_state)
    loaded = fm.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(loaded.V_, model.V_)
    if optimizer_state:
        for one in (model, loaded):
            one.partial_fit(X, y)
        assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert copy.copy(loaded).describe() == loaded.describe()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("machine.0.U", np.zeros((3, 2), np.float32), "machine.0.U must have shape"),
        ("machine.0.U", np.full((4, 2), np.nan, np.float32), "machine.0.U"),
        ("machine.0.w", np.zeros((21, 3), np.float32), "machine.0.w0"),
        ("machine.0.w", np.zeros((21, 1), np.float32), "1 classes"),
        ("machine.0.U", None, "machine.0.w"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, value, message):
    X, y = onehot()
    fm.FMClassifier(**SOFTMAX).fit(X, y).save(tmp_path / "model")
    header, arrays = read_file(tmp_path / "model")
    del arrays[name]
    if value is not None:
        arrays[name] = value
    write_file(tmp_path / "damaged", header, arrays)
    with pytest.raises(FileFormatError, match=message):
        fm.load(tmp_path / "damaged")


def test_callbacks_see_and_save_the_parameters_of_the_scores(tmp_path):
    X, y = onehot()
    seen = []

    class Saves:
        def begin(self, training):
            self.training = training

        def __call__(self, epoch):
            model = self.training.model
            seen.append((model.decision_function(X), formula(model, X)))
            model.save(tmp_path / "model")

    solver = fm.Adam(learning_rate=0.1)
    fm.FMClassifier(**{**SOFTMAX, "solver": solver}, callbacks=[Saves()]).fit(X, y)
    loaded = fm.load(tmp_path / "model")
    for scores, wanted in [*seen, (loaded.decision_function(X), formula(loaded, X))]:
        np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)


def test_partial_fit_with_new_features_and_announced_classes():
    X, y = onehot(400, classes=3)
    model = fm.FMClassifier(loss="softmax", rank=2)
    model.partial_fit(X[:200][y[:200] < 2], y[:200][y[:200] < 2], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (400, 3)
    assert (model.predict_proba(X) > 0.01).any(axis=0).all()
    before = (model.predict(X) == y).mean()
    for _ in range(20):
        model.partial_fit(X, y)
    assert (model.predict(X) == y).mean() > before
    assert model.predict_proba(X)[y == 2, 2].mean() > 0.4


def test_warm_start_goes_on():
    X, y = onehot()
    model = fm.FMClassifier(**SOFTMAX, warm_start=True).fit(X, y)
    first = model.history_["train_loss"][0]
    model.fit(X, y)
    assert model.history_["train_loss"][0] < first
    with pytest.raises(ValueError, match="loss is 'logistic' now"):
        model.set_params(loss="logistic").fit(X, y)


def test_what_changes_between_two_fits():
    X, y = onehot()
    model = fm.FMClassifier(**SOFTMAX, warm_start=True).fit(X, y)
    before = model.history_["train_loss"][-1]
    w0, w, V = model.w0_, model.w_, model.V_
    model.set_params(solver=fm.AdaGrad(learning_rate=1e-9)).fit(X, y)
    for old, new in zip((w0, w, V), (model.w0_, model.w_, model.V_), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5)
    model.set_params(rank=5, solver=fm.Adam(learning_rate=0.03), dtype="float64").fit(X, y)
    assert model.V_.shape == (4, 21, 5)
    assert model.V_.dtype == np.float64
    assert model.history_["train_loss"][-1] < before


def test_several_eval_sets(brief_search):
    X, y = onehot(1200, classes=25)
    sets = {"near": (X[800:1000], y[800:1000]), "far": (X[1000:], y[1000:])}
    for given in ({}, SOFTMAX):
        model = fm.FMClassifier(**given).fit(X[:800], y[:800], eval_set=sets)
        best = model.best_epoch_ - 1
        for name, (rows, labels) in sets.items():
            expected = log_loss(labels, model.predict_proba(rows), labels=model.classes_)
            assert model.history_[f"{name}/log_loss"][best] == pytest.approx(expected, rel=1e-4)
    few = fm.FMClassifier().fit(X[:800], y[:800] % 4, eval_set=[(X[800:], y[800:] % 4)] * 2)
    assert "valid_1/log_loss" in few.history_


def test_an_eval_set_stops_early_and_has_metrics():
    X, y = onehot(900, strength=0.3)
    given = {**SOFTMAX, "epochs": 60, "solver": fm.Adam(learning_rate=0.1, l2_factors=0)}
    model = fm.FMClassifier(**given).fit(X[:600], y[:600], eval_set=(X[600:], y[600:]))
    assert model.n_iter_ < 60
    best = model.best_epoch_ - 1
    assert model.history_["val_loss"][best] == min(model.history_["val_loss"])
    expected = log_loss(y[600:], model.predict_proba(X[600:]))
    assert model.history_["val_loss"][best] == pytest.approx(expected, rel=1e-5)
    assert model.history_["log_loss"][best] == pytest.approx(expected, rel=1e-5)


def test_explanations_add_up():
    X, y = onehot()
    model = fm.FMClassifier(**SOFTMAX).fit(X, y)
    for target in (0, 3):
        found = model.explain(X[:20], target=target)
        wanted = model.decision_function(X[:20])[:, target]
        np.testing.assert_allclose(found.scores, wanted, rtol=1e-4, atol=1e-5)
        assert len(model.interactions(5, target=target)["weight"]) == 5
    with pytest.raises(ValueError, match="target is needed"):
        model.explain(X[:5])


def test_divergence_is_an_error():
    X, y = onehot()
    with pytest.raises(fm.DivergenceError):
        fm.FMClassifier(**{**SOFTMAX, "solver": fm.Adam(learning_rate=1e30)}).fit(X, y)


@pytest.mark.parametrize("loss", ["softmax", "logistic"])
@pytest.mark.filterwarnings("error")
def test_validation_scores_that_overflow_are_an_error_without_warnings(loss):
    X, y = onehot()
    with pytest.raises(ValueError, match="the validation loss of epoch 1 is not finite"):
        fm.FMClassifier(**{**SOFTMAX, "loss": loss}).fit(X, y, eval_set=(X * 1e38, y))


def test_samplers_have_no_softmax():
    X, y = onehot()
    with pytest.raises(ValueError, match="softmax"):
        fm.FMClassifier(loss="softmax", solver=fm.Gibbs()).fit(X, y)


# --- the choice -----------------------------------------------------------------------------------


def test_softmax_is_chosen_where_it_is_better():
    X, y = onehot(4000, classes=5, strength=1.0)
    train, test = slice(0, 2000), slice(2000, None)
    model = fm.FMClassifier().fit(X[train], y[train])
    assert {"softmax", "logistic"} == set(model.search_["objective"])
    chosen = model.search_["outcome"].index("chosen")
    assert model.search_["objective"][chosen] == model.best_params_["loss"]
    assert model.best_params_["loss"] == model._loss.name
    rest = fm.FMClassifier(loss="logistic").fit(X[train], y[train])
    found = log_loss(y[test], model.predict_proba(X[test]))
    assert found < 1.02 * log_loss(y[test], rest.predict_proba(X[test]))
    again = fm.FMClassifier(**model.best_params_).fit(X[train], y[train])
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_one_for_each_class_is_chosen_where_each_has_factors_of_its_own():
    rng = np.random.default_rng(0)
    codes = rng.integers([30, 20], size=(5000, 2))
    left, right = rng.normal(size=(8, 30, 2)), rng.normal(size=(8, 20, 2))
    scores = 1.5 * np.einsum("cnk,cnk->nc", left[:, codes[:, 0]], right[:, codes[:, 1]])
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    X = pd.DataFrame(codes).apply(lambda column: column.map("c{}".format))
    model = fm.FMClassifier().fit(X[:4000], y[:4000])
    assert model.best_params_["loss"] == "logistic"
    assert len(model._models) == 8


def test_very_many_classes_have_one_model(brief_search):
    X, y = onehot(2000, classes=40)
    model = fm.FMClassifier().fit(X, y)
    assert set(model.search_["objective"]) == {"softmax"}
    assert model.best_params_["loss"] == "softmax"
    assert "40 classes" in model.describe()


def test_very_many_classes_without_a_search():
    X, y = onehot(2000, classes=30)
    for given in ({"search": None}, QUICK):
        model = fm.FMClassifier(**given).fit(X, y)
        assert model.best_params_["loss"] == "softmax"
        again = fm.FMClassifier(**model.best_params_).fit(X, y)
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    first = fm.FMClassifier().partial_fit(X[:9], y[:9], classes=np.arange(30))
    assert first._loss.name == "softmax"
    sampled = fm.FMClassifier(solver=fm.Gibbs(), rank=1, epochs=6).fit(X, y)
    assert len(sampled._models) == len(np.unique(y))


def test_what_was_chosen_is_forgotten_by_the_next_fit(brief_search, tmp_path):
    X, y = onehot(800, classes=25)
    model = fm.FMClassifier().fit(X, y)
    assert model._loss.name == "softmax"
    model.save(tmp_path / "model")
    loaded = fm.load(tmp_path / "model")
    assert loaded._loss.name == "softmax"
    loaded.partial_fit(X, y)
    two = model.fit(X, y % 2)
    assert two._loss.name == "logistic"
    assert two.best_params_["loss"] == "logistic"
    model.set_params(solver=fm.Gibbs(), epochs=10).fit(X[:300], y[:300] % 3)
    assert len(model._models) == 3


@pytest.mark.parametrize("loss", [None, "softmax"])
def test_very_many_classes_have_no_target_each(brief_search, monkeypatch, loss):
    X, y = onehot(400, classes=40)
    counts = []

    def of_outputs(self, codes, of_outputs=Classes.of_outputs):
        counts.append(len(of_outputs(self, codes)))
        return of_outputs(self, codes)

    monkeypatch.setattr(Classes, "of_outputs", of_outputs)
    fm.FMClassifier(loss=loss).fit(X, y, eval_set=(X, y))
    assert set(counts) == {1}


def test_after_the_deadline_no_sampler_of_all_outputs_is_begun():
    X, y = onehot(400, classes=9)
    model = fm.FMClassifier(search_seconds=1e-9).fit(X, y)
    assert model.search_["outcome"] == ["chosen"]
    reports = []
    model.set_params(callbacks=[Hears(reports)]).fit(X, y)
    assert len(reports) == 1


class Hears:
    """A callback that collects the candidates of the search."""

    def __init__(self, reports):
        self.search = reports.append

    def __call__(self, epoch):
        pass
