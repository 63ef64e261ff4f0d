"""What all optimizers have in common: sensible batches, and settings that the dtype can hold."""

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.optimizers import check_optimizer


@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_an_epoch_of_adam_has_64_steps_within_limits(updates):
    solver = fm.Adam(updates=updates)
    sizes = {1: 16, 1024: 16, 1088: 17, 6400: 100, 65_536: 1024, 10**9: 1024}
    assert {rows: solver._batch_size_for(rows) for rows in sizes} == sizes


def test_batches_of_adagrad_are_smaller():
    sizes = {1: 16, 6400: 100, 65_536: 256}
    assert {rows: fm.AdaGrad()._batch_size_for(rows) for rows in sizes} == sizes


@pytest.mark.parametrize("name", ["learning_rate", "l2_linear", "l2_factors"])
@pytest.mark.parametrize("kind", [fm.Adam, fm.AdaGrad])
def test_settings_beyond_the_dtype_are_refused(kind, name):
    solver = kind(**{name: 1e39})
    with pytest.raises(ValueError, match=f"{name} of 1e.39 is too large for float32"):
        check_optimizer(solver, np.dtype("float32"))
    assert check_optimizer(solver, np.dtype("float64")) is solver
