"""Machines with fields as estimators: against the definition, in streams and files."""

import pickle

import numpy as np
import pytest
from estimating import scores_of
from field_reference import aware_scores, field_scores
from field_tables import KINDS, QUICK, SOLVERS, fitted, make, pd, table, targets

import sparsefm as fm
from sparsefm.field_model import FieldWeightedModel


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_scores_of_a_field_aware_machine_are_the_formula(kind, solver):
    settings = {"bounds": None} if kind == "regressor" else {}
    settings |= {"variant": "ffm", "solver": SOLVERS[solver], "dtype": "float64"}
    model, frame = fitted(kind, n=120, **settings)
    X = model.encoder_.transform(frame).toarray()
    fields = model.encoder_.fields_
    parameters = model.w0_, model.w_, model.V_
    if kind != "several":
        parameters = [np.asarray(part)[None] for part in parameters]
    assert parameters[2].shape[1:] == (len(fields), 5, 3)
    expected = [aware_scores(X, fields, *one) for one in zip(*parameters, strict=True)]
    found = scores_of(model, frame).reshape(120, -1)
    np.testing.assert_allclose(found, np.column_stack(expected), rtol=1e-9, atol=1e-9)


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


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_on_any_number_of_threads(variant, kind):
    one, frame = fitted(kind, n=3000, n_threads=1, variant=variant)
    three, _ = fitted(kind, n=3000, n_threads=3, variant=variant)
    assert np.array_equal(scores_of(one, frame), scores_of(three, frame))
    assert np.array_equal(one.V_, three.V_)


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer_state", [False, True])
def test_files(variant, kind, optimizer_state, tmp_path):
    model, frame = fitted(kind, batch_size=7, variant=variant)
    model.save(tmp_path / "model", optimizer_state=optimizer_state)
    again = fm.load(tmp_path / "model")
    assert again.best_params_["variant"] == variant
    assert np.array_equal(scores_of(model, frame), scores_of(again, frame))
    assert np.array_equal(model.V_, again.V_)
    if optimizer_state:
        more = table(50, seed=5)
        for one in (model, again):
            one.partial_fit(more, targets(kind, more))
        assert np.array_equal(scores_of(model, frame), scores_of(again, frame))
        assert np.array_equal(model.V_, again.V_)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(scores_of(model, frame), scores_of(copied, frame))


def test_a_file_cannot_hold_fields_that_are_not_there(tmp_path):
    from sparsefm.estimators.state_saving import read_state, state_to_arrays
    from sparsefm.io.reader import Reader, naming

    model, _ = fitted("classifier")
    (state,) = model._learner.states
    arrays = state_to_arrays(state, True)
    learner = model._learner
    how = learner.hyperparameters, learner.loss, state.n_features
    read_state(Reader({}, dict(arrays)), *how)
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
        with pytest.raises(fm.FileFormatError), naming("file"):
            read_state(Reader({}, {**arrays, **damaged}), *how)


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
def test_new_values_and_a_column_that_comes_to_life(variant, kind):
    frame = table(400)
    early = frame[:100].assign(u=frame["u"][:100].where(frame["u"] < "d"), tags=None)
    y = targets(kind, frame)
    classes = {} if kind == "regressor" else {"classes": np.unique(y)}
    model = make(kind, epochs=None, dtype="float64", variant=variant).partial_fit(
        early, y[:100], **classes
    )
    model.partial_fit(frame[100:], y[100:])
    assert len(model._learner.states[0].fields) == model.encoder_.n_features_out_
    np.testing.assert_array_equal(model._learner.states[0].fields, model.encoder_.fields_)
    explained = model.explain(frame[:40], **({"target": 1} if kind == "several" else {}))
    scores = scores_of(model, frame[:40])
    scores = scores[:, 1] if kind == "several" else scores
    if kind != "regressor":  # bounds
        np.testing.assert_allclose(explained.scores, scores, rtol=1e-9, atol=1e-9)


