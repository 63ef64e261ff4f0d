"""Classes that users derive from those of the package: they fit, but no file can hold them."""

import os
import pickle

import pytest
from estimating import QUICK, products

import sparsefm as fm
from sparsefm.losses import Huber

X, Y = products()


class MyAdam(fm.Adam):
    """Of this file alone."""


class MyGibbs(fm.Gibbs):
    """Of this file alone."""


class MyEncoder(fm.TableEncoder):
    """Of this file alone."""


class MyHuber(Huber):
    """Of this file alone."""


@pytest.mark.parametrize(
    ("name", "derived", "known", "method"),
    [
        ("solver", MyAdam(), "Adam", "fit"),
        ("solver", MyAdam(), "Adam", "partial_fit"),
        ("solver", MyGibbs(burn_in=0), "Gibbs", "fit"),
        ("encoder", MyEncoder(), "TableEncoder", "fit"),
        ("encoder", MyEncoder(), "TableEncoder", "partial_fit"),
        ("loss", MyHuber(), "Huber", "fit"),
        ("loss", MyHuber(), "Huber", "partial_fit"),
    ],
)
def test_derived_classes_fit_but_are_not_saved(tmp_path, name, derived, known, method):
    estimator = fm.FMRegressor(**{**QUICK, "batch_size": None, name: derived})
    getattr(estimator, method)(X, Y)
    cls = type(derived).__name__
    message = (
        rf"{name}={cls}\(\.\.\.\): it knows {known}, but .* Fit with {known} itself, or .*pickle"
    )
    with pytest.raises(TypeError, match=message):
        estimator.save(tmp_path / "file")
    again = pickle.loads(pickle.dumps(estimator))
    assert again.predict(X).tolist() == estimator.predict(X).tolist()
    estimator.set_params(
        **{name: "huber" if name == "loss" else None}
    )  # fitted with it all the same
    with pytest.raises(TypeError, match=message):
        estimator.save(tmp_path / "file")
    assert not os.listdir(tmp_path)


def test_a_derived_class_set_after_the_fit_is_not_saved(tmp_path):
    estimator = fm.FMRegressor(**QUICK).fit(X, Y)
    with pytest.raises(TypeError, match=r"solver=MyAdam\(\.\.\.\)"):
        estimator.set_params(solver=MyAdam()).save(tmp_path / "file")
    estimator.set_params(**QUICK).save(tmp_path / "file")
