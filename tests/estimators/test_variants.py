"""Field-weighted machines as estimators: against the definition, in streams, files and analyses."""

import pickle

import numpy as np
import pytest
from estimating import scores_of
from field_reference import field_scores
from scipy import sparse
from sklearn.base import clone

import sparsefm as fm
from sparsefm.field_model import FieldWeightedModel
from sparsefm.interaction import FieldWeighted, Interaction

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

QUICK = {
    "variant": "fwfm",
    "rank": 3,
    "solver": fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5),
    "epochs": 4,
    "search": None,
}
SOLVERS = {
    "adagrad": QUICK["solver"],
    "lazy": fm.Adam(learning_rate=0.02),
    "exact": fm.Adam(learning_rate=0.02, updates="exact"),
}


def table(n=300, seed=0):
    """Return columns of text, lists and numbers."""
    rng = np.random.default_rng(seed)
    tags = [list(rng.choice(list("pqrs"), rng.integers(0, 4), replace=False)) for _ in range(n)]
    frame = pd.DataFrame({name: rng.choice(list("abcde"), n) for name in ("u", "v", "w")})
    return frame.assign(tags=tags, x=rng.normal(size=n))


def targets(kind, frame, seed=1):
    """Return what depends much on u and v together, and on the others little."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 5, 2))
    u, v = (np.searchsorted(list("abcde"), frame[name]) for name in "uv")
    y = (first[u] * second[v]).sum(axis=1) + 0.2 * frame["x"].to_numpy()
    y += 0.1 * rng.normal(size=len(y))
    if kind == "regressor":
        return 100 + 10 * y
    edges = [0.0] if kind == "classifier" else [-0.5, 0.5]
    return np.searchsorted(edges, y)


def make(kind, **settings):
    cls = fm.FMRegressor if kind == "regressor" else fm.FMClassifier
    return cls(**QUICK | settings)


def fitted(kind, n=300, **settings):
    frame = table(n)
    return make(kind, **settings).fit(frame, targets(kind, frame)), frame


KINDS = ["regressor", "classifier", "several"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_scores_are_the_formula(kind, solver):
    settings = {"bounds": None} if kind == "regressor" else {}
    model, frame = fitted(kind, solver=SOLVERS[solver], dtype="float64", **settings)
    X = model.encoder_.transform(frame).toarray()
    fields, R = model.encoder_.fields_, model.R_
    assert fields.max() == 4
    if kind == "several":
        assert R.shape == (3, 5, 5)
        expected = np.column_stack(
            [
                field_scores(X, fields, w0, w, V, r)
                for w0, w, V, r in zip(model.w0_, model.w_, model.V_, R, strict=True)
            ]
        )
    else:
        assert R.shape == (5, 5)
        expected = field_scores(X, fields, model.w0_, model.w_, model.V_, R)
    np.testing.assert_allclose(scores_of(model, frame), expected, rtol=1e-9, atol=1e-9)
    one = np.atleast_3d(R.T).T[0]
    learned = one[np.triu_indices(5, 1)]
    assert (learned != 1).all()  # the weights have moved
    assert list(np.flatnonzero(one.diagonal())) == [3]  # only lists have pairs within


def test_weights_of_fields_find_what_one_vector_cannot():
    """U interacts with v and with w, with opposite signs, and the right weights tell."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.integers(0, 20, 6000).astype(str) for name in "uvw"})
    vectors = rng.normal(size=(20, 3))
    u, v, w = (vectors[frame[name].astype(int)] for name in "uvw")
    y = (u * v).sum(1) - 2 * (u * w).sum(1) + 0.1 * (v * w).sum(1)
    rmse = {}
    for variant in ("fm", "fwfm"):
        model = make("regressor", variant=variant, epochs=20).fit(frame[:5000], y[:5000])
        rmse[variant] = np.sqrt(np.mean((model.predict(frame[5000:]) - y[5000:]) ** 2))
    assert rmse["fwfm"] < 0.5 * rmse["fm"]
    assert abs(model.R_[0, 2]) > 4 * abs(model.R_[1, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_on_any_number_of_threads(kind):
    one, frame = fitted(kind, n=3000, n_threads=1)
    three, _ = fitted(kind, n=3000, n_threads=3)
    assert np.array_equal(scores_of(one, frame), scores_of(three, frame))
    assert np.array_equal(one.R_, three.R_)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer_state", [False, True])
def test_files(kind, optimizer_state, tmp_path):
    model, frame = fitted(kind, batch_size=7)
    model.save(tmp_path / "model", optimizer_state=optimizer_state)
    again = fm.load(tmp_path / "model")
    assert again.best_params_["variant"] == "fwfm"
    assert np.array_equal(scores_of(model, frame), scores_of(again, frame))
    assert np.array_equal(model.R_, again.R_)
    if optimizer_state:
        more = table(50, seed=5)
        for one in (model, again):
            one.partial_fit(more, targets(kind, more))
        assert np.array_equal(scores_of(model, frame), scores_of(again, frame))
        assert np.array_equal(model.R_, again.R_)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(scores_of(model, frame), scores_of(copied, frame))


def test_a_file_cannot_hold_fields_that_are_not_there(tmp_path):
    from sparsefm.estimators.state_saving import read_state, state_to_arrays
    from sparsefm.io.reader import Reader

    model, _ = fitted("classifier")
    (state,) = model._learner.states
    arrays = state_to_arrays(state, True)
    chosen, n = model._learner.hyperparameters, state.n_features
    read_state(Reader({}, dict(arrays)), chosen, n)
    R = arrays["R"].copy()
    R[0, 1] += 1
    fields = arrays["fields"].copy()
    fields[0] = 5
    for damaged in (
        {"R": R},
        {"fields": fields},
        {"fields": fields[1:]},
        {"R": arrays["R"][:4, :4]},
        {"learned": arrays["learned"][:3]},
        {"moments.R": arrays["moments.R"][:0]},
    ):
        with pytest.raises(fm.FileFormatError):
            read_state(Reader({}, {**arrays, **damaged}), chosen, n)


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_new_values_and_a_column_that_comes_to_life(kind):
    frame = table(400)
    early = frame[:100].assign(u=frame["u"][:100].where(frame["u"] < "d"), tags=None)
    y = targets(kind, frame)
    classes = {} if kind == "regressor" else {"classes": np.unique(y)}
    model = make(kind, epochs=None, dtype="float64").partial_fit(early, y[:100], **classes)
    n_fields = len(np.atleast_3d(model.R_.T).T[0])
    model.partial_fit(frame[100:], y[100:])
    assert len(model._learner.states[0].fields) == model.encoder_.n_features_out_
    np.testing.assert_array_equal(model._learner.states[0].fields, model.encoder_.fields_)
    explained = model.explain(frame[:40], **({"target": 1} if kind == "several" else {}))
    scores = scores_of(model, frame[:40])
    scores = scores[:, 1] if kind == "several" else scores
    if kind != "regressor":  # bounds
        np.testing.assert_allclose(explained.scores, scores, rtol=1e-9, atol=1e-9)
    assert n_fields <= 5


def test_a_new_last_column_of_a_stream_is_a_new_field():
    frame = table(200)[["u", "v", "w"]]
    y = targets("classifier", table(200))
    nothing = frame[:50].assign(w=None)
    model = make("classifier", epochs=None).partial_fit(nothing, y[:50], classes=[0, 1])
    before = model.R_
    model.partial_fit(frame[50:], y[50:])
    assert model.R_.shape == (3, 3)
    assert before.shape <= model.R_.shape
    assert (model.R_[np.triu_indices(3, 1)] != 1).all()
    assert not model.R_.diagonal().any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_goes_back_after_an_error(kind):
    model, frame = fitted(kind)
    before = scores_of(model, frame), model.R_.copy()
    model.set_params(solver=fm.AdaGrad(learning_rate=1e30))
    with pytest.raises(fm.DivergenceError):
        model.partial_fit(frame, targets(kind, frame))
    assert np.array_equal(scores_of(model, frame), before[0])
    assert np.array_equal(model.R_, before[1])


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_going_on_with_more_factors(kind):
    model, frame = fitted(kind, warm_start=True)
    R = model.R_.copy()
    model.set_params(rank=5, epochs=1, solver=fm.Adam(learning_rate=1e-30))
    model.fit(frame, targets(kind, frame))
    assert model.V_.shape[1] == 5
    np.testing.assert_allclose(model.R_, R, rtol=1e-6)


def test_another_variant_is_another_model():
    frame = table()
    y = targets("classifier", frame)
    model = make("classifier", variant=None).partial_fit(frame, y)
    assert model._learner.hyperparameters.variant == "fm"
    with pytest.raises(AttributeError, match="R_, weights of pairs of fields, needs variant"):
        _ = model.R_
    with pytest.raises(ValueError, match="variant is 'fwfm' now, but was 'fm'"):
        model.set_params(variant="fwfm").partial_fit(frame, y)
    sampled = fm.FMClassifier(solver=fm.Gibbs(), rank=2, epochs=20).fit(frame, y)
    with pytest.raises(ValueError, match="variant is 'fwfm' now, but was 'fm'"):
        sampled.set_params(solver=None, variant="fwfm").partial_fit(frame, y)


# --- analyses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_explanations_add_up(kind):
    settings = {"bounds": None} if kind == "regressor" else {}
    model, frame = fitted(kind, dtype="float64", **settings)
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
        ({"loss": "ordinal", "solver": None, "epochs": None}, "variant='fwfm' needs solver=Adam"),
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
    with pytest.raises(ValueError, match="which columns of X belong together"):
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


# --- the search -----------------------------------------------------------------------------------


def test_the_search_keeps_the_variant():
    frame = table(600)
    y = targets("several", frame)
    model = fm.FMClassifier(variant="fwfm").fit(frame, y)
    assert set(model.search_["variant"]) == {"fwfm", "fm"} or set(model.search_["variant"]) == {
        "fwfm"
    }
    assert all(isinstance(one, FieldWeightedModel) for one in model._models)
    again = fm.FMClassifier(**model.best_params_).fit(frame, y)
    assert np.array_equal(scores_of(again, frame), scores_of(model, frame))
    assert "field-weighted" in model.describe()
    plain = fm.FMClassifier(variant="fm").fit(frame, y)
    assert set(plain.search_["variant"]) == {"fm"}
    assert any(solver.startswith("Gibbs") for solver in plain.search_["solver"])


# --- pairs ----------------------------------------------------------------------------------------

SOME = [("u", "v"), (["x"], ["w", "u"])]


@pytest.mark.parametrize("variant", ["fm", "fwfm"])
@pytest.mark.parametrize("kind", KINDS)
def test_only_given_pairs_interact(kind, variant, tmp_path):
    model, frame = fitted(kind, variant=variant, pairs=SOME, dtype="float64")
    assert model.best_params_["pairs"] == ((0, 1), (0, 4), (2, 4))
    expected = np.zeros((5, 5), bool)
    for a, b in model.best_params_["pairs"]:
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
        ("uv", TypeError, "pairs must be a list of pairs"),
        (["uv"], TypeError, "pairs must hold pairs"),
        (np.array([[0, 1], [0, 2]]), TypeError, "pairs must hold pairs"),
    ):
        with pytest.raises(error, match=message):
            make("classifier", pairs=pairs).fit(frame, y)
    with pytest.raises(ValueError, match="Gibbs has all pairs"):
        make("classifier", variant=None, solver=fm.Gibbs(), epochs=None, pairs=SOME).fit(frame, y)
    model = make("classifier", epochs=None).partial_fit(frame, y)
    with pytest.raises(ValueError, match=r"pairs is .* now, but was None"):
        model.set_params(pairs=SOME).partial_fit(frame, y)


def test_a_field_that_comes_later_has_its_given_pairs():
    frame = table(200)[["u", "v", "w"]]
    y = targets("classifier", table(200))
    model = make("classifier", epochs=None, variant="fm", pairs=[("u", "v"), ("u", "w")])
    model.partial_fit(frame[:50].assign(w=None), y[:50], classes=[0, 1]).partial_fit(frame, y)
    np.testing.assert_array_equal(model.R_, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
