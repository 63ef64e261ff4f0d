"""The portfolio, and variations of a candidate in one hyperparameter."""

from dataclasses import replace

import pytest

import sparsefm as fm
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.start import LARGEST_SCALE
from sparsefm.tuning.portfolio import FEW, LARGEST_RANK, PAIRS, PORTFOLIO, Sampling, variations


def differences(a, b):
    """Return which hyperparameters differ."""
    flat = [vars(one) | vars(one.solver) | {"solver": None} for one in (a, b)]
    return {name for name in flat[0] if flat[0][name] != flat[1][name]}


@pytest.mark.parametrize("best", PORTFOLIO)
def test_a_variation_differs_in_one_hyperparameter(best):
    found = list(variations(best))
    changed = [differences(best, other) for other in found]
    assert all(len(names) == 1 for names in changed)
    names = set().union(*changed)
    assert {"learning_rate", "l2_linear", best.solver._damping, "rank"} <= names
    assert ({"l2_factors", "init_scale"} <= names) is (best.rank > 0)


def test_rank_and_scale_have_an_end():
    largest = Hyperparameters(LARGEST_RANK, fm.Adam(), "normal", LARGEST_SCALE)
    found = list(variations(largest))
    assert {one.rank for one in found} == {LARGEST_RANK}
    assert max(one.init_scale for one in found) == LARGEST_SCALE
    assert {one.rank for one in variations(replace(largest, rank=100))} == {100}
    assert {one.rank for one in variations(replace(largest, rank=0))} == {0, 8}


def test_linear_candidates_come_first():
    ranks = [one.rank for one in PORTFOLIO]
    assert ranks[0] == 0 < ranks[-1]
    assert ranks == sorted(ranks)
    assert set(FEW) < set(PORTFOLIO)
    assert {one.rank > 0 for one in FEW} == {False, True}
    assert PAIRS.rank > 0


def test_samplers_are_candidates_of_their_own():
    assert Sampling(8) == Sampling(8) != Sampling(16)
    assert Sampling(8).epochs == fm.Gibbs.default_epochs
    assert len({Sampling(8), Sampling(8), PORTFOLIO[0]}) == 2
