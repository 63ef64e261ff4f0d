"""Trials: what an epoch of an optimizer and a sweep of a sampler say about validation rows."""

from dataclasses import replace

import numpy as np
import pytest
from raced import CONDITIONS, LINEAR, PRODUCTS, fold

import sparsefm as fm
from sparsefm.training.sampling_run import SamplingRun
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.schedule import RATE_DECAY
from sparsefm.tuning.trials import OptimizerTrial, SamplerTrial, begin


def dense(data):
    """Return all rows as a dense matrix."""
    X = np.zeros((data.X.n_rows, data.X.n_features))
    rows = np.repeat(np.arange(data.X.n_rows), np.diff(data.X.indptr))
    X[rows, data.X.indices] = data.X.values
    return X


def test_each_kind_of_settings_has_its_trial():
    assert isinstance(begin(PRODUCTS, fold(), CONDITIONS), OptimizerTrial)
    unweighted = fold(weighted=False)
    assert isinstance(begin(Sampling(4), unweighted, CONDITIONS), SamplerTrial)


@pytest.mark.parametrize("outputs", [1, 3])
def test_losses_are_shares_of_the_weighted_mean(outputs):
    part = fold(outputs=outputs)
    trial = begin(PRODUCTS, part, CONDITIONS)
    trial.run_epoch()
    losses = trial.run_epoch()
    weights = part.validation.weights
    errors = [
        trainer.state.scores(part.validation.X) - target
        for trainer, target in zip(trial.trainers, part.validation.targets, strict=True)
    ]
    assert len(errors) == outputs
    mean = np.square(errors).mean(axis=0) / 2
    assert losses == pytest.approx(mean * weights / weights.sum())


def test_losses_of_a_sampler_are_those_of_the_mean_of_its_samples():
    part = fold(weighted=False)
    trial = begin(Sampling(4), part, CONDITIONS)
    found = [trial.run_epoch().sum() for _ in range(9)]  # more than the burn-in
    epochs = []
    fm.train(
        dense(part.training),
        part.training.y,
        X_val=dense(part.validation),
        y_val=part.validation.y,
        task="regression",
        rank=4,
        solver=fm.Gibbs(),
        epochs=9,
        dtype="float64",
        callbacks=[epochs.append],
    )
    assert found == pytest.approx([epoch.val_loss for epoch in epochs])


@pytest.mark.parametrize("outputs", [1, 2])
def test_sizes_of_factors(outputs):
    trial = begin(PRODUCTS, fold(outputs=outputs), CONDITIONS)
    trial.run_epoch()
    squares = sum(np.square(trainer.state.V).sum() for trainer in trial.trainers)
    assert squares > 0
    assert trial.size_of_factors() == pytest.approx(squares)
    assert begin(LINEAR, fold(), CONDITIONS).size_of_factors() == 0
    assert begin(Sampling(4), fold(weighted=False), CONDITIONS).size_of_factors() == 0


@pytest.mark.parametrize("error", [fm.DivergenceError, OverflowError])
def test_who_diverges_has_an_infinite_loss(monkeypatch, error):
    wild = replace(PRODUCTS, solver=fm.Adam(learning_rate=1e200))
    assert begin(wild, fold(), CONDITIONS).run_epoch().tolist() == [np.inf]

    def fail(self):
        raise error("")

    monkeypatch.setattr(SamplingRun, "sweep", fail)
    sampler = begin(Sampling(4), fold(weighted=False), CONDITIONS)
    assert sampler.run_epoch().tolist() == [np.inf]


def test_batches_count_as_steps_and_so_does_a_sweep():
    assert begin(PRODUCTS, fold(), CONDITIONS).steps_per_epoch == 13  # 400 rows, 32 at a time
    assert begin(Sampling(4), fold(weighted=False), CONDITIONS).steps_per_epoch == 1


def test_a_lower_rate_goes_on_from_the_snapshot():
    trial = begin(PRODUCTS, fold(), CONDITIONS)
    trial.run_epoch()
    snapshot, (trainer,) = trial.snapshot(), trial.trainers
    (kept,) = snapshot.copy().states
    steps = trainer.steps
    trial.run_epoch()
    assert not np.array_equal(trainer.state.factors, kept.factors)
    trial.lower_rate(snapshot)
    for part in ("bias", "scalars", "factors"):
        assert np.array_equal(getattr(trainer.state, part), getattr(kept, part))
    assert trainer.steps == steps == trial.steps_per_epoch
    assert trainer.learning_rate == RATE_DECAY * 0.03
