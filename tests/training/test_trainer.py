"""The trainer of the extension checks what it is given before it writes anywhere."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import sparsefm as fm
from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.losses import Huber, Squared
from sparsefm.training.parameters import State

SETTINGS = _core.described(Squared()), _core.described(fm.Adam())


def state(optimizer, n_features=3, rank=2, dtype="float64"):
    return State.begin(n_features, rank, optimizer, dtype)


def trainer(of, optimizer=None, loss=None, threads=1):
    settings = _core.described(loss or Squared()), _core.described(optimizer or fm.Adam())
    return _core.Trainer(*settings, of.bias, of.scalars, of.factors, threads)


def planned(dtype="float64", columns=3, rows=4):
    X = as_csr(np.ones((rows, columns)), dtype)
    plan = _core.Plan(X, np.arange(rows), None, 2, np.dtype(dtype))
    plan.transpose(np.arange(2), 1)
    return plan


@dataclass(frozen=True, kw_only=True)
class OneMoment(fm.Adam):
    """Claims to need less memory than the core's Adam writes."""

    _moments: ClassVar[int] = 1
    _moment_starts: ClassVar[tuple[float]] = (0.0,)


def test_moments_are_the_core_s_own():
    """A subclass that said otherwise had Adam write behind its arrays."""
    with pytest.raises(ValueError, match=r"bias must have shape \(3, \), got \(2, \)"):
        trainer(state(OneMoment()), OneMoment())
    with pytest.raises(ValueError, match="bias must have shape"):
        fm.train(np.eye(4), np.arange(4.0), solver=OneMoment())
    with pytest.raises(ValueError, match="bias must have shape"):
        trainer(state(fm.AdaGrad()), fm.Adam())
    with pytest.raises(ValueError, match="bias must have shape"):
        trainer(state(fm.Adam()), fm.AdaGrad())


@pytest.mark.parametrize("part", ["bias", "scalars", "factors"])
def test_arrays_of_a_state_fit_together(part):
    good = state(fm.Adam())
    arrays = {"bias": good.bias, "scalars": good.scalars, "factors": good.factors}
    wrong = [arrays[part][:-1].copy(), arrays[part].astype(np.float32), arrays[part].tolist()]
    frozen = arrays[part].copy()
    frozen.flags.writeable = False
    for value in [*wrong, frozen]:
        with pytest.raises((ValueError, TypeError), match=r"bias|scalars|factors"):
            _core.Trainer(*SETTINGS, **arrays | {part: value}, threads=1)


def test_a_width_of_half_a_register_is_refused():
    good = state(fm.Adam())
    narrow = np.ascontiguousarray(good.factors[:, :, :3])
    with pytest.raises(ValueError, match="a multiple of 4"):
        _core.Trainer(*SETTINGS, good.bias, good.scalars, narrow, 1)


@dataclass(frozen=True, kw_only=True)
class Unknown(fm.Adam):
    """An optimizer that the core has not."""

    _core_name: ClassVar[str] = "no such optimizer"


@dataclass(frozen=True)
class Poisson(Squared):
    """A loss that the core has not."""

    name: ClassVar[str] = "poisson"


class Nameless(Huber):
    """A loss that does not tell its parameter."""

    _core_constants: ClassVar[dict[str, float]] = {}


def test_names_and_constants_that_the_core_does_not_know():
    with pytest.raises(ValueError, match="no such optimizer"):
        trainer(state(fm.Adam()), Unknown())
    with pytest.raises(ValueError, match="there is no 'poisson'"):
        trainer(state(fm.Adam()), loss=Poisson())
    with pytest.raises(ValueError, match="huber needs the constant 'delta'"):
        trainer(state(fm.Adam()), loss=Nameless())


def test_a_segment_fits_the_trainer():
    first = np.arange(2)
    made = trainer(state(fm.Adam()))
    with pytest.raises(ValueError, match="other features"):
        made.begin_segment(planned(columns=4), np.ones(4), first, 0, 0.1)
    with pytest.raises(ValueError, match="another type"):
        made.begin_segment(planned("float32"), np.ones(4), first, 0, 0.1)
    with pytest.raises(ValueError, match="targets must have shape"):
        made.begin_segment(planned(), np.ones(3), first, 0, 0.1)
    for batches in ([2], [0, 0]):
        with pytest.raises(ValueError, match="no such batch"):
            made.begin_segment(planned(), np.ones(4), np.array(batches), 0, 0.1)
    forgetful = planned()
    forgetful.forget(np.array([1]))
    with pytest.raises(ValueError, match="no transpose"):
        made.begin_segment(forgetful, np.ones(4), first, 0, 0.1)
    made.begin_segment(planned(), np.ones(4), first, 0, 0.1)
    for begin, end in ((0, 3), (-1, 1), (2, 1)):
        with pytest.raises(ValueError, match="no such steps"):
            made.run(begin, end, 0.0)


def test_a_trainer_keeps_what_it_borrows():
    made = trainer(state(fm.Adam()))
    made.begin_segment(planned(), np.ones(4), np.arange(2), 0, 0.1)
    clutter = [np.full((4, 3), np.nan) for _ in range(100)]
    plan, targets, again = planned(), np.ones(4), trainer(state(fm.Adam()))
    again.begin_segment(plan, targets, np.arange(2), 0, 0.1)
    assert made.run(0, 2, 0.0) == again.run(0, 2, 0.0) > 0
    assert len(clutter) == 100


def test_a_batch_that_is_forgotten_meanwhile_stays_for_its_segment():
    made, plan = trainer(state(fm.Adam())), planned()
    made.begin_segment(plan, np.ones(4), np.arange(2), 0, 0.1)
    plan.forget(np.arange(2))
    assert made.run(0, 2, 0.0) > 0
