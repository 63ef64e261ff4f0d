"""The race: who goes on, who ends and when, by whose losses, and which learning rates follow."""

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from raced import LINEAR, PRODUCTS, STUCK, ended, race, sampled

import sparsefm as fm
from sparsefm.tuning import racing
from sparsefm.tuning.numbers import CHOICES
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.racing import (
    FEWEST_SWEEPS,
    Candidate,
    excess,
    may_be_equal,
    plain_if_equal,
    significant,
)
from sparsefm.tuning.trials import OptimizerTrial, begin

# --- who is hopeless ------------------------------------------------------------------------------


def test_a_candidate_may_gain_three_times_what_its_second_half_gained():
    running = ended([10, 6, 5, 4.5])  # 6 - 4.5, three times: down to 0
    assert not running.is_hopeless(0.1, 640)
    assert running.is_hopeless(-0.1, 640)


@pytest.mark.parametrize(("steps", "fewest"), [(1, 10), (100, 6), (1000, 3)])
def test_it_is_too_early_to_tell_before_640_steps(steps, fewest):
    """Factors may need so many to leave the saddle, whatever a leader that has ended reached."""
    losses = np.full(fewest, 10.0)
    assert ended(losses).is_hopeless(0.0, steps)
    assert not ended(losses[1:]).is_hopeless(0.0, steps)
    assert ended([np.inf]).is_hopeless(0.0, steps)


def test_a_hopeless_candidate_ends_soon():
    ranked = race().run([STUCK, PRODUCTS])
    assert [one.settings for one in ranked] == [PRODUCTS, STUCK]
    assert len(ranked[0].losses) > 10
    ranked = race().run([PRODUCTS, STUCK])
    assert [one.settings for one in ranked] == [PRODUCTS, STUCK]
    assert len(ranked[1].losses) == 10  # of 13 steps
    assert [one.outcome for one in ranked] == ["complete", "stopped: behind"]


def test_who_is_behind_but_gains_goes_on():
    slow = replace(PRODUCTS, solver=fm.Adam(learning_rate=0.008))
    ranked = race().run([LINEAR, slow])
    assert ranked[0].settings == slow
    assert ranked[0].losses[2] > ranked[1].losses[2]  # it was behind
    assert ranked[0].best < 0.5 * ranked[1].best


def test_a_leader_of_before_ends_hopeless_candidates():
    (best,) = race().run([PRODUCTS])
    (stuck,) = race().run([STUCK], best.best)
    assert len(stuck.losses) == 10
    assert len(race().run([STUCK])[0].losses) > 10


def test_a_sampler_has_some_sweeps_before_it_is_stopped():
    losses = np.ones(FEWEST_SWEEPS)
    assert sampled(losses).is_hopeless(0.5, 1)
    assert not sampled(losses[1:]).is_hopeless(0.5, 1)
    assert ended(losses[1:]).is_hopeless(0.5, 1)
    assert sampled([np.inf]).is_hopeless(0.5, 1)
    (candidate,) = race(weighted=False).run([Sampling(0)], leader=1e-3)
    assert len(candidate.losses) == FEWEST_SWEEPS
    assert candidate.outcome == "stopped: behind"


# --- when a candidate has settled -----------------------------------------------------------------


@pytest.mark.parametrize(("steps", "patience"), [(1, 10), (80, 8), (1000, 3)])
def test_patience_is_640_steps_within_limits(steps, patience):
    assert ended([1, 0.5, *[0.6] * patience]).has_settled(steps)
    assert not ended([1, 0.5, *[0.6] * (patience - 1)]).has_settled(steps)
    assert ended([1, 0.5, np.inf]).has_settled(steps)


def test_a_sampler_does_all_of_its_sweeps():
    assert not sampled([1, 0.5, *[0.6] * 40]).has_settled(1)
    assert sampled([1, np.inf]).has_settled(1)
    (candidate,) = race(weighted=False).run([Sampling(2, epochs=12)])
    assert len(candidate.losses) == candidate.epochs == 12


