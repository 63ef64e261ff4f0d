"""Parameters of parameters: ``solver__learning_rate``, ``encoder__n_bins`` and so on."""

import pickle

import numpy as np
import pytest
from estimating import products, scores_of, targets
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sparsefm as fm

FAST = {"rank": 2, "epochs": 4, "search": None}


# --- solvers --------------------------------------------------------------------------------------


def test_parameters_of_a_solver_are_listed(kind):
    estimator = kind(solver=fm.Gibbs(burn_in=3))
    assert estimator.get_params()["solver__burn_in"] == 3
    assert estimator.get_params()["solver__samples"] == 60
    assert not any("__" in name for name in estimator.get_params(deep=False))
    assert not any("__" in name for name in kind().get_params())
    assert estimator.get_params()["rank"] is None


def test_another_solver_takes_the_place_of_the_present_one(kind):
    solver = fm.AdaGrad(l2_factors=0.3)
    estimator = kind(solver=solver)
    assert estimator.set_params(solver__learning_rate=0.2, rank=3) is estimator
    assert estimator.solver == fm.AdaGrad(learning_rate=0.2, l2_factors=0.3)
    assert estimator.rank == 3
    assert solver == fm.AdaGrad(l2_factors=0.3)
    estimator.set_params(solver=fm.Gibbs(chains=2), solver__burn_in=1)
    assert estimator.solver == fm.Gibbs(chains=2, burn_in=1)
    assert estimator.set_params(**estimator.get_params()).solver == fm.Gibbs(chains=2, burn_in=1)
    assert estimator.set_params(solver=None).solver is None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"learning_rate": 0.1}, fm.Adam(learning_rate=0.1)),
        ({"l2_factors": 0.1, "epsilon": 1e-2}, fm.Adam(l2_factors=0.1, epsilon=1e-2)),
        (
            {"learning_rate": 0.1, "initial_accumulator": 2},
            fm.AdaGrad(learning_rate=0.1, initial_accumulator=2),
        ),
        ({"burn_in": 3}, fm.Gibbs(burn_in=3)),
    ],
)
def test_none_becomes_the_solver_that_has_the_parameters(kind, params, expected):
    for name in ("solver", "none"):
        given = {"solver": None} if name == "solver" else {}
        nested = {f"solver__{key}": value for key, value in params.items()}
        assert kind().set_params(**given, **nested).solver == expected


@pytest.mark.parametrize(
    ("solver", "params", "message"),
    [
        (fm.Adam(), {"rate": 1}, r"'rate' for solver Adam.*'l2_linear', 'learning_rate'"),
        (fm.Gibbs(), {"learning_rate": 1}, "for solver Gibbs.*'burn_in', 'chains'"),
        (fm.Adam(), {"beta1__x": 1}, "'beta1__x' for solver Adam"),
        (None, {"rate": 1}, "solver is None.*Adam: .*learning_rate.*AdaGrad: .*Gibbs: "),
        (None, {"learning_rate": 1, "burn_in": 2}, "solver is None"),
        ("adam", {"learning_rate": 1}, "'adam'"),
        (fm.Adam, {"learning_rate": 1}, "Adam"),
        (fm.Adam(), {"learning_rate": -1}, "learning_rate must be greater"),
    ],
)
def test_a_wrong_name_or_value_is_an_error_and_changes_nothing(kind, solver, params, message):
    estimator = kind(solver=solver)
    with pytest.raises(ValueError, match=message):
        estimator.set_params(rank=3, **{f"solver__{key}": value for key, value in params.items()})
    assert estimator.solver is solver
    assert estimator.rank is None
    with pytest.raises(ValueError, match="Invalid parameter 'solvers'"):
        estimator.set_params(solvers__learning_rate=1)


# --- encoders -------------------------------------------------------------------------------------


