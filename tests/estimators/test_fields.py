"""What estimators with fields say of themselves, fields of matrices, and pairs of fields."""

import numpy as np
import pytest
from estimating import scores_of
from field_reference import aware_scores, field_scores
from field_tables import KINDS, fitted, make, table, targets
from scipy import sparse
from sklearn.base import clone

import sparsefm as fm
from sparsefm.interaction import FieldAware, FieldWeighted, Interaction

# --- analyses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
def test_explanations_add_up(variant, kind):
    settings = {"bounds": None} if kind == "regressor" else {}
    model, frame = fitted(kind, dtype="float64", variant=variant, **settings)
    target = {"target": 2} if kind == "several" else {}
    scores = scores_of(model, frame)
    scores = scores[:, 2] if kind == "several" else scores
    parts = model.explain(frame, **target)
    np.testing.assert_allclose(parts.scores, scores, rtol=1e-9, atol=1e-9)
    by_field = model.explain_fields(frame, **target)
    np.testing.assert_allclose(by_field.scores, scores, rtol=1e-9, atol=1e-9)
    importances = model.field_importances(frame, **target)
    contributions = model.explain_fields(frame, background=frame, **target).contributions
    np.testing.assert_allclose(importances, np.abs(contributions).mean(axis=0), rtol=1e-9)


def test_interactions_have_the_weight_of_their_fields():
    model, frame = fitted("classifier", dtype="float64")
    names, fields = list(model.get_feature_names_out()), model.encoder_.fields_
    found = model.interactions(top=1000)
    for first, second, weight in zip(*map(found.get, ("first", "second", "weight")), strict=True):
        i, j = names.index(first), names.index(second)
        expected = model.R_[fields[i], fields[j]] * (model.V_[i] @ model.V_[j])
        np.testing.assert_allclose(weight, expected, rtol=1e-9)
    X, R = model.encoder_.transform(frame).toarray(), model.R_
    u = np.stack([X[:, fields == a] @ model.V_[fields == a] for a in range(5)])
    u -= u.mean(axis=1, keepdims=True)
    strengths = model.field_interactions(frame)
    for a, b in ((0, 1), (3, 4), (2, 3)):
        expected = np.std(R[a, b] * (u[a] * u[b]).sum(axis=1))
        np.testing.assert_allclose(strengths[a, b], expected, rtol=1e-9)


def test_the_formula_in_numpy():
    rng = np.random.default_rng(0)
    fields, V = np.array([0, 1, 1, 2, 0, 2, 2]), rng.normal(size=(7, 3))
    R = rng.normal(size=(3, 3))
    R += R.T
    X = rng.normal(size=(20, 7))
    for interaction, weights in (
        (Interaction(fields, 3), np.ones((3, 3))),
        (FieldWeighted(fields, 3, R), R),
    ):
        expected = field_scores(X, fields, 0.0, np.zeros(7), V, weights)
        S = np.stack([X[:, fields == a] @ V[fields == a] for a in range(3)], axis=1)
        selves = X**2 @ (interaction.own[fields] * V**2).sum(axis=1)
        pairs = ((S * interaction.terms(S)).sum(axis=(1, 2)) - selves) / 2
        np.testing.assert_allclose(pairs, expected, rtol=1e-12)
        products = interaction.products(S)
        np.testing.assert_allclose(products.sum(axis=(1, 2)), 2 * expected + selves, rtol=1e-12)
        off = products.sum(axis=2) - np.einsum("naa->na", products)
        np.testing.assert_allclose((S * interaction.others(S)).sum(axis=2), off, atol=1e-12)


def test_the_formula_of_a_field_aware_machine_in_numpy():
    rng = np.random.default_rng(0)
    fields, V = np.array([0, 1, 1, 2, 0, 2, 2]), rng.normal(size=(7, 3, 2))
    X = rng.normal(size=(20, 7))
    expected = aware_scores(X, fields, 0.0, np.zeros(7), V)
    interaction = FieldAware(fields, 4, 2)  # one field has no features
    vectors = interaction.vectors(V)
    S = np.stack([X[:, fields == a] @ vectors[fields == a] for a in range(4)], axis=1)
    selves = X**2 @ (interaction.own[fields] * vectors**2).sum(axis=1)
    pairs = ((S * interaction.terms(S)).sum(axis=(1, 2)) - selves) / 2
    np.testing.assert_allclose(pairs, expected, rtol=1e-12)
    products = interaction.products(S)
    np.testing.assert_allclose(products, products.transpose(0, 2, 1), rtol=1e-12)
    np.testing.assert_allclose(products.sum(axis=(1, 2)), 2 * expected + selves, rtol=1e-12)
    off = products.sum(axis=2) - np.einsum("naa->na", products)
    np.testing.assert_allclose((S * interaction.others(S)).sum(axis=2), off, atol=1e-12)
    i, j = np.triu_indices(7, k=1)
    weights = interaction.pair_weights(vectors, i, j)
    np.testing.assert_allclose((X[:, i] * X[:, j]) @ weights, expected, rtol=1e-12)


