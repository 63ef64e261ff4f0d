"""Field-weighted models: training by `train`, prediction, files."""

import copy
import pickle

import numpy as np
import pytest
from field_reference import field_scores
from scipy import sparse

import sparsefm as fm
from sparsefm.inspection.interactions import strongest_interactions

FIELDS = np.repeat([0, 1, 2, 3], 6)
FACTORS = np.random.default_rng(1).normal(size=(24, 2))


def one_hot(n, seed=0):
    """Draw rows with one feature of each of four fields, of which two pairs interact."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 6, (n, 4))
    X = np.zeros((n, 24))
    X[np.arange(n)[:, None], chosen + np.arange(0, 24, 6)] = 1
    a, b, c, d = (FACTORS[chosen[:, field] + 6 * field] for field in range(4))
    score = (a * b).sum(1) - 2 * (c * d).sum(1) + 0.1 * rng.normal(size=n)
    return X, score


def fitted(variant="fwfm", n=3000, task="regression", **settings):
    X, y = one_hot(n)
    y = y if task == "regression" else (y > 0).astype(int)
    settings = {"rank": 4, "solver": fm.AdaGrad(), "epochs": 15, **settings}
    return fm.train(X, y, variant=variant, task=task, **settings)


def mean_squared_error(model):
    X, y = one_hot(2000, seed=5)
    return np.mean((model.predict(X) - y) ** 2)


def test_weights_of_pairs_are_learned():
    model = fitted(epochs=30)
    assert isinstance(model, fm.FieldWeightedModel)
    assert model.fields.tolist() == FIELDS.tolist()
    assert np.array_equal(model.R, model.R.T)
    assert (np.diag(model.R) == 0).all()  # no row has two features of a field
    assert (model.R[np.triu_indices(4, 1)] != 1).all()
    assert mean_squared_error(model) < 0.6 * mean_squared_error(fitted("fm", epochs=30))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_are_those_of_the_definition(dtype):
    model = fitted(dtype=dtype, epochs=2)
    X, _ = one_hot(50, seed=3)
    expected = field_scores(X, model.fields, model.w0, model.w, model.V, model.R)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    for threads in (1, 2):
        scores = model.predict(X, n_threads=threads)
        assert scores.dtype == dtype
        np.testing.assert_allclose(scores, expected, rtol=tolerance, atol=tolerance)
    alone = np.concatenate([model.predict(X[r : r + 1]) for r in range(50)])
    assert alone.tobytes() == scores.tobytes()


@pytest.mark.parametrize("solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()])
def test_the_same_bits_on_any_number_of_threads(solver):
    models = [fitted(solver=solver, epochs=2, n_threads=threads) for threads in (1, 2, 4)]
    for model in models[1:]:
        for name in ("w", "V", "R"):
            assert getattr(model, name).tobytes() == getattr(models[0], name).tobytes()


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_two_classes(loss):
    model = fitted(task="binary", loss=loss)
    X, y = one_hot(2000, seed=5)
    predicted = model.predict(X) > (0.5 if loss == "logistic" else 0)
    assert (predicted == (y > 0)).mean() > 0.85


def test_fields_with_several_values_have_a_weight_of_their_own():
    rng = np.random.default_rng(0)
    X = (rng.random((400, 9)) < 0.4).astype(float)
    y = X[:, 0] * X[:, 1] + X[:, 5]
    fields = [0] * 5 + [1] * 4
    model = fm.train(X, y, variant="fwfm", fields=fields, epochs=3)
    assert (np.diag(model.R) != [1, 1]).all()
    assert (np.diag(model.R) != [0, 0]).all()
    X[:, 5:] = np.eye(4)[rng.integers(0, 4, 400)]
    model = fm.train(X, y, variant="fwfm", fields=fields, epochs=3)
    assert np.diag(model.R)[1] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mmap", [False, True])
def test_files(tmp_path, dtype, mmap):
    model = fitted(dtype=dtype, epochs=2)
    model.save(tmp_path / "model")
    again = fm.load(tmp_path / "model", mmap=mmap)
    assert repr(again) == repr(model)
    for name in ("w0", "w", "V", "R", "fields"):
        assert (
            np.asarray(getattr(again, name)).tobytes() == np.asarray(getattr(model, name)).tobytes()
        )
    X, _ = one_hot(30)
    assert again.predict(X).tobytes() == model.predict(X).tobytes()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.predict(X).tobytes() == model.predict(X).tobytes()


def test_training_goes_on_from_a_model():
    X, y = one_hot(3000)
    settings = {"variant": "fwfm", "solver": fm.AdaGrad(), "epochs": 3}
    first = fm.train(X, y, rank=4, **settings)
    more = fm.train(X, y, init=first, **settings)
    assert more.history[-1].train_loss < 0.7 * first.history[-1].train_loss
    plain = fm.train(X, y, rank=4, solver=fm.AdaGrad(), epochs=3)
    begun = fm.train(X, y, init=plain, **settings)
    assert begun.history[0].train_loss < 0.7 * first.history[0].train_loss
    R = first.R.copy()
    R[0, 2] = R[2, 0] = 0
    without = fm.FieldWeightedModel(first.w0, first.w, first.V, fields=first.fields, R=R)
    kept = fm.train(X, y, init=without, **settings)
    assert kept.R[0, 2] == kept.R[2, 0] == 0
    assert (kept.R != first.R)[np.triu_indices(4, 1)].all()
    with pytest.raises(ValueError, match="pass variant='fwfm'"):
        fm.train(X, y, init=first)
    with pytest.raises(ValueError, match="fields are others than those of init"):
        fm.train(X, y, init=first, fields=FIELDS[::-1], **settings)
    sampled = fm.train(X, y, solver=fm.Gibbs(), epochs=25, rank=2)
    with pytest.raises(ValueError, match="init was sampled"):
        fm.train(X, y, init=sampled, **settings)


def test_the_best_epoch_is_restored():
    X, y = one_hot(300)
    stop = fm.EarlyStopping(patience=2)
    model = fm.train(
        X, y, *one_hot(300, seed=2), variant="fwfm", rank=8, epochs=60,
        solver=fm.AdaGrad(learning_rate=0.5), callbacks=[stop],
    )  # fmt: skip
    best = min(record.val_loss for record in model.history)
    assert best < model.history[-1].val_loss
    X_val, y_val = one_hot(300, seed=2)
    error = ((model.predict(X_val) - y_val) ** 2).mean() / 2
    assert error == pytest.approx(best, rel=1e-4)


def test_a_checkpoint_is_a_model_of_its_epoch(tmp_path):
    path = tmp_path / "model-{epoch}"
    model = fitted(epochs=2, callbacks=[fm.Checkpoint(str(path))])
    saved = fm.load(tmp_path / "model-2")
    assert saved.R.tobytes() == model.R.tobytes()
    assert fm.load(tmp_path / "model-1").R.tobytes() != model.R.tobytes()


def test_interactions_have_the_weights_of_their_fields():
    model = fitted()
    X, _ = one_hot(500)
    found = strongest_interactions(model, X, top=30)
    for i, j, weight in zip(found.first, found.second, found.weight, strict=True):
        product = model.R[model.fields[i], model.fields[j]] * (model.V[i] @ model.V[j])
        assert weight == pytest.approx(product, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "fm2"}, "variant must be"),
        ({"variant": None}, "variant must be"),
        ({"variant": "fwfm", "solver": fm.Gibbs()}, r"needs solver=Adam\(\) or AdaGrad\(\)"),
        ({"variant": "fwfm", "fields": [0, 1]}, "fields has shape"),
        ({"variant": "fwfm", "fields": [0.5] * 24}, "fields must hold integers"),
    ],
)
def test_arguments(arguments, message):
    X, y = one_hot(30)
    with pytest.raises((ValueError, TypeError), match=message):
        fm.train(X, y, **arguments)


def test_fields_are_needed():
    X = np.tril(np.ones((5, 5)))
    with pytest.raises(ValueError, match="variant='fwfm', or pairs, needs fields"):
        fm.train(X, X[:, 0], variant="fwfm")
    wide = sparse.eye(150, format="csr")
    with pytest.raises(ValueError, match="150 fields are too many"):
        fm.train(wide, np.arange(150.0), variant="fwfm", fields=np.arange(150))
    assert fm.train(*one_hot(1), variant="fwfm").n_fields == 4


PARTS = {
    "w0": 0.0,
    "w": np.zeros(3),
    "V": np.ones((3, 2)),
    "fields": [0, 1, 1],
    "R": np.ones((2, 2)),
}
SINGLE = {"w": np.zeros(3, "f4"), "V": np.ones((3, 2), "f4")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"R": np.ones((2, 3))}, "R must be square"),
        ({"R": np.ones((2, 2)) * 1j}, "R must hold real numbers"),
        ({"R": np.ones((2, 2)) * 1e300, **SINGLE}, "R holds 1e.300, too large for float32"),
        ({"R": [[1.0, 2.0], [3.0, 1.0]]}, "R must be finite and symmetric"),
        ({"R": [[1.0, np.nan], [np.nan, 1.0]]}, "R must be finite and symmetric"),
        ({"fields": [0, 1]}, "fields has shape"),
        ({"fields": [0, 1, 2]}, "fields must be 0 to 1"),
        ({"fields": [0, -1, 1]}, "fields must be 0 to 1"),
        ({"fields": [0, 1, 0.5]}, "fields must hold integers"),
    ],
)
def test_a_model_checks_its_parameters(change, message):
    fm.FieldWeightedModel(**PARTS)
    with pytest.raises((ValueError, TypeError), match=message):
        fm.FieldWeightedModel(**PARTS | change)


def test_a_model_owns_its_fields_and_weights():
    R = np.array([[0.0, 2.0], [2.0, 1.0]])
    for given in (R, R.T, np.asfortranarray(R), R[::-1, ::-1][::-1, ::-1]):
        model = fm.FieldWeightedModel(**PARTS | {"R": given})
        assert model.predict([[1.0, 1.0, 0.0]]) == [4.0]
    R[:] = 5
    assert model.R[0, 1] == 2
    for array in (model.R, model.fields):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_training_has_fields_of_its_own():
    X, y = one_hot(200)
    first = fm.train(X, y, variant="fwfm", epochs=1)

    def change(epoch):
        first.fields.setflags(write=True)
        first.fields[:] = 10**8

    fm.train(X, y, variant="fwfm", init=first, epochs=3, callbacks=[change])
    with pytest.raises(ValueError, match="there is no such field"):
        first.predict(X)


def test_rows_of_weight_zero_change_nothing():
    X, y = one_hot(200)
    odd = np.ones((1, 24))  # several features of each field
    weights = np.r_[np.ones(200), 0]
    settings = {"variant": "fwfm", "epochs": 2, "batch_size": 16}
    for fields in (None, FIELDS):
        plain = fm.train(X, y, fields=fields, **settings)
        more = fm.train(
            np.r_[X, odd], np.r_[y, 9.0], sample_weight=weights, fields=fields, **settings
        )
        assert more.R.tobytes() == plain.R.tobytes()
        assert more.V.tobytes() == plain.V.tobytes()


def test_large_values_of_fields_without_pairs_within():
    parts = {"w0": 0.0, **SINGLE, "fields": [0, 1, 1], "R": [[0, 1], [1, 0]]}
    parts["V"] = np.full((3, 2), 1e-6, "f4")
    model = fm.FieldWeightedModel(**parts)
    score = model.score([[1e20, 1.0, 0.0]])
    assert score == pytest.approx([2e8], rel=1e-5)