def test_none_becomes_an_encoder(kind):
    estimator = kind().set_params(encoder__n_bins=16, encoder__numeric="bin", rank=3)
    assert (estimator.encoder.n_bins, estimator.encoder.numeric) == (16, "bin")
    assert (estimator.encoder.unknown, estimator.rank) == ("ignore", 3)
    estimator.set_params(encoder__n_bins=8)
    assert (estimator.encoder.n_bins, estimator.encoder.numeric) == (8, "bin")
    estimator.set_params(encoder=None, encoder__n_bins=4)
    assert (estimator.encoder.n_bins, estimator.encoder.numeric) == (4, "auto")
    estimator.set_params(encoder=fm.TableEncoder(numeric="bin"), encoder__n_bins=4)
    assert (estimator.encoder.n_bins, estimator.encoder.numeric) == (4, "bin")
    assert estimator.get_params()["encoder__n_bins"] == 4


@pytest.mark.parametrize("encoder", [None, fm.TableEncoder()])
def test_a_wrong_name_of_an_encoder_is_an_error(kind, encoder):
    estimator = kind(encoder=encoder)
    with pytest.raises(ValueError, match=r"'bins' .*TableEncoder.*'n_bins'"):
        estimator.set_params(encoder__bins=3)
    assert estimator.encoder is encoder


# --- scikit-learn ---------------------------------------------------------------------------------


def test_clones_and_pickles_have_them(kind):
    estimator = kind().set_params(solver__learning_rate=0.2, encoder__n_bins=5)
    for again in (clone(estimator), pickle.loads(pickle.dumps(estimator))):
        assert again.solver == fm.Adam(learning_rate=0.2)
        assert again.encoder.n_bins == 5
    clone(estimator).set_params(solver__learning_rate=0.3, encoder__n_bins=6)
    assert estimator.solver == fm.Adam(learning_rate=0.2)
    assert estimator.encoder.n_bins == 5


@pytest.mark.parametrize("solver", [None, fm.Adam(l2_linear=0.0)])
def test_a_grid_of_nested_parameters_is_searched(kind, solver):
    X, y = products(200)
    y = targets(kind, y)
    estimator = kind(**FAST, solver=solver)
    grid = {"solver__learning_rate": [1e-6, 0.1], "encoder__n_bins": [4, 9]}
    if kind is fm.FMRegressor:
        grid["solver__l2_factors"] = [0.01]
    search = GridSearchCV(estimator.set_params(encoder__numeric="bin"), grid, cv=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores.tolist())) >= 3
    assert search.best_params_["solver__learning_rate"] == 0.1
    assert search.best_estimator_.solver.learning_rate == 0.1
    assert estimator.solver is solver
    assert estimator.encoder.n_bins == "auto"
    params = search.best_estimator_.get_params()
    direct = clone(estimator).set_params(**search.best_params_).fit(X, y)
    assert params["encoder__n_bins"] == search.best_params_["encoder__n_bins"]
    assert np.array_equal(scores_of(direct, X), scores_of(search.best_estimator_, X))


def test_a_grid_reaches_through_a_pipeline():
    X, y = products(200)
    pipeline = make_pipeline(FunctionTransformer(), fm.FMRegressor(**FAST))
    grid = {"fmregressor__solver__learning_rate": [1e-6, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    low, high = search.cv_results_["mean_test_score"]
    assert low < high - 0.05
    assert search.best_estimator_[-1].solver.learning_rate == 0.1
    assert pipeline[-1].solver is None


def test_a_grid_of_solvers_and_their_parameters():
    X, y = products(200)
    grid = [
        {"solver": [fm.AdaGrad()], "solver__learning_rate": [0.01, 0.1]},
        {"solver": [fm.Gibbs()], "solver__burn_in": [1, 2], "epochs": [8]},
    ]
    search = GridSearchCV(fm.FMRegressor(**FAST), grid, cv=2).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"].tolist())) == 4


def test_nested_parameters_are_saved(kind, tmp_path):
    X, y = products()
    estimator = kind(**FAST).set_params(solver__learning_rate=0.2, encoder__n_bins=5)
    estimator.fit(X, targets(kind, y)).save(tmp_path / "file")
    again = fm.load(tmp_path / "file")
    assert again.get_params(deep=False)["solver"] == fm.Adam(learning_rate=0.2)
    assert again.get_params()["encoder__n_bins"] == 5