def test_the_loss_of_a_sampler_is_its_last():
    assert sampled([3, 1, 2]).best == 2
    assert sampled([3, 1, 2]).epochs == 3
    assert ended([3, 1, 2]).best == 1
    assert ended([3, 1, 2]).epochs == 2
    assert ended([]).best == sampled([]).best == np.inf
    assert ended([]).epochs == sampled([]).epochs == 0


def test_who_diverges_ends_at_once():
    wild = replace(PRODUCTS, solver=fm.Adam(learning_rate=1e200))
    ranked = race().run([wild, LINEAR])
    assert ranked[1].losses == [np.inf]
    assert ranked[1].outcome == "diverged"
    assert np.isfinite(ranked[0].losses).all()


def test_no_training_runs_longer_than_it_may():
    (only,) = race(race={"max_epochs": 4}).run([PRODUCTS])
    assert len(only.losses) == 4


# --- plateaus -------------------------------------------------------------------------------------


class Plateau:
    """A trial whose loss stands still while its factors grow, and then falls."""

    steps_per_epoch = 1000

    def __init__(self, growth, length):
        self.epoch, self.growth, self.length = 0, growth, length

    def run_epoch(self):
        self.epoch += 1
        return np.array([1.0 if self.epoch <= self.length else 0.5])

    def size_of_factors(self):
        return self.growth**self.epoch


@pytest.mark.parametrize(
    ("patient", "growth", "found"), [(True, 1.05, True), (True, 1.001, False), (False, 1.05, False)]
)
def test_a_training_that_leaves_a_saddle_is_not_stopped(monkeypatch, patient, growth, found):
    monkeypatch.setattr(racing, "begin", lambda *_: Plateau(growth, 20))
    (candidate,) = race(race={"patient": patient}).run([PRODUCTS], leader=0.9)
    assert (candidate.best == 0.5) is found
    assert (candidate.outcome == "complete") is found


def test_a_training_that_gets_worse_is_on_no_plateau(monkeypatch):
    class Worse(Plateau):
        def run_epoch(self):
            self.epoch += 1
            return np.array([1 + 0.003 * self.epoch])

    monkeypatch.setattr(racing, "begin", lambda *_: Worse(1.05, 20))
    (candidate,) = race(race={"patient": True}).run([PRODUCTS])
    assert len(candidate.losses) == 4  # a patience of three epochs


@pytest.mark.parametrize("patient", [True, False])
def test_the_first_stage_waits_on_a_plateau_too(monkeypatch, patient):
    class Staged(Plateau):
        def snapshot(self):
            return self.epoch

        def lower_rate(self, snapshot):
            pass

    monkeypatch.setattr(racing, "OptimizerTrial", lambda *_: Staged(1.05, 20))
    raced = race(race={"patient": patient, "max_epochs": 30})
    assert raced.stages(PRODUCTS, decays=0) == ((21,) if patient else (1,))


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_loss_is_the_mean_over_outputs_and_folds(outputs):
    raced = race(2, outputs=outputs, race={"max_epochs": 1})
    (candidate,) = raced.run([PRODUCTS])
    found = [begin(PRODUCTS, part, raced.conditions).run_epoch() for part in raced.folds]
    assert [len(losses) for losses in found] == [100, 100]  # rows, each with its mean
    assert candidate.losses == pytest.approx([np.concatenate(found).sum() / 2])


def test_losses_of_rows_are_those_of_the_best_epoch():
    (candidate,) = race(noise=1.0).run([replace(PRODUCTS, solver=fm.Adam(learning_rate=0.2))])
    assert candidate.losses[-1] > candidate.best == candidate.losses[candidate.epochs - 1]
    assert candidate.row_losses.sum() == pytest.approx(candidate.best)
    (candidate,) = race(weighted=False).run([Sampling(2, epochs=9)])
    assert candidate.row_losses.sum() == pytest.approx(candidate.losses[-1])


# --- one after the other --------------------------------------------------------------------------


