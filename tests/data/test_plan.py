"""Training whose plans of batches do not fit into memory together."""

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm import _core, interrupts
from sparsefm.training import trainer

TrainingRun = _core.TrainingRun


def planned_in(monkeypatch, budget, **options):
    """Train with a budget of so many bytes; return the model and the sizes of the segments."""
    segments = []

    class Run(TrainingRun):
        def begin_segment(self, order, *arguments):
            segments.append(len(order))
            assert self.count_planned(order, budget) == len(order)
            return super().begin_segment(order, *arguments)

    monkeypatch.setattr(_core, "TrainingRun", Run)
    monkeypatch.setattr(trainer, "PLAN_BUDGET", budget)
    X = sparse.random(500, 40, 0.1, "csr", random_state=0, dtype=np.float64)
    y = np.arange(500) % 2
    model = fm.train(X, y, task="binary", epochs=3, batch_size=16, dtype="float64", **options)
    return model, segments


@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_segments_change_nothing(monkeypatch, updates):
    whole, one = planned_in(monkeypatch, 1 << 30, solver=fm.Adam(updates=updates))
    assert one == [32] * 3
    for budget in (1, 3000, 10_000):
        parts, segments = planned_in(monkeypatch, budget, solver=fm.Adam(updates=updates))
        assert sum(segments) == 32 * 3
        assert len(segments) > 6
        assert (max(segments) == 1) == (budget == 1)
        np.testing.assert_allclose(parts.V, whole.V, rtol=0, atol=0 if updates == "lazy" else 1e-12)
        np.testing.assert_allclose(
            [epoch.train_loss for epoch in parts.history],
            [epoch.train_loss for epoch in whole.history],
            rtol=1e-12,
        )


def test_segments_do_not_depend_on_threads_or_on_how_fast_they_are_planned(monkeypatch):
    found = []
    for n_threads, seconds in ((1, 0.1), (2, 1e-9), (3, 1e9)):
        monkeypatch.setattr(interrupts, "SECONDS_PER_CALL", seconds)
        model, segments = planned_in(
            monkeypatch, 5000, solver=fm.Adam(updates="exact"), n_threads=n_threads
        )
        found.append((model.V.tobytes(), segments))
    assert len({str(part) for part in found}) == 1
