"""Penalties on the factors of single columns, in the estimators."""

import pickle

import numpy as np
import pytest
from estimating import scores_of
from field_tables import KINDS, make, table, targets
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import sparsefm as fm

DEFAULT = fm.Adam().l2_factors
PARTIAL = {"u": 0.5, "tags": 0.0}
WHOLE = [0.5, DEFAULT, DEFAULT, 0.0, DEFAULT]  # u, v, w, tags, x


def solvers(penalties):
    return [
        fm.Adam(learning_rate=0.02, l2_factors=penalties),
        fm.Adam(learning_rate=0.02, updates="exact", l2_factors=penalties),
        fm.AdaGrad(learning_rate=0.1, l2_factors=penalties),
    ]


@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
def test_columns_by_name_are_a_number_for_each(kind, variant):
    frame = table(120)
    y = targets(kind, frame)
    for named, listed, one in zip(*map(solvers, (PARTIAL, WHOLE, DEFAULT)), strict=True):
        found = [
            make(kind, solver=solver, variant=variant).fit(frame, y)
            for solver in (named, listed, one)
        ]
        first, second, plain = (scores_of(model, frame) for model in found)
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, plain)
        assert found[0].best_params_["solver"] == named  # by name


def test_equal_penalties_have_the_bits_of_the_one_number():
    frame = table(120)
    y = targets("several", frame)
    softmax = {"variant": "fm", "loss": "softmax"}
    for settings in ({}, softmax):
        models = [
            make("several", solver=fm.Adam(l2_factors=l2), n_threads=threads, **settings)
            for l2, threads in ((DEFAULT, 1), ({}, 2), ({"v": DEFAULT}, 3), ([DEFAULT] * 5, 1))
        ]
        scores = [scores_of(model.fit(frame, y), frame) for model in models]
        for other in scores[1:]:
            np.testing.assert_array_equal(scores[0], other)


def test_a_strong_penalty_shrinks_one_column():
    frame = table()
    solver = fm.Adam(learning_rate=0.02, l2_linear=0, l2_factors={"v": 100, "u": 0})
    model = make("regressor", variant="fm", solver=solver, epochs=20)
    model.fit(frame, targets("regressor", frame))
    sizes = np.bincount(model.encoder_.fields_, np.square(model.V_).sum(axis=1))
    assert sizes[1] < 1e-3 * sizes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on(kind, tmp_path):
    frame = table(200)
    y = targets(kind, frame)
    for solver in solvers(PARTIAL):
        model = make(kind, solver=solver, warm_start=True)
        model.fit(frame[:100], y[:100])
        path = tmp_path / "model"
        model.save(path, optimizer_state=True)
        loaded = fm.load(path)
        assert loaded.solver == solver
        assert loaded._learner.hyperparameters.solver.l2_factors == tuple(WHOLE)
        others = [loaded, pickle.loads(pickle.dumps(model))]
        newer = frame.assign(u=frame["u"] + "!")  # features that are new
        for rows in (slice(100, 150), slice(150, 200)):
            model.partial_fit(newer[rows], y[rows])
            for other in others:
                other.partial_fit(newer[rows], y[rows])
                np.testing.assert_array_equal(scores_of(model, newer), scores_of(other, newer))
        model.fit(frame, y)
        assert np.isfinite(scores_of(model, frame)).all()


def test_a_changed_penalty_counts_from_then_on():
    frame = table(100)
    y = targets("regressor", frame)
    models = [make("regressor", warm_start=True, solver=fm.Adam(l2_factors=PARTIAL)) for _ in "ab"]
    for model in models:
        model.fit(frame, y)
    models[1].set_params(solver__l2_factors={"u": 5.0})
    for model in models:
        model.partial_fit(frame, y)
    assert not np.array_equal(*(scores_of(model, frame) for model in models))
    models[1].set_params(solver__l2_factors=0.1)
    models[1].partial_fit(frame, y)
    assert models[1]._learner.hyperparameters.solver.l2_factors == 0.1