def test_one_candidate_is_in_memory_at_a_time(monkeypatch):
    begun, alive = [], []

    def spy(settings, part, conditions):
        gc.collect()
        alive.append(sum(trial() is not None for trial in begun))
        trial = begin(settings, part, conditions)
        begun.append(weakref.ref(trial))
        return trial

    monkeypatch.setattr(racing, "begin", spy)
    race(3, weighted=False, race={"max_epochs": 2}).run([LINEAR, Sampling(2), PRODUCTS])
    assert alive == [0, 1, 2] * 3  # the folds of one candidate


def test_a_candidate_is_reported_at_its_end_and_says_what_it_was():
    told = []
    raced = race(race={"report": told.append, "numeric": CHOICES[0], "max_epochs": 3})
    ranked = raced.run([LINEAR, PRODUCTS])
    assert [one.settings for one in told] == [LINEAR, PRODUCTS]
    assert {id(one) for one in told} == {id(one) for one in ranked}
    assert all(one.seconds > 0 for one in told)
    assert {one.rows for one in told} == {400}
    line = str(told[1])
    for part in ("search: standardize(clip), Adam, rank 4, 400 rows", "3 epochs", "complete"):
        assert part in line
    assert "standardize" not in str(ended([1.0]))


def test_no_candidate_is_begun_after_the_deadline_but_the_first():
    brief = {"max_epochs": 2}
    late = race(race=brief, conditions={"deadline": time.perf_counter() - 1})
    assert [one.settings for one in late.run([LINEAR, PRODUCTS])] == [LINEAR]
    assert late.run([LINEAR, PRODUCTS], leader=1.0) == []
    assert len(race(race=brief).run([LINEAR, PRODUCTS], leader=1.0)) == 2


def test_a_pool_trains_large_folds_at_the_same_time_and_changes_no_bit(monkeypatch):
    threads = set()
    run_epoch = OptimizerTrial.run_epoch

    def spy(self):
        threads.add(threading.current_thread())
        return run_epoch(self)

    monkeypatch.setattr(OptimizerTrial, "run_epoch", spy)
    alone = race(4, race={"max_epochs": 3}).run([PRODUCTS, LINEAR])
    for large, pooled in ((1_000, True), (10_000, False)):  # a fold has 1,600 entries
        monkeypatch.setattr(racing, "LARGE_FOLD", large)
        threads.clear()
        with ThreadPoolExecutor(2) as pool:
            found = race(4, race={"max_epochs": 3}, conditions={"pool": pool, "threads": 2})
            together = found.run([PRODUCTS, LINEAR])
        assert (threading.main_thread() not in threads) is pooled
        assert [a.losses for a in alone] == [b.losses for b in together]


# --- variations -----------------------------------------------------------------------------------


def test_variations_start_from_the_best_and_are_tried_once():
    raced = race(race={"max_epochs": 3})
    ranked = raced.vary(raced.run([LINEAR, PRODUCTS])[0], {"batch_size": 32}, rounds=2)
    tried = [one.settings for one in ranked]
    assert len(set(tried)) == len(tried) > 5
    assert {one.batch_size for one in tried} == {32}
    assert np.array_equal([one.best for one in ranked], np.sort([one.best for one in ranked]))


def test_the_best_variation_is_varied_again():
    raced = race(race={"max_epochs": 3})
    (best,) = raced.run([replace(PRODUCTS, solver=fm.Adam(learning_rate=0.001))])

    def rates(rounds):
        return max(one.settings.solver.learning_rate for one in raced.vary(best, {}, rounds))

    assert [rates(rounds) for rounds in (0, 1, 2)] == [0.001, 0.002, 0.004]


def test_variations_end_where_none_is_better():
    (best,) = race().run([PRODUCTS])
    ranked = race().vary(best, {"solver": STUCK.solver}, rounds=9)
    assert ranked[0] is best
    assert len(ranked) > 1
    assert {one.outcome for one in ranked[1:]} == {"stopped: behind"}
    assert max(len(one.losses) for one in ranked[1:]) < 20


