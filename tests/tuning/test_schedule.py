"""The learning rate falls where a stage begins, and nowhere else."""

from types import SimpleNamespace

import pytest

import sparsefm as fm
from sparsefm.tuning.schedule import RATE_DECAY, StagedRate


@pytest.mark.parametrize(
    ("stages", "falls"),
    [((3, 2, 4), [0, 0, 0, 1, 1, 2, 2, 2, 2]), ((4,), [0] * 4), ((1, 1), [0, 1])],
)
def test_each_epoch_has_the_rate_of_its_stage(stages, falls):
    training = SimpleNamespace(learning_rate=0.8)
    staged = StagedRate(stages)
    staged.begin(training)
    for epoch, stage in enumerate(falls, 1):
        assert staged.stage(epoch) == stage
        assert training.learning_rate == 0.8 * RATE_DECAY**stage
        staged(fm.Epoch(epoch, len(falls), 0.5))
    assert training.learning_rate == 0.8 * RATE_DECAY ** falls[-1]  # there is no stage after it