def test_a_stream_knows_its_columns():
    frame = table(200)
    y = targets("regressor", frame)
    first, second = (make("regressor", solver=fm.Adam(l2_factors=l2)) for l2 in (PARTIAL, WHOLE))
    for rows in (slice(0, 60), slice(60, 200)):
        first.partial_fit(frame[rows], y[rows])
        second.partial_fit(frame[rows], y[rows])
    np.testing.assert_array_equal(scores_of(first, frame), scores_of(second, frame))


def test_a_search_keeps_the_penalties():
    frame = table(400)
    y = targets("classifier", frame)
    solver = fm.AdaGrad(learning_rate=0.1, l2_factors=PARTIAL)
    model = fm.FMClassifier(solver=solver).fit(frame, y)
    assert model._learner.hyperparameters.solver.l2_factors == tuple(WHOLE)
    again = fm.FMClassifier(search=None, **model.best_params_).fit(frame, y)
    np.testing.assert_array_equal(scores_of(model, frame), scores_of(again, frame))


def test_a_fit_is_resumed(tmp_path):
    frame = table(150)
    y = targets("classifier", frame)
    path = tmp_path / "checkpoint"
    settings = {"solver": fm.Adam(l2_factors=PARTIAL), "variant": "fm"}
    whole = make("classifier", epochs=5, **settings).fit(frame, y)
    make("classifier", epochs=2, callbacks=[fm.Checkpoint(path)], **settings).fit(frame, y)
    resumed = make("classifier", epochs=5, **settings).fit(frame, y, resume=path)
    np.testing.assert_array_equal(scores_of(whole, frame), scores_of(resumed, frame))
    settings["solver"] = fm.Adam(l2_factors={"u": 0.6})
    with pytest.raises(ValueError, match="solver is Adam"):
        make("classifier", epochs=5, **settings).fit(frame, y, resume=path)


def test_parameters_of_scikit_learn():
    frame = table(120)
    y = targets("classifier", frame)
    model = make("classifier", solver=fm.Adam(l2_factors=PARTIAL))
    assert clone(model).solver == model.solver
    grid = {"solver__l2_factors": [{"u": 0.1}, {"u": 10.0}, 0.1]}
    found = GridSearchCV(model, grid, cv=2).fit(frame, y)
    assert found.best_params_["solver__l2_factors"] in grid["solver__l2_factors"]


def test_matrices():
    frame = table(120)[["u", "v", "w"]]
    y = targets("classifier", table(120))
    X = fm.TableEncoder().fit_transform(frame)
    solver = fm.Adam(l2_factors=[0.5, 0.1, 0.0])
    settings = {"variant": "fm", "solver": solver}
    one = make("classifier", **settings).fit(X, y)
    assert one.encoder_.field_names_ == ["field 0", "field 1", "field 2"]
    named = {"field 0": 0.5, "field 1": 0.1, "field 2": 0.0}
    two = make("classifier", variant="fm", solver=fm.Adam(l2_factors=named)).fit(X, y)
    np.testing.assert_array_equal(scores_of(one, X), scores_of(two, X))
    with pytest.raises(ValueError, match="l2_factors of each field needs to know which columns"):
        make("classifier", **settings).fit(X[:, 1:], y)


def test_errors_name_what_is_wrong():
    frame = table(60)
    y = targets("classifier", frame)
    for penalties, error, message in (
        ({"city": 1}, ValueError, "l2_factors names a column 'city', but X has no such column"),
        ([1, 2], ValueError, "l2_factors has 2 numbers, but there are 5 fields"),
        ({1.5: 1}, TypeError, "l2_factors must name columns by name or position, got 1.5"),
    ):
        for method in ("fit", "partial_fit"):
            with pytest.raises(error, match=message):
                getattr(make("classifier", solver=fm.Adam(l2_factors=penalties)), method)(frame, y)