# --- stages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "noise"), [(0.5, 1.0), (0.1, 1.0), (0.03, 3.0), (1e-4, 0.1)])
def test_each_stage_improves_on_the_one_before(monkeypatch, rate, noise):
    found = []

    class Spy(Candidate):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            found.append(self)

    monkeypatch.setattr(racing, "Candidate", Spy)
    chosen = replace(PRODUCTS, solver=fm.Adam(learning_rate=rate))
    stages = race(noise=noise, race={"max_epochs": 30}).stages(chosen)
    least = [stage.best for stage in found]
    assert stages == tuple(stage.epochs for stage in found[: len(stages)])
    assert (np.diff(least[: len(stages)]) < 0).all()
    assert len(stages) == 4 or least[len(stages)] >= least[len(stages) - 1]
    assert len(stages) > 1 or rate != 0.5


def test_stages_end_after_patience(monkeypatch):
    runs = []
    run_epoch = OptimizerTrial.run_epoch
    monkeypatch.setattr(OptimizerTrial, "run_epoch", lambda self: runs.append(0) or run_epoch(self))
    chosen = replace(LINEAR, solver=fm.Adam(learning_rate=0.3))
    (best,) = race(noise=3.0).stages(chosen, decays=0)
    assert len(runs) == best + 10 < 100


# --- the choice -----------------------------------------------------------------------------------


def rivals(more, deviation, rank=4, rows=100):
    """Return the best, and a linear model that is worse by `more` on average, row by row."""
    signs = np.resize([-1.0, 1.0], rows)
    worse = (1 + more + deviation * signs) / rows
    best = ended([1.0], rank, np.ones(rows) / rows)
    return best, ended([1 + more], 0, worse)


def test_the_excess_and_its_error():
    best, linear = rivals(0.19, 2.0)
    assert excess(linear, best) == pytest.approx((0.19, 0.2))  # 2 / sqrt(100)
    assert excess(ended([np.inf], 0, [np.inf]), best) == (np.inf, 0.0)


def test_candidates_may_be_equal_within_a_standard_error():
    for more, equal in ((0.09, True), (0.11, False)):
        best, other = rivals(more, 1.0)
        assert may_be_equal(other, best) is equal
    assert may_be_equal(best, best)
    assert not may_be_equal(ended([np.inf], 0, [np.inf] * 100), best)


def test_linear_wins_within_two_standard_errors():
    for more, wins in ((0.19, True), (0.21, False)):  # an error of 1 / sqrt(100)
        best, linear = rivals(more, 1.0)
        assert significant([best, linear]) is (linear if wins else best)
    for more, wins in ((0.019, True), (0.021, False)):
        best, linear = rivals(more, 1.0, rows=10_000)
        assert significant([best, linear]) is (linear if wins else best)


def test_linear_may_not_be_worse_by_more_than_a_quarter():
    for more, wins in ((0.24, True), (0.26, False)):
        best, linear = rivals(more, 9.0)
        assert significant([best, linear]) is (linear if wins else best)


@pytest.mark.parametrize(("more", "wins"), [(0.19, True), (0.21, False)])
def test_weights_of_fields_must_be_better_by_two_standard_errors(more, wins):
    weighted, plain = rivals(more, 1.0)  # an error of 1 / sqrt(100)
    plain.settings = replace(plain.settings, rank=4)
    weighted.settings = replace(weighted.settings, variant="fwfm")
    linear = ended([2.0], 0, 2 * weighted.row_losses)
    candidates = [weighted, plain, linear]
    near = ended([plain.best + 0.1], 0, plain.row_losses + weighted.row_losses * 0.1)
    assert significant([*candidates[:2], near]).settings.rank == 4  # equal to plain, but not best
    assert plain_if_equal(candidates) is (plain if wins else weighted)
    assert significant(candidates) is (plain if wins else weighted)
    assert plain_if_equal([plain, weighted]) is plain
    assert plain_if_equal([weighted, linear]) is weighted


def test_only_a_linear_model_that_has_a_loss_can_win():
    best, linear = rivals(0.1, 1.0)
    failed = ended([np.inf], 0, [np.inf])
    assert significant([best, failed]) is best
    assert significant([best]) is best
    assert significant([linear, best]) is linear
    assert significant([best, linear, ended([1.3], 0, linear.row_losses)]) is linear