def test_a_field_aware_search_has_few_factors():
    frame = table(200)
    model = fm.FMRegressor(variant="ffm").fit(frame, targets("regressor", frame))
    assert max(model.search_["rank"]) <= 8  # 4 and its variation
    stages = zip(model.search_["stage"], model.search_["variant"], strict=True)
    assert {variant for stage, variant in stages if stage == "model"} == {"ffm"}
    assert "field-aware" in model.describe() or model.best_params_["rank"] == 0
    with pytest.raises(ValueError, match="variant='ffm' has all pairs"):
        make("regressor", variant="ffm", pairs=[("u", "v")]).fit(frame, targets("regressor", frame))


# --- sparse matrices ------------------------------------------------------------------------------


def test_a_one_hot_matrix_tells_its_fields():
    frame = table()
    X = fm.TableEncoder().fit_transform(frame[["u", "v", "w"]])
    model = make("classifier").fit(X, targets("classifier", frame))
    assert model.encoder_.field_names_ == ["field 0", "field 1", "field 2"]
    np.testing.assert_array_equal(model.encoder_.fields_, np.repeat([0, 1, 2], 5))
    assert list(model.get_feature_names_out()) == [f"x{i}" for i in range(15)]
    assert model.R_.shape == model.field_interactions().shape == (3, 3)
    assert model.explain_fields(X[:2]).labels(1) == [
        f"field {a}=x{X[1].indices[a]}" for a in range(3)
    ]


def test_given_fields(tmp_path):
    rng = np.random.default_rng(0)
    X = sparse.random(200, 9, 0.4, "csr", random_state=0)
    fields, y = rng.integers(0, 4, 9), rng.normal(size=200)
    encoder = fm.TableEncoder(fields=fields)
    model = make("regressor", encoder=encoder, bounds=None, dtype="float64").fit(X, y)
    scaled = model.encoder_.transform(X).toarray()
    expected = field_scores(scaled, fields, model.w0_, model.w_, model.V_, model.R_)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)
    again = clone(model).set_params(**model.best_params_).fit(X, y)
    assert np.array_equal(again.predict(X), model.predict(X))
    model.partial_fit(X[:9], y[:9])
    model.save(tmp_path / "model")
    loaded = fm.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.encoder_.fields_, fields)
    np.testing.assert_array_equal(loaded.encoder.fields, fields)
    plain = fm.FMRegressor(encoder=encoder, rank=2, epochs=2, solver=fm.Adam()).fit(X, y)
    assert plain.field_interactions().shape == (4, 4)  # fields are of use to any model


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "softmax"}, "make one model of each class against the rest"),
        ({"solver": fm.Gibbs(), "epochs": None}, "variant='fwfm' needs solver=Adam"),
        ({"loss": "ordinal", "solver": None, "epochs": None}, "ordered classes need Gibbs"),
        ({"variant": "ffffm"}, "variant must be one of 'fm', 'fwfm'"),
        (
            {"encoder": fm.TableEncoder(fields=[0, 1])},
            "fields are those of the columns of a sparse",
        ),
    ],
)
def test_what_cannot_be_is_said(settings, message):
    frame = table()
    with pytest.raises(ValueError, match=message):
        make("several", **settings).fit(frame, targets("several", frame))


def test_fields_of_matrices_are_checked():
    rng = np.random.default_rng(0)
    X, y = sparse.random(50, 300, 0.1, "csr", random_state=0), rng.normal(size=50)
    with pytest.raises(ValueError, match="are of one field, and X is not one-hot"):
        make("regressor").fit(X, y)
    for fields, message in (
        (np.zeros(299, int), "fields has shape"),
        (np.arange(300), "300 fields are too many"),
        (np.full(300, -1), "fields must number"),
    ):
        with pytest.raises(ValueError, match=message):
            make("regressor", encoder=fm.TableEncoder(fields=fields)).fit(X, y)
    with pytest.raises(TypeError, match="fields must hold integers"):
        make("regressor", encoder=fm.TableEncoder(fields=["a"] * 300)).fit(X, y)


# --- pairs ----------------------------------------------------------------------------------------

SOME = [("u", "v"), (["x"], ["w", "u"])]


@pytest.mark.parametrize("variant", ["fm", "fwfm"])
@pytest.mark.parametrize("kind", KINDS)
def test_only_given_pairs_interact(kind, variant, tmp_path):
    model, frame = fitted(kind, variant=variant, pairs=SOME, dtype="float64")
    assert model.best_params_["pairs"] == SOME
    expected = np.zeros((5, 5), bool)
    for a, b in ((0, 1), (0, 4), (2, 4)):
        expected[a, b] = expected[b, a] = True
    R = model.R_ if kind == "several" else model.R_[None]
    assert np.array_equal(R != 0, np.broadcast_to(expected, R.shape))
    assert (R[:, expected] == 1).all() == (variant == "fm")
    found = model.interactions(top=1000, **({"target": 0} if kind == "several" else {}))
    between = {
        frozenset(name.partition("=")[0] for name in pair)
        for pair, strength in zip(
            zip(found["first"], found["second"], strict=True), found["strength"], strict=True
        )
        if strength > 0
    }
    assert between == {frozenset(pair) for pair in ("uv", "xu", "xw")}
    again = (
        type(model)(**model.best_params_, bounds=None)
        if kind == "regressor"
        else (type(model)(**model.best_params_))
    )
    again.set_params(dtype="float64").fit(frame, targets(kind, frame))
    assert np.array_equal(again.R_, model.R_)
    model.save(tmp_path / "model", optimizer_state=True)
    loaded, more = fm.load(tmp_path / "model"), table(60, seed=9)
    for one in (model, loaded):
        one.partial_fit(more, targets(kind, more))
    assert np.array_equal(scores_of(model, frame), scores_of(loaded, frame))
    assert np.array_equal(model.R_ != 0, loaded.R_ != 0)
    assert np.array_equal(np.broadcast_to(expected, R.shape)[0], model.R_.reshape(R.shape)[0] != 0)