# --- columns that come later ----------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_new_column_has_the_default(kind, variant, method):
    frame = table(120)
    y = targets(kind, frame)
    before, after = frame[["u", "v"]], frame[["u", "v", "w"]]
    solver = fm.AdaGrad(learning_rate=0.1, l2_factors={"u": 0.5})
    options = {"variant": variant, "warm_start": True, "epochs": (2, 1)}
    first = make(kind, solver=solver, **options).fit(before, y)
    rate = first._learner.rate_factor
    assert rate < 1
    getattr(first, method)(after, y)
    fitted = first._learner.hyperparameters.solver
    assert fitted.l2_factors == (0.5, DEFAULT, DEFAULT)
    assert first._learner.rate_factor == (rate if method == "partial_fit" else rate**2)
    # So it is where the column's penalty is given, as the default is or otherwise.
    for penalties, same in (
        ({"u": 0.5, "w": DEFAULT}, True),
        ([0.5, DEFAULT, DEFAULT], True),
        ({"u": 0.5, "w": 3.0}, False),
        (None, True),  # what the fit has is right
    ):
        other = make(kind, solver=solver, **options).fit(before, y)
        other.set_params(
            solver=None
            if penalties is None
            else fm.AdaGrad(learning_rate=0.1, l2_factors=penalties)
        )
        getattr(other, method)(after, y)
        assert other._learner.rate_factor == first._learner.rate_factor
        scores = scores_of(first, after), scores_of(other, after)
        assert np.array_equal(*scores) == same


def test_a_sequence_must_have_a_number_for_the_new_column():
    frame = table(60)
    y = targets("regressor", frame)
    model = make("regressor", solver=fm.Adam(l2_factors=[0.1, 0.2]), warm_start=True)
    model.fit(frame[["u", "v"]], y)
    before = scores_of(model, frame[["u", "v"]])
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="l2_factors has 2 numbers, but there are 3 fields"):
            getattr(model, method)(frame[["u", "v", "w"]], y)
        np.testing.assert_array_equal(scores_of(model, frame[["u", "v"]]), before)


def test_a_new_column_after_loading(tmp_path):
    frame = table(60)
    y = targets("regressor", frame)
    model = make("regressor", solver=fm.Adam(l2_factors={"u": 0.5})).fit(frame[["u", "v"]], y)
    model.save(tmp_path / "model", optimizer_state=True)
    loaded = fm.load(tmp_path / "model")
    for one in (model, loaded):
        one.partial_fit(frame, y)
    np.testing.assert_array_equal(scores_of(model, frame), scores_of(loaded, frame))


# --- columns by position --------------------------------------------------------------------------


def test_positions_are_those_of_the_table():
    frame = table(80)[["u", "v", "tags"]]
    y = targets("regressor", table(80))
    sizes = [[1.0] * len(tags) for tags in frame["tags"]]
    frame.insert(1, "sizes", sizes)
    encoder = fm.TableEncoder(list_weights={"tags": "sizes"})

    def fitted(penalties, pairs=None):
        solver = fm.Adam(l2_factors=penalties)
        options = {"solver": solver, "encoder": encoder, "variant": None, "pairs": pairs}
        return make("regressor", **options).fit(frame, y)

    for position, name in ((0, "u"), (2, "v"), (3, "tags")):
        one, two = fitted({position: 0.5}), fitted({name: 0.5})
        np.testing.assert_array_equal(one.V_, two.V_)
    one, two = (fitted(0.1, pairs=pairs) for pairs in ([(0, 2)], [("u", "v")]))
    np.testing.assert_array_equal(one.R_, two.R_)
    for key in (1, "sizes"):
        message = "names column 'sizes', which holds the weights of lists and is no field"
        with pytest.raises(ValueError, match=f"l2_factors {message}"):
            fitted({key: 0.5})
        with pytest.raises(ValueError, match=f"pairs {message}"):
            fitted(0.1, pairs=[("u", key)])


def test_a_column_is_named_once():
    frame = table(60)
    model = make("regressor", solver=fm.Adam(l2_factors={"v": 0.1, 1: 0.2}))
    with pytest.raises(ValueError, match="l2_factors names one field twice, by 'v' and by 1"):
        model.fit(frame, targets("regressor", frame))
