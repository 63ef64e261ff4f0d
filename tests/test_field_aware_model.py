"""Field-aware models: training by `train`, prediction, files."""

import copy
import pickle

import numpy as np
import pytest
from field_reference import aware_scores
from scipy import sparse

import sparsefm as fm
from sparsefm.data import memory
from sparsefm.inspection.interactions import strongest_interactions

FIELDS = np.repeat([0, 1, 2, 3], 6)
FACTORS = np.random.default_rng(1).normal(size=(24, 4, 1))


def one_hot(n, seed=0):
    """Draw rows with one feature of each of four fields, with other factors for each field.

    The interactions of each pair of fields have rank 1, and those of all pairs are independent: a
    factorization machine needs a high rank for them, one that is field-aware rank 1.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 6, (n, 4)) + np.arange(0, 24, 6)
    X = np.zeros((n, 24))
    X[np.arange(n)[:, None], chosen] = 1
    score = aware_scores(X, FIELDS, 0.0, np.zeros(24), FACTORS)
    return X, score + 0.1 * rng.normal(size=n)


def fitted(variant="ffm", n=3000, task="regression", **settings):
    X, y = one_hot(n)
    y = y if task == "regression" else (y > 0).astype(int)
    settings = {"rank": 2, "solver": fm.AdaGrad(), "epochs": 15, **settings}
    return fm.train(X, y, variant=variant, task=task, **settings)


def mean_squared_error(model):
    X, y = one_hot(2000, seed=5)
    return np.mean((model.predict(X) - y) ** 2)


def test_factors_for_each_field_are_learned():
    settings = {"epochs": 40, "init_scale": 0.3}
    model = fitted(**settings)
    assert isinstance(model, fm.FieldAwareModel)
    assert model.V.shape == (24, 4, 2)
    assert (model.n_features, model.n_fields, model.rank) == (24, 4, 2)
    assert model.fields.tolist() == FIELDS.tolist()
    own = model.V[np.arange(24), FIELDS]
    assert (own == 0).all()  # no row has two features of a field
    error = mean_squared_error(model)
    assert error < 0.05  # the noise has 0.01
    for variant in ("fm", "fwfm"):
        assert error < 0.2 * mean_squared_error(fitted(variant, **settings))


def test_pairs_within_a_field_are_learned_where_rows_have_them():
    rng = np.random.default_rng(0)
    X = (rng.random((2000, 9)) < 0.4).astype(float)
    y = 2 * X[:, 0] * X[:, 1] + X[:, 5]
    fields = np.array([0] * 5 + [1] * 4)
    settings = {"variant": "ffm", "fields": fields, "rank": 2, "solver": fm.AdaGrad()}
    model = fm.train(X, y, epochs=40, **settings)
    assert model.V[0, 0] @ model.V[1, 0] > 1.5
    X[:, 5:] = np.eye(4)[rng.integers(0, 4, 2000)]
    model = fm.train(X, y, epochs=3, **settings)
    assert model.V[:5, 0].all()
    assert (model.V[5:, 1] == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [1, 4])
def test_scores_are_those_of_the_definition(dtype, rank):
    model = fitted(dtype=dtype, rank=rank, epochs=2)
    X, _ = one_hot(50, seed=3)
    X[:9] = np.random.default_rng(0).normal(size=(9, 24))
    expected = aware_scores(X, model.fields, model.w0, model.w, model.V)
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
        for name in ("w", "V"):
            assert getattr(model, name).tobytes() == getattr(models[0], name).tobytes()


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_two_classes(loss):
    model = fitted(task="binary", loss=loss, init_scale=0.3)
    X, y = one_hot(2000, seed=5)
    predicted = model.predict(X) > (0.5 if loss == "logistic" else 0)
    assert (predicted == (y > 0)).mean() > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mmap", [False, True])
def test_files(tmp_path, dtype, mmap):
    model = fitted(dtype=dtype, epochs=2)
    model.save(tmp_path / "model")
    again = fm.load(tmp_path / "model", mmap=mmap)
    assert type(again) is fm.FieldAwareModel
    assert repr(again) == repr(model)
    for name in ("w0", "w", "V", "fields"):
        assert (
            np.asarray(getattr(again, name)).tobytes() == np.asarray(getattr(model, name)).tobytes()
        )
    X, _ = one_hot(30)
    assert again.predict(X).tobytes() == model.predict(X).tobytes()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.predict(X).tobytes() == model.predict(X).tobytes()


def test_training_goes_on_from_a_model():
    X, y = one_hot(3000)
    settings = {"variant": "ffm", "solver": fm.AdaGrad(), "epochs": 3}
    first = fm.train(X, y, rank=3, **settings)
    more = fm.train(X, y, init=first, **settings)
    assert more.rank == 3
    assert more.history[0].train_loss < 0.5 * first.history[0].train_loss
    assert (more.V[np.arange(24), FIELDS] == 0).all()
    plain = fm.train(X, y, rank=4, solver=fm.AdaGrad(), epochs=3)
    begun = fm.train(
        X, y, init=plain, **settings | {"epochs": 1, "solver": fm.Adam(learning_rate=1e-12)}
    )
    np.testing.assert_allclose(begun.predict(X), plain.predict(X), rtol=1e-4, atol=1e-5)
    begun = fm.train(X, y, init=plain, **settings)
    assert begun.history[0].train_loss < 0.7 * plain.history[0].train_loss
    with pytest.raises(ValueError, match="init is a FieldAwareModel: pass variant='ffm'"):
        fm.train(X, y, init=first)
    with pytest.raises(ValueError, match="init is a FieldAwareModel: pass variant='ffm'"):
        fm.train(X, y, init=first, variant="fwfm")
    weighted = fm.train(X, y, variant="fwfm", epochs=1)
    with pytest.raises(ValueError, match="init is a FieldWeightedModel: pass variant='fwfm'"):
        fm.train(X, y, init=weighted, **settings)
    with pytest.raises(ValueError, match="fields are others than those of init"):
        fm.train(X, y, init=first, fields=FIELDS[::-1], **settings)
    with pytest.raises(ValueError, match="rank is 2, but init has rank 3"):
        fm.train(X, y, init=first, rank=2, **settings)


def test_the_best_epoch_is_restored():
    X, y = one_hot(300)
    X_val, y_val = one_hot(300, seed=2)
    model = fm.train(
        X, y, X_val, y_val, variant="ffm", rank=8, epochs=60, init_scale=0.3,
        solver=fm.AdaGrad(learning_rate=0.5), callbacks=[fm.EarlyStopping(patience=2)],
    )  # fmt: skip
    best = min(record.val_loss for record in model.history)
    assert best < model.history[-1].val_loss
    error = ((model.predict(X_val) - y_val) ** 2).mean() / 2
    assert error == pytest.approx(best, rel=1e-4)


def test_a_checkpoint_is_a_model_of_its_epoch(tmp_path):
    path = tmp_path / "model-{epoch}"
    model = fitted(epochs=2, callbacks=[fm.Checkpoint(str(path))])
    saved = fm.load(tmp_path / "model-2")
    assert saved.V.tobytes() == model.V.tobytes()
    assert fm.load(tmp_path / "model-1").V.tobytes() != model.V.tobytes()


def test_interactions_have_the_factors_for_the_other_field():
    model = fitted()
    X, _ = one_hot(500)
    found = strongest_interactions(model, X, top=30)
    for i, j, weight in zip(found.first, found.second, found.weight, strict=True):
        product = model.V[i, model.fields[j]] @ model.V[j, model.fields[i]]
        assert weight == pytest.approx(product, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solver": fm.Gibbs()}, r"needs solver=Adam\(\) or AdaGrad\(\)"),
        ({"solver": fm.ALS()}, r"needs solver=Adam\(\) or AdaGrad\(\)"),
        ({"fields": [0, 1]}, "fields has shape"),
        ({"fields": [0.5] * 24}, "fields must hold integers"),
        ({"init": (0.0, np.zeros(24), np.zeros((24, 4, 2)))}, "V must have shape"),
    ],
)
def test_arguments(arguments, message):
    X, y = one_hot(30)
    with pytest.raises((ValueError, TypeError), match=message):
        fm.train(X, y, variant="ffm", **arguments)


def test_fields_are_needed():
    X = np.tril(np.ones((5, 5)))
    with pytest.raises(ValueError, match="variant='ffm', or pairs, needs fields"):
        fm.train(X, X[:, 0], variant="ffm")
    wide = sparse.eye(150, format="csr")
    with pytest.raises(ValueError, match="150 fields are too many"):
        fm.train(wide, np.arange(150.0), variant="ffm", fields=np.arange(150))
    assert fm.train(*one_hot(1), variant="ffm").n_fields == 4


def test_parameters_that_do_not_fit_are_refused(monkeypatch):
    X, y = one_hot(30)
    monkeypatch.setattr(memory, "total_memory", lambda: 24 * (1 + 2 * 4) * 4 * 2)
    fm.train(X, y, variant="ffm", rank=2, epochs=1)
    monkeypatch.setattr(memory, "total_memory", lambda: 24 * (1 + 2 * 4) * 4 * 2 - 1)
    with pytest.raises(MemoryError, match="at rank 2 for each of 4 fields"):
        fm.train(X, y, variant="ffm", rank=2, epochs=1)


PARTS = {"w0": 0.0, "w": np.zeros(3), "V": np.ones((3, 2, 4)), "fields": [0, 1, 1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"V": np.ones((3, 8))}, r"V must have shape \(n_features, n_fields, rank\)"),
        ({"V": np.ones((2, 2, 4))}, "w has shape|w must have shape|w has 3"),
        ({"V": np.ones((3, 2, 4)) * 1j}, "V must hold real numbers"),
        ({"V": np.full((3, 2, 4), np.nan)}, "V holds nan at row 0"),
        ({"fields": [0, 1]}, "fields has shape"),
        ({"fields": [0, 1, 2]}, "fields must be 0 to 1: V has 2 fields"),
        ({"fields": [0, -1, 1]}, "fields must be 0 to 1"),
        ({"fields": [0, 1, 0.5]}, "fields must hold integers"),
    ],
)
def test_a_model_checks_its_parameters(change, message):
    fm.FieldAwareModel(**PARTS)
    with pytest.raises((ValueError, TypeError), match=message):
        fm.FieldAwareModel(**PARTS | change)


def test_a_model_owns_its_parameters():
    V = np.random.default_rng(0).normal(size=(3, 2, 4))
    expected = [V[0, 1] @ V[1, 0]]
    for given in (V, np.asfortranarray(V), V[:, ::-1][:, ::-1], np.repeat(V, 2, axis=2)[:, :, ::2]):
        model = fm.FieldAwareModel(**PARTS | {"V": given})
        assert model.predict([[1.0, 1.0, 0.0]]) == pytest.approx(expected, rel=1e-12)
        given[:] = given.copy()
        assert not np.may_share_memory(model.V, given)
    with pytest.raises(ValueError, match="read-only"):
        model.fields[0] = 1


def test_a_model_without_features():
    model = fm.FieldAwareModel(2.0, np.zeros(0), np.zeros((0, 2, 4)), fields=[])
    assert model.predict(np.zeros((3, 0))).tolist() == [2.0] * 3


def test_training_has_fields_of_its_own():
    X, y = one_hot(200)
    first = fm.train(X, y, variant="ffm", epochs=1)

    def change(epoch):
        first.fields.setflags(write=True)
        first.fields[:] = 10**8

    fm.train(X, y, variant="ffm", init=first, epochs=3, callbacks=[change])
    with pytest.raises(ValueError, match="there is no such field"):
        first.predict(X)


def test_rows_of_weight_zero_change_nothing():
    X, y = one_hot(200)
    odd = np.ones((1, 24))  # several features of each field
    weights = np.r_[np.ones(200), 0]
    settings = {"variant": "ffm", "epochs": 2, "batch_size": 16}
    for fields in (None, FIELDS):
        plain = fm.train(X, y, fields=fields, **settings)
        more = fm.train(
            np.r_[X, odd], np.r_[y, 9.0], sample_weight=weights, fields=fields, **settings
        )
        assert more.V.tobytes() == plain.V.tobytes()


def test_large_values_of_fields_without_pairs_within():
    V = np.full((3, 2, 4), 1e-6, "f4")
    V[np.arange(3), [0, 1, 1]] = 0
    model = fm.FieldAwareModel(0.0, np.zeros(3, "f4"), V, fields=[0, 1, 1])
    assert model.score([[1e20, 1.0, 0.0]]) == pytest.approx([4e8], rel=1e-5)
