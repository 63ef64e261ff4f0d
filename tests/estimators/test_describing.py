"""`describe`: what was fitted and why, and what it leaves out where nothing is known."""

import numpy as np
import pytest
from estimating import products, targets

import sparsefm as fm

EVERYTHING = {"rank": 2, "solver": fm.Adam(), "init": "normal", "init_scale": 0.05}


def lines(estimator):
    return dict(line.strip().split(None, 1) for line in estimator.describe().splitlines()[1:])


def test_a_search_in_a_few_lines(kind, brief_search):
    X, y = products(150)
    estimator = kind().fit(X, targets(kind, y))
    said = lines(estimator)
    assert estimator.describe().splitlines()[0] == kind.__name__
    assert "4 columns" in said["data"]
    assert "135 training rows" in said["data"]
    assert f"numeric='{estimator.encoder_.numeric}'" in said["numbers"]
    assert f"{len(estimator.search_['loss'])} candidates" in said["search"]
    assert said["choice"].startswith("interactions: validation ")
    assert ("RMSE" if kind is fm.FMRegressor else "log loss") in said["choice"]
    assert f"{estimator.n_iter_} epochs" in said["training"]


def test_the_rmse_is_in_the_users_units(brief_search):
    X, y = products(150)
    one, thousand = (fm.FMRegressor().fit(X, unit * y).describe() for unit in (1, 1024))
    figures = [float(text.split("RMSE ")[-1].split()[0]) for text in (one, thousand)]
    assert figures[1] == pytest.approx(1024 * figures[0], rel=1e-3)


@pytest.mark.parametrize("options", [{"search": None}, {}, {"epochs": 2}])
def test_without_candidates_nothing_is_said_of_them(kind, options):
    X, y = products(60)
    encoder = fm.TableEncoder(numeric="standardize", clip=False)
    settings = EVERYTHING if options != {"search": None} else {}
    estimator = kind(encoder=encoder, **settings, **options).fit(X, targets(kind, y))
    assert "choice" not in lines(estimator)
    assert "inf" not in estimator.describe()
    assert "nan" not in estimator.describe()


def test_a_linear_model_says_so(kind):
    X, y = products(60)
    estimator = kind(rank=0, search=None).fit(X, targets(kind, y))
    assert lines(estimator)["model"].startswith("linear (rank 0)")
    with pytest.raises(Exception, match="not fitted"):
        kind().describe()


def test_a_plot_of_a_race(kind, brief_search):
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    from sparsefm import plots

    X, y = products(60)
    estimator = kind().fit(X, targets(kind, y))
    axes = plots.race(estimator)
    assert len(axes.lines) == estimator.search_["stage"].count("model")
    widths = [line.get_linewidth() for line in axes.lines]
    assert widths.count(2.5) == estimator.search_["outcome"].count("chosen") - 1  # the encoding's
    encoder = fm.TableEncoder(numeric="standardize", clip=False)
    for alone in (
        kind(search=None).fit(X, targets(kind, y)),
        kind(encoder=encoder, **EVERYTHING).fit(X, targets(kind, y)),
    ):
        with pytest.raises(ValueError, match="no search"):
            plots.race(alone)
    assert np.isfinite(axes.get_ylim()).all()
    pyplot.close(axes.figure)