def test_pairs_are_checked():
    frame = table()
    y = targets("classifier", frame)
    for pairs, error, message in (
        ([("u", "no")], ValueError, "pairs names a column 'no'"),
        ([(0, 5)], ValueError, "pairs names a column 5"),
        ([], TypeError, "pairs must be a list of pairs"),
        ({("u", "v")}, TypeError, "pairs must be a list of pairs"),
        ([("u", [])], TypeError, "pairs must hold pairs"),
        ([("u", np.array([1, 2]))], TypeError, "pairs must name columns by name or position"),
        ([("u", range(2))], TypeError, "pairs must name columns by name or position"),
        ("uv", TypeError, "pairs must be a list of pairs"),
        (["uv"], TypeError, "pairs must hold pairs"),
        (np.array([[0, 1], [0, 2]]), TypeError, "pairs must be a list of pairs"),
    ):
        with pytest.raises(error, match=message):
            make("classifier", pairs=pairs).fit(frame, y)
    with pytest.raises(ValueError, match="Gibbs has all pairs"):
        make("classifier", variant=None, solver=fm.Gibbs(), epochs=None, pairs=SOME).fit(frame, y)
    model = make("classifier", epochs=None).partial_fit(frame, y)
    with pytest.raises(ValueError, match=r"pairs is .* now, but was None"):
        model.set_params(pairs=SOME).partial_fit(frame, y)
    same = make("classifier", epochs=None, pairs=[("u", "v")]).partial_fit(frame, y)
    same.set_params(pairs=[(1, "u")]).partial_fit(frame, y)
    same.set_params(pairs=[("v", ["u"])]).partial_fit(frame, y)


def test_a_field_that_comes_later_has_its_given_pairs():
    frame = table(200)[["u", "v", "tags"]]
    y = targets("classifier", table(200))
    model = make("classifier", epochs=None, variant="fm", pairs=[("u", "v"), ("u", "tags")])
    empty = frame[:50].assign(tags=[[] for _ in range(50)])
    model.partial_fit(empty, y[:50], classes=[0, 1])
    assert model._models[0].n_fields == 2
    for _ in range(2):
        np.testing.assert_array_equal(model.R_, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
        model.partial_fit(frame, y)


def test_a_column_without_features_is_a_field_of_the_analyses():
    frame = table(200)[["u", "v"]].assign(last=[[] for _ in range(200)])
    y = targets("regressor", table(200))
    for variant in ("fwfm", "ffm"):
        model = make("regressor", variant=variant, dtype="float64", bounds=None).fit(frame, y)
        assert model.field_interactions().shape == (3, 3)
        assert len(model.field_importances()) == 3
        parts = model.explain_fields(frame[:9])
        np.testing.assert_allclose(parts.scores, model.predict(frame[:9]), rtol=1e-9)


def test_pairs_are_kept_as_the_user_wrote_them():
    frame = table()[["u", "v", "w"]].set_axis([1, 2, 3], axis=1)
    y = targets("regressor", table())
    model = make("regressor", pairs=[("1", "2")]).fit(frame, y)
    again = make("regressor").set_params(**model.best_params_).fit(frame, y)
    assert np.array_equal(again.R_, model.R_)


def test_the_first_rows_of_a_matrix_do_not_tell_fields():
    X = sparse.csr_matrix(np.eye(6)[np.arange(40) % 6].reshape(20, 12))
    for settings in ({"variant": "fwfm"}, {"variant": None, "pairs": [(0, 1)]}):
        with pytest.raises(ValueError, match="first rows of a stream do not tell"):
            make("regressor", epochs=None, **settings).partial_fit(X, np.arange(20.0))
    encoder = fm.TableEncoder(fields=np.repeat([0, 1], 6))
    model = make("regressor", epochs=None, encoder=encoder).partial_fit(X, np.arange(20.0))
    assert model.R_.shape == (2, 2)


def test_a_search_leaves_fields_with_large_numbers_alone():
    rng = np.random.default_rng(0)
    X = sparse.random(60, 300, 0.05, "csr", random_state=0)
    fields = np.repeat([0, 150, 299], 100)
    model = fm.FMRegressor(encoder=fm.TableEncoder(fields=fields), warm_start=True)
    model.fit(X, rng.normal(size=60))
    assert set(model.search_["variant"]) == {"fm"}
