"""Parameters that are changed between a fit and one that goes on from it: none is ignored."""

import copy
import warnings

import numpy as np
import pytest
from estimating import assert_same, products, scores_of, targets
from scipy import sparse

import sparsefm as fm

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "batch_size": 16, "search": None}
GOING_ON = pytest.mark.parametrize("method", ["fit", "partial_fit"])


@pytest.fixture
def problem(kind):
    X, y = products()
    return X, targets(kind, y)


def begun(kind, problem, method, **settings):
    model = kind(**FAST | {"warm_start": True} | settings)
    return getattr(model, method)(*problem)


def gone_on(model, problem, method, **changes):
    other = copy.deepcopy(model).set_params(**changes)
    return getattr(other, method)(*problem)


@GOING_ON
@pytest.mark.parametrize(
    "change",
    [
        {"solver": fm.Adam(learning_rate=1e-9)},
        {"solver__learning_rate": 0.5},
        {"solver": fm.Adam(l2_linear=1e3)},
        {"solver": fm.AdaGrad()},
        {"solver": fm.Adam(updates="exact")},
        {"rank": 5},
        {"dtype": "float64"},
        {"batch_size": 60},
        {"random_state": 5},
    ],
    ids=str,
)
def test_a_change_counts(kind, problem, method, change):
    model = begun(kind, problem, method)
    same = scores_of(gone_on(model, problem, method), problem[0])
    changed = gone_on(model, problem, method, **change)
    assert not np.array_equal(scores_of(changed, problem[0]), same)
    assert changed.V_.shape[-1] == change.get("rank", 2)
    assert changed._models[0].dtype == change.get("dtype", "float32")
    again = copy.deepcopy(changed)
    assert_same(gone_on(changed, problem, method), getattr(again, method)(*problem), problem[0])


def test_a_tiny_learning_rate_leaves_it_as_it_was(kind, problem):
    model = begun(kind, problem, "fit")
    for change in ({"solver": fm.Adam(learning_rate=1e-30)}, {"dtype": "float64"}):
        still = {"solver": fm.Adam(learning_rate=1e-30)} | change
        moved = gone_on(model, problem, "fit", **still)
        np.testing.assert_allclose(
            scores_of(moved, problem[0]), scores_of(model, problem[0]), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("rank", [0, 2])
def test_a_larger_rank_keeps_the_factors_and_adds_random_ones(kind, problem, rank):
    X = problem[0].copy()
    X[:, 3] = 0
    X = sparse.csr_matrix(X)
    model = begun(kind, (X, problem[1]), "fit", rank=rank)
    still = {"solver": fm.Adam(learning_rate=1e-30, l2_factors=0)}
    larger = gone_on(model, (X, problem[1]), "fit", rank=6, **still)
    np.testing.assert_allclose(larger.V_[..., :rank], model.V_, rtol=1e-5)
    assert np.abs(larger.V_[..., :3, rank:]).min() > 1e-5
    assert not larger.V_[..., 3, :].any()  # which no row has
    learned = gone_on(model, (X, problem[1]), "fit", rank=6, epochs=60)
    assert learned.history_["train_loss"][-1] < model.history_["train_loss"][-1]


@GOING_ON
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rank": 1}, "rank is 1 now, but the fit to go on from has 2"),
        ({"init": "uniform"}, "init is 'uniform' now, but was 'normal'"),
        ({"init_scale": 0.3}, "init_scale is 0.3 now, but was 0.05"),
    ],
)
def test_what_cannot_count_is_refused(kind, problem, method, change, says):
    model = begun(kind, problem, method)
    with pytest.raises(ValueError, match=says) as error:
        gone_on(model, problem, method, **change)
    assert "fit anew" in str(error.value)
    gone_on(model, problem, "fit", warm_start=False, **change)


@GOING_ON
def test_losses(problem, method):
    X, y = products()
    model = begun(fm.FMRegressor, (X, y), method, loss="huber")
    same = gone_on(model, (X, y), method).predict(X)
    changed = gone_on(model, (X, y), method, loss=fm.losses.Huber(delta=0.01))
    assert not np.array_equal(changed.predict(X), same)
    with pytest.raises(ValueError, match="loss is 'squared' now, but was 'huber'"):
        gone_on(model, (X, y), method, loss="squared")
    two = begun(fm.FMClassifier, (X, y > 0), method)
    with pytest.raises(ValueError, match="loss is 'hinge' now"):
        gone_on(two, (X, y > 0), method, loss="hinge")


@GOING_ON
def test_another_encoder_is_told_of(kind, problem, method):
    model = begun(kind, problem, method)
    with pytest.warns(UserWarning, match="unknown, numeric|numeric, unknown"):
        gone_on(model, problem, method, encoder=fm.TableEncoder(unknown="error", numeric="spline"))
    with pytest.warns(UserWarning, match="unknown of the encoder changed"):
        gone_on(model, problem, method, encoder__unknown="error")


@GOING_ON
def test_what_is_left_open_or_the_same_is_no_change(kind, problem, method):
    model = begun(kind, problem, method)
    expected = gone_on(model, problem, method)
    found = vars(model).get("best_params_", {"rank": 2})
    for same in (
        {"rank": None, "solver": None, "batch_size": None},
        {"solver": fm.Adam(), "encoder": fm.TableEncoder(), "dtype": np.float32},
        {"init": "normal"},
        found,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_same(gone_on(model, problem, method, **same), expected, problem[0])


def test_changes_after_a_search_and_a_file(kind, problem, tmp_path, brief_search):
    model = kind(warm_start=True, rank=3).fit(*problem)
    model.save(tmp_path / "model", optimizer_state=True)
    for one in (model, fm.load(tmp_path / "model")):
        with pytest.raises(ValueError, match="rank is 1 now"):
            gone_on(one, problem, "fit", rank=1)
        assert gone_on(one, problem, "fit", rank=4).V_.shape[-1] == 4
        gone_on(one, problem, "fit", **model.best_params_)


def test_sampling_goes_on_with_its_rank(kind, problem):
    model = kind(rank=2, solver=fm.Gibbs(), epochs=12, warm_start=True).fit(*problem)
    gone_on(model, problem, "fit", epochs=3)
    for change in ({"rank": 3}, {"dtype": "float64"}, {"init_scale": 0.3}):
        with pytest.raises(ValueError, match=r"now, but was .* fit anew"):
            gone_on(model, problem, "fit", epochs=3, **change)
