"""The mathematics of `fold_in`: many categories, large weights, and scores far from zero."""

import copy

import numpy as np
import pandas as pd
import pytest
from catalogue import fitted, table

from sparsefm.estimators import folding


@pytest.mark.parametrize("name", ["fm", "ffm", "gibbs"])
@pytest.mark.parametrize("at_once", [1, 2000, folding.AT_ONCE])
def test_many_categories_are_learned_as_each_alone(name, at_once, monkeypatch):
    monkeypatch.setattr(folding, "AT_ONCE", at_once)
    rows = table().assign(user=[f"new {number % 23}" for number in range(len(table()))])
    y = np.random.default_rng(0).integers(0, 2, len(rows))
    weights = np.arange(len(rows)) % 3.0
    both, alone = copy.deepcopy(fitted(name)), copy.deepcopy(fitted(name))
    both.fold_in(rows, y, column="user", sample_weight=weights)
    for user in pd.unique(rows["user"]):
        own = (rows["user"] == user).to_numpy()
        alone.fold_in(rows[own], y[own], column="user", sample_weight=weights[own])
    np.testing.assert_allclose(both.predict(rows), alone.predict(rows), rtol=1e-5, atol=1e-6)


def test_many_categories_need_few_passes_over_the_rows(monkeypatch):
    """The rows of all users are looked at together, not once for each user."""
    model, looked = copy.deepcopy(fitted("fm")), []
    lines = folding.Machines.lines
    monkeypatch.setattr(
        folding.Machines, "lines", lambda *given: looked.append(given[1].shape) or lines(*given)
    )
    rows = table().assign(user=[f"new {number}" for number in range(len(table()))])
    model.fold_in(rows, np.arange(len(rows)) % 2, column="user")
    assert [shape[0] for shape in looked] == [len(rows)]
