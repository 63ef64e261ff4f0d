"""The race: who goes on, who ends and when, by whose losses, and which learning rates follow."""

from dataclasses import replace

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.losses import Squared
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import new_planner
from sparsefm.tuning import racing
from sparsefm.tuning.racing import Candidate, Fold, FoldTraining, Race, significant
from sparsefm.tuning.schedule import RATE_DECAY

LINEAR = Hyperparameters(0, fm.Adam(learning_rate=0.03), batch_size=32)
PRODUCTS = Hyperparameters(4, fm.Adam(learning_rate=0.03), batch_size=32)


def dataset(rows, outputs=1, seed=0, noise=0.1):
    """Return weighted rows whose targets are sums of products."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    y = X[:, 0] * X[:, 1] + X[:, 2] + noise * rng.normal(size=rows)
    targets = tuple((1.0 + output) * y for output in range(outputs))
    return Dataset.of(as_csr(X, np.float64), y, targets, rng.uniform(0.5, 2, rows))


def race(n_folds=1, **options):
    """Return a race over folds of 400 rows."""
    max_epochs = options.pop("max_epochs", 100)
    folds = [
        Fold(dataset(400, seed=2 * fold, **options), dataset(100, seed=2 * fold + 1, **options))
        for fold in range(n_folds)
    ]
    return Race(folds, Squared(), new_planner(0, 1), 0, 1, max_epochs)


def ended(losses, rank=4, row_losses=()):
    """Return a candidate that has such losses behind it."""
    return Candidate(Hyperparameters(rank), (), list(losses), np.array(row_losses))


# --- who is hopeless ------------------------------------------------------------------------------


def test_a_candidate_may_gain_three_times_what_its_second_half_gained():
    running = ended([10, 6, 5, 4.5])  # 6 - 4.5, three times: down to 0
    assert not running.is_hopeless(0.1)
    assert running.is_hopeless(-0.1)
    assert not ended([10]).is_hopeless(0.0)  # too early to tell


def test_a_hopeless_candidate_ends_at_once():
    stuck = replace(PRODUCTS, solver=fm.Adam(learning_rate=1e-9))
    ranked = race().run([stuck, PRODUCTS])
    assert [one.hyperparameters for one in ranked] == [PRODUCTS, stuck]
    assert len(ranked[0].losses) > 10
    assert len(ranked[1].losses) == 2  # two epochs show what it gains


def test_who_is_behind_but_gains_goes_on():
    slow = replace(PRODUCTS, solver=fm.Adam(learning_rate=0.008))
    ranked = race().run([LINEAR, slow])
    assert ranked[0].hyperparameters == slow
    assert ranked[0].losses[2] > ranked[1].losses[2]  # it was behind
    assert ranked[0].best < 0.5 * ranked[1].best


def test_the_leader_of_an_earlier_heat_ends_hopeless_candidates():
    (best, *_) = race().run([PRODUCTS])
    stuck = replace(LINEAR, solver=fm.Adam(learning_rate=1e-9))
    ranked = race().vary([best], {"solver": stuck.solver})
    assert ranked[0] is best
    assert len(ranked) > 1
    assert all(len(one.losses) == 2 for one in ranked[1:])


# --- when a candidate has settled -----------------------------------------------------------------


@pytest.mark.parametrize(("batch_size", "patience"), [(400, 10), (5, 8), (1, 3)])
def test_patience_is_640_steps_within_limits(monkeypatch, batch_size, patience):
    runs = []
    run_epoch = FoldTraining.run_epoch
    monkeypatch.setattr(FoldTraining, "run_epoch", lambda self: runs.append(0) or run_epoch(self))
    chosen = replace(LINEAR, batch_size=batch_size, solver=fm.Adam(learning_rate=0.3))
    (best,) = race(noise=3.0).stages(chosen, decays=0)
    assert len(runs) == best + patience < 100


def test_who_diverges_ends_at_once():
    wild = replace(PRODUCTS, solver=fm.Adam(learning_rate=1e200))
    ranked = race().run([wild, LINEAR])
    assert ranked[1].losses == [np.inf]
    assert np.isfinite(ranked[0].losses).all()


def test_no_candidate_runs_longer_than_it_may():
    (only,) = race(max_epochs=4).run([PRODUCTS])
    assert len(only.losses) == 4


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_loss_is_the_weighted_mean_over_rows_outputs_and_folds(outputs):
    raced = race(2, outputs=outputs, max_epochs=1)
    (candidate,) = raced.run([PRODUCTS])
    means = []
    for fold in raced.folds:
        training = FoldTraining(PRODUCTS, fold, raced)
        training.run_epoch()
        for trainer, target in zip(training.trainers, fold.validation.targets, strict=True):
            errors = trainer.state.scores(fold.validation.X) - target
            means.append(np.average(errors**2 / 2, weights=fold.validation.weights))
    assert len(means) == 2 * outputs
    # Each fold counts as much, whatever number of outputs it has.
    assert candidate.losses == pytest.approx([np.mean(means)])


def test_losses_of_rows_are_those_of_the_best_epoch():
    (candidate,) = race(noise=1.0).run([replace(PRODUCTS, solver=fm.Adam(learning_rate=0.2))])
    assert candidate.losses[-1] > candidate.best == candidate.losses[candidate.epochs - 1]
    assert candidate.row_losses.sum() == pytest.approx(candidate.best)


def test_finished_candidates_free_their_memory():
    assert [len(one.folds) for one in race().run([PRODUCTS, LINEAR])] == [0, 0]


# --- variations -----------------------------------------------------------------------------------


def test_variations_start_from_the_best_and_are_tried_once():
    raced = race(max_epochs=3)
    ranked = raced.vary(raced.run([LINEAR, PRODUCTS]), {"batch_size": 32})
    tried = [one.hyperparameters for one in ranked]
    assert len(set(tried)) == len(tried) > 5
    assert {one.batch_size for one in tried} == {32}
    assert np.array_equal([one.best for one in ranked], np.sort([one.best for one in ranked]))


# --- stages ---------------------------------------------------------------------------------------


def test_a_lower_rate_goes_on_from_the_snapshot():
    raced = race()
    training = FoldTraining(PRODUCTS, raced.folds[0], raced)
    training.run_epoch()
    snapshot, (trainer,) = training.snapshot(), training.trainers
    (kept,) = snapshot.copy().states
    steps = trainer.steps
    training.run_epoch()
    assert not np.array_equal(trainer.state.factors, kept.factors)
    training.lower_rate(snapshot)
    for part in ("bias", "scalars", "factors"):
        assert np.array_equal(getattr(trainer.state, part), getattr(kept, part))
    assert trainer.steps == steps == training.steps_per_epoch == 13
    assert trainer.learning_rate == RATE_DECAY * 0.03


@pytest.mark.parametrize(("rate", "noise"), [(0.5, 1.0), (0.1, 1.0), (0.03, 3.0), (1e-4, 0.1)])
def test_each_stage_improves_on_the_one_before(monkeypatch, rate, noise):
    found = []

    class Spy(Candidate):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            found.append(self)

    monkeypatch.setattr(racing, "Candidate", Spy)
    chosen = replace(PRODUCTS, solver=fm.Adam(learning_rate=rate))
    stages = race(noise=noise, max_epochs=30).stages(chosen)
    least = [stage.best for stage in found]
    assert stages == tuple(stage.epochs for stage in found[: len(stages)])
    assert (np.diff(least[: len(stages)]) < 0).all()
    assert len(stages) == 4 or least[len(stages)] >= least[len(stages) - 1]
    assert len(stages) > 1 or rate != 0.5


# --- the choice -----------------------------------------------------------------------------------


def rivals(excess, deviation, rank=4, rows=100):
    """Return the best, and a linear model that is worse by `excess` on average, row by row."""
    signs = np.resize([-1.0, 1.0], rows)
    worse = (1 + excess + deviation * signs) / rows
    best = ended([1.0], rank, np.ones(rows) / rows)
    return best, ended([1 + excess], 0, worse)


def test_linear_wins_within_two_standard_errors():
    for excess, wins in ((0.19, True), (0.21, False)):  # an error of 1 / sqrt(100)
        best, linear = rivals(excess, 1.0)
        assert significant([best, linear]) is (linear if wins else best)
    for excess, wins in ((0.019, True), (0.021, False)):
        best, linear = rivals(excess, 1.0, rows=10_000)
        assert significant([best, linear]) is (linear if wins else best)


def test_linear_may_not_be_worse_by_more_than_a_quarter():
    for excess, wins in ((0.24, True), (0.26, False)):
        best, linear = rivals(excess, 9.0)
        assert significant([best, linear]) is (linear if wins else best)


def test_only_a_linear_model_that_has_a_loss_can_win():
    best, linear = rivals(0.1, 1.0)
    failed = ended([np.inf], 0, [np.inf])
    assert significant([best, failed]) is best
    assert significant([best]) is best
    assert significant([linear, best]) is linear
    assert significant([best, linear, ended([1.3], 0, linear.row_losses)]) is linear