def test_a_new_last_column_of_a_stream_is_a_new_field_of_a_field_aware_machine():
    frame = table(200)[["u", "v", "w"]]
    y = targets("classifier", table(200))
    nothing, rest = frame[:50][["u", "v"]], frame[50:]
    model = make("classifier", epochs=None, variant="ffm", dtype="float64")
    model.partial_fit(nothing, y[:50], classes=[0, 1])
    before, known = model.V_.shape[1], frame[:50].assign(w=None)
    scores = scores_of(model, nothing)
    still = model.set_params(solver=fm.AdaGrad(learning_rate=1e-30, initial_accumulator=0.5))
    still.partial_fit(rest, y[50:])
    assert before < model.V_.shape[1] == 3
    np.testing.assert_allclose(scores_of(model, known), scores, rtol=1e-9, atol=1e-9)
    model.set_params(solver=QUICK["solver"]).partial_fit(rest, y[50:])
    assert model.V_[:, 2].any()
    X = model.encoder_.transform(frame).toarray()
    expected = aware_scores(X, model.encoder_.fields_, model.w0_, model.w_, model.V_)
    np.testing.assert_allclose(scores_of(model, frame), expected, rtol=1e-9, atol=1e-9)


def test_a_new_last_column_of_a_stream_is_a_new_field():
    frame = table(200)[["u", "v", "w"]]
    y = targets("classifier", table(200))
    model = make("classifier", epochs=None)
    model.partial_fit(frame[:50][["u", "v"]], y[:50], classes=[0, 1])
    assert model.R_.shape == (2, 2)
    model.partial_fit(frame[50:], y[50:])
    assert model.R_.shape == (3, 3)
    assert (model.R_[np.triu_indices(3, 1)] != 1).all()
    assert not model.R_.diagonal().any()


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_goes_back_after_an_error(variant, kind):
    model, frame = fitted(kind, variant=variant)
    before = scores_of(model, frame), model.V_.copy()
    model.set_params(solver=fm.AdaGrad(learning_rate=1e30))
    with pytest.raises(fm.DivergenceError):
        model.partial_fit(frame, targets(kind, frame))
    assert np.array_equal(scores_of(model, frame), before[0])
    assert np.array_equal(model.V_, before[1])


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_going_on_with_more_factors(variant, kind):
    model, frame = fitted(kind, warm_start=True, variant=variant)
    V = model.V_.copy()
    model.set_params(rank=5, epochs=1, solver=fm.Adam(learning_rate=1e-30))
    model.fit(frame, targets(kind, frame))
    assert model.V_.shape[-1] == 5
    np.testing.assert_allclose(model.V_[..., :3], V, rtol=1e-6)
    assert model.V_[..., 3:].any()


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
@pytest.mark.parametrize("warm", [False, True])
def test_pairs_within_a_field_are_learned_when_rows_first_have_them(variant, warm):
    rng = np.random.default_rng(0)
    tags = [list(rng.choice(list("abcd"), 2, replace=False)) for _ in range(2000)]
    y = np.array([2.0 if set(two) in ({"a", "b"}, {"c", "d"}) else -1.0 for two in tags])
    frame = pd.DataFrame({"tags": tags, "other": rng.choice(list("xyz"), 2000)})
    single = frame[:50].assign(tags=[[two[0]] for two in tags[:50]])
    settings = {"variant": variant, "rank": 4, "random_state": 1, "batch_size": 16}
    model = make("regressor", **settings, warm_start=warm, epochs=6 if warm else None)
    if warm:
        model.fit(single, y[:50]).fit(frame, y)
    else:
        model.partial_fit(single, y[:50])
        before = scores_of(model, single)
        still = model.set_params(solver=fm.AdaGrad(learning_rate=1e-30, initial_accumulator=0.5))
        still.partial_fit(frame[:60], y[:60])
        scale = np.abs(before).max()
        np.testing.assert_allclose(scores_of(model, single), before, atol=1e-4 * scale)
        model.set_params(solver=QUICK["solver"])
        for _ in range(6):
            model.partial_fit(frame, y)
    assert model.score(frame, y) > 0.9


def test_weights_have_the_order_of_the_fields_names():
    frame = table(200)[["u", "v"]].assign(last=[[] for _ in range(200)])
    model = make("classifier").fit(frame, targets("classifier", table(200)))
    assert model.R_.shape == (3, 3) == (len(model.encoder_.field_names_),) * 2


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
