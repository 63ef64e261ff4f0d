"""Chains that can be repeated, interrupted and continued: the same bits each time."""

import pickle

import numpy as np
import pytest
from rated import TASKS, assert_same, ratings, sample, targets

import sparsefm as fm
from sparsefm.sampling.samples import Thinned


@pytest.mark.parametrize(
    "change", ["rows", "targets", "order", "units", "values", "fields", "weights"]
)
def test_sampling_goes_on_with_the_same_data_only(change):
    data = ratings()
    model = sample(data)
    options = {"init": model, "rank": None}
    if change == "rows":
        options["train"] = slice(1, 3001)
    elif change == "targets":
        data = data._replace(y=data.y**2)
    elif change == "order":
        data.y[:3000] = data.y[2999::-1]
    elif change == "units":
        data = data._replace(y=1024 * data.y)
    elif change == "values":
        data = data._replace(X=1024 * data.X)
    elif change == "fields":
        options["fields"] = np.zeros(data.X.shape[1], int)
    else:
        options["sample_weight"] = np.arange(1, 3001)
    with pytest.raises(ValueError, match="others"):
        sample(data, **options)


def test_fewer_samples_are_kept_from_then_on():
    data = ratings()
    model = sample(data, epochs=30)
    assert len(model.samples) == 25
    options = {"init": model, "rank": None, "epochs": 1}
    assert len(sample(data, solver=fm.Gibbs(samples=8), **options).samples) <= 8


def test_kept_sweeps_are_spread_and_late():
    kept = Thinned(3)
    expected = [[1], [1, 2], [1, 2, 3], [2, 4], [2, 4], [2, 4, 6], [2, 4, 6], [4, 8], [4, 8]]
    for sweep, sweeps in enumerate(expected, 1):
        kept.add([sweep])
        assert kept.kept == [[number] for number in sweeps]
    last = Thinned(1)
    for sweep in range(1, 12):
        last.add([sweep])
    assert last.kept == [[8]]


def test_a_snapshot_can_be_restored_twice():
    data = ratings()
    seen = []

    class Rewind:
        def begin(self, training):
            self.training = training

        def __call__(self, epoch):
            if epoch.epoch == 8:
                self.snapshot = self.training.snapshot()
            if epoch.epoch in (11, 14):
                self.training.restore(self.snapshot)
                seen.append(self.training.model)
            if epoch.epoch == 17:
                seen.append(self.training.model)

    sample(data, epochs=17, callbacks=[Rewind()])
    assert_same(seen[0], seen[1], data.X)
    assert [len(model.samples) for model in seen] == [3, 3, 6]


# --- the same bits ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("task", TASKS)
def test_the_same_bits_on_any_number_of_threads(task, dtype):
    data = ratings()
    solver = fm.Gibbs(chains=3)
    first = sample(data, task, solver=solver, dtype=dtype, n_threads=1)
    assert first.V.dtype == dtype
    for threads in (2, 3, 4, 7):
        again = sample(data, task, solver=solver, dtype=dtype, n_threads=threads)
        assert_same(again, first, data.X)
    assert not np.array_equal(sample(data, task, solver=solver, seed=1).w, first.w)


@pytest.mark.parametrize("samples", [60, 4])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("way", ["same object", "pickle", "file"])
def test_sampling_goes_on_as_if_it_had_not_ended(way, task, samples, tmp_path):
    data = ratings()
    solver = fm.Gibbs(chains=2, samples=samples)
    evaluation = {"X_val": data.X[3000:], "y_val": targets(data, task)[3000:]}
    whole = sample(data, task, solver=solver, epochs=20, **evaluation)
    part = sample(data, task, solver=solver, epochs=9, **evaluation)
    if way == "pickle":
        part = pickle.loads(pickle.dumps(part))
    elif way == "file":
        part.save(tmp_path / "part")
        part = fm.load(tmp_path / "part")
    rest = sample(data, task, solver=solver, epochs=11, init=part, rank=None, **evaluation)
    assert_same(rest, whole, data.X)
    assert len(rest.history) == 11
    if samples == 60:
        assert rest.history[-1].val_loss == whole.history[-1].val_loss


def test_a_checkpoint_is_a_model_to_go_on_from(tmp_path):
    data = ratings()
    checkpoint = fm.Checkpoint(tmp_path / "{epoch}", every=4)
    whole = sample(data, callbacks=[checkpoint])
    for epoch in (8, 12):
        loaded = fm.load(tmp_path / str(epoch))
        rest = sample(data, init=loaded, rank=None, epochs=12 - epoch or 1)
        if epoch == 8:
            assert_same(rest, whole, data.X)
    during_burn_in = fm.load(tmp_path / "4")
    assert len(during_burn_in.samples) == 1
    assert_same(sample(data, init=during_burn_in, rank=None, epochs=8), whole, data.X)


def test_going_on_is_the_same_task():
    """Numbers that are -1 and 1, as often, are standardised to themselves."""
    data = ratings()
    y = np.where(np.arange(3000) % 2, 1, -1)
    options = {"solver": fm.Gibbs(), "rank": 3, "epochs": 8, "fields": data.fields}
    numbers = fm.train(data.X[:3000], y, **options)
    with pytest.raises(ValueError, match="others"):
        fm.train(data.X[:3000], y, task="binary", init=numbers, **options | {"rank": None})


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_the_type_of_the_offsets_is_no_other_data(index):
    data = ratings()
    options = {"solver": fm.Gibbs(), "fields": data.fields, "epochs": 6}
    model = fm.train(data.X, data.y, rank=3, **options)
    data.X.indptr = data.X.indptr.astype(index)
    assert fm.train(data.X, data.y, init=model, **options).progress.sweeps == 12


def test_early_stopping_restores_the_best_sweep_after_burn_in():
    data = ratings()
    stopping = fm.EarlyStopping(patience=3)
    validation = {"X_val": data.X[3000:], "y_val": -data.y[3000:]}  # wrong: worse and worse
    model = sample(data, epochs=30, callbacks=[stopping], **validation)
    assert 6 <= stopping.best_epoch < 27
    assert len(model.history) == stopping.best_epoch + 3
    assert_same(model, sample(data, epochs=stopping.best_epoch), data.X)


def test_going_on_needs_the_same_chains():
    data = ratings()
    with pytest.raises(ValueError, match="chains"):
        sample(data, init=sample(data), rank=None, solver=fm.Gibbs(chains=2))
