"""Whole trainings in rounds, in this process."""

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from partitions import SOLVER, alone, begin, mean_loss, one_hot
from scipy import sparse

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.distributed.dividing import divide
from sparsefm.distributed.engine import in_process
from sparsefm.distributed.parts import in_tree
from sparsefm.distributed.rounds import occurrences, sharing
from sparsefm.distributed.run import DistributedRun, Measure, batch_size_of_partitions
from sparsefm.distributed.settings import Rounds
from sparsefm.losses import Softmax, find_loss
from sparsefm.training.resuming import Resumption, Saved


def run_of(cells, loss, rounds, validation=(), threads=1, **given):
    """Return a training in rounds that has not begun, and its learner."""
    engine = in_process(cells, validation)
    summary = engine.summarise()
    learner = begin(summary, loss, **given)
    model = lambda: learner.models()[0]  # noqa: E731
    return DistributedRun(learner, engine, summary, rounds, threads=threads, model=model), learner


def distributed(dataset, loss, partitions, blocks, epochs, callbacks=(), **given):
    """Train in rounds; return the learner."""
    cells, rounds = divide(dataset, partitions, blocks), Rounds(per_epoch=blocks)
    run, learner = run_of(cells, loss, rounds, **given)
    run.run(epochs, run.evaluate, callbacks)
    return learner


def same(one, other):
    """Return whether the numbers of two learners are the same bits."""
    pairs = zip(one.states[0].parts(slice(None)), other.states[0].parts(slice(None)), strict=True)
    return all(np.array_equal(mine, others) for mine, others in pairs)


# --- what it learns -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "hinge"])
@pytest.mark.parametrize("partitions", [2, 8])
def test_held_out_losses_are_those_of_one_machine(loss, partitions):
    dataset, found = one_hot(24_000, loss=loss, seed=3)
    train, held_out = dataset.take(np.arange(20_000)), dataset.take(np.arange(20_000, 24_000))
    near = mean_loss(distributed(train, found, partitions, 8, 3), held_out)
    there = mean_loss(alone(train, found, 3), held_out)
    start = mean_loss(begin(train, found), held_out)
    assert near < there + 0.03 * (start - there), (near, there, start)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("learning_rate", [0.003, 0.03])
def test_adam_learns_as_fast_as_on_one_machine_or_faster(loss, learning_rate):
    dataset, found = one_hot(24_000, loss=loss, seed=3)
    train, held_out = dataset.take(np.arange(20_000)), dataset.take(np.arange(20_000, 24_000))
    given = {"solver": fm.Adam(learning_rate=learning_rate), "batch_size": 500}
    there = mean_loss(alone(train, found, 3, **given), held_out)
    start = mean_loss(begin(train, found), held_out)
    for partitions in (1, 2, 8, 32):
        near = mean_loss(distributed(train, found, partitions, 20, 3, **given), held_out)
        margin = 0.05 * (start - there)
        assert near < there + margin, partitions
        if learning_rate == 0.03:  # with less, gradients agree: steps for noise are too long then
            assert near > there - margin, partitions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
@pytest.mark.parametrize("solver", [SOLVER, fm.Adam(learning_rate=0.02)])
def test_variants(variant, dtype, solver):
    dataset, loss = one_hot(3000, dtype=dtype, fields=True)
    given = {"variant": variant, "solver": solver}
    learner = distributed(dataset, loss, 3, 4, 2, **given)
    state = learner.states[0]
    start = mean_loss(begin(dataset, loss, **given), dataset)
    there = mean_loss(alone(dataset, loss, 2, **given), dataset)
    assert mean_loss(learner, dataset) < there + 0.1 * (start - there)
    norms = (state.factors[:, 0].astype(float) ** 2).sum(axis=1)
    np.testing.assert_allclose(state.scalars[:, 0], norms, rtol=1e-5)
    if variant == "fwfm":
        assert (state.R[np.triu_indices(3, 1)] != 1).all()


def test_classes():
    dataset, _ = one_hot(2000, loss="squared")
    codes = np.digitize(dataset.y, np.quantile(dataset.y, [0.3, 0.6])).astype(float)
    dataset = replace(dataset, targets=(codes,), n_classes=3)
    learner = distributed(dataset, Softmax(), 3, 2, 3)

    def log_loss(of):
        return of.loss.values(codes, of.states[0].scores(dataset.X)).mean()

    start, there = log_loss(begin(dataset, Softmax())), log_loss(alone(dataset, Softmax(), 3))
    assert log_loss(learner) < there + 0.2 * (start - there)


def test_one_class_against_the_rest():
    dataset, loss = one_hot(2000)
    both = replace(dataset, targets=(dataset.targets[0], 1 - dataset.targets[0]))
    learner = distributed(both, loss, 3, 2, 2)
    first = distributed(dataset, loss, 3, 2, 2)
    assert same(first, replace(learner, states=learner.states[:1]))
    scores = learner.scores(dataset.X, 1)
    assert np.corrcoef(scores.T)[0, 1] < -0.9


def test_rows_with_values_and_weights():
    rng = np.random.default_rng(0)
    X = sparse.csr_matrix(rng.normal(size=(300, 6)) * (rng.random((300, 6)) < 0.6))
    y = np.asarray(X @ rng.normal(size=6)) + 0.1 * rng.normal(size=300)
    weights = rng.integers(0, 3, 300).astype(float)
    dataset = Dataset.training(X, y, weights, np.float64, task="regression")
    near = distributed(dataset, find_loss("regression", None), 2, 2, 6)
    there = alone(dataset, find_loss("regression", None), 6)
    kept = as_csr(X[weights > 0], np.float64)
    scores = [of.scores(kept, 1)[:, 0] for of in (near, there)]
    assert np.std(scores[0] - scores[1]) < 0.1 * np.std(y)


# --- what it does not depend on -----------------------------------------------------------------


def test_the_same_bits_for_rows_in_any_order_and_any_number_of_threads():
    dataset, loss = one_hot(900, dtype="float32")
    shuffled = dataset.take(np.random.default_rng(1).permutation(900))
    first = distributed(dataset, loss, 3, 2, 2)
    assert same(first, distributed(shuffled, loss, 3, 2, 2))
    assert same(first, distributed(dataset, loss, 3, 2, 2, threads=2))
    assert not same(first, distributed(dataset, loss, 4, 2, 2))


def test_partitions_of_any_size():
    """One has most rows, one has none, one has a single row, many have few."""
    dataset, loss = one_hot(4000)
    there = mean_loss(alone(dataset, loss, 3), dataset)
    start = mean_loss(begin(dataset, loss), dataset)
    skewed = [dataset.take(np.arange(*span)) for span in ((0, 3600), (3600, 3999), (3999, 4000))]
    cells = [divide(part, 1, 4)[0] for part in skewed]
    run, learner = run_of([*cells, [None] * 4], loss, Rounds(per_epoch=4))
    run.run(3, run.evaluate)
    assert mean_loss(learner, dataset) < there + 0.05 * (start - there)
    learner = distributed(dataset, loss, 300, 2, 3)
    assert mean_loss(learner, dataset) < there + 0.5 * (start - there)


# --- the loop -----------------------------------------------------------------------------------


def test_a_record_for_each_epoch_and_validation_in_many_places():
    dataset, loss = one_hot(1500)
    train, held_out = dataset.take(np.arange(1000)), dataset.take(np.arange(1000, 1500))
    parts = [held_out.take(np.arange(0, 100)), held_out.take(np.arange(100, 500))]
    run, learner = run_of(divide(train, 2, 2), loss, Rounds(per_epoch=2), parts)
    history = run.run(3, run.evaluate)
    assert [record.epoch for record in history] == [1, 2, 3]
    assert history[-1].val_loss == pytest.approx(mean_loss(learner, held_out))
    losses = [record.train_loss for record in history]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] < mean_loss(begin(train, loss), train) * 1.05


def test_callbacks_see_the_training():
    dataset, loss = one_hot(1500)
    train, held_out = dataset.take(np.arange(1000)), dataset.take(np.arange(1000, 1500))
    run, learner = run_of(
        divide(train, 2, 2),
        loss,
        Rounds(per_epoch=2),
        [held_out],
        solver=fm.AdaGrad(learning_rate=2),
    )
    history = run.run(30, run.evaluate, [fm.EarlyStopping(patience=2)])
    assert len(history) < 30
    best = min(record.val_loss for record in history)
    assert mean_loss(learner, held_out) == pytest.approx(best)  # that of the best epoch is kept
    run, learner = run_of(divide(train, 2, 2), loss, Rounds(per_epoch=2))
    run.run(2, run.evaluate, [fm.LearningRateSchedule(lambda epoch: 1e-9)])
    moved = learner.states[0].V - begin(train, loss).states[0].V
    assert np.abs(moved).max() < 1e-6


@pytest.mark.parametrize(("momentum", "solver"), [(0, SOLVER), (0.5, SOLVER), (0.5, fm.Adam())])
def test_a_training_that_is_resumed_ends_with_the_same_bits(tmp_path, momentum, solver):
    dataset, loss = one_hot(900)
    rounds = Rounds(per_epoch=2, outer_momentum=momentum)
    new = partial(run_of, divide(dataset, 3, 2), loss, rounds, solver=solver)
    whole, expected = new()
    whole.run(4, whole.evaluate)
    path = tmp_path / "checkpoint.safetensors"
    first, _ = new()
    checkpoint = fm.Checkpoint(path)
    first.run(2, first.evaluate, [checkpoint], resumption=Resumption(None, "rounds"))
    second, learner = new()
    saved = Saved.read(path, (), "rounds")
    history = second.run(4, second.evaluate, resumption=Resumption(saved, "rounds"))
    assert same(learner, expected)
    assert [record.train_loss for record in history] == [
        record.train_loss for record in whole.history
    ]
    other, _ = run_of(
        divide(dataset, 3, 2), loss, replace(rounds, outer_learning_rate=0.9), solver=solver
    )
    with pytest.raises(ValueError, match="outer_learning_rate"):
        other.run(4, other.evaluate, resumption=Resumption(saved, "rounds"))
    flipped = replace(dataset, targets=(dataset.targets[0][::-1].copy(),))
    for other_rows in (dataset.take(np.arange(800)), flipped):
        other, _ = run_of(divide(other_rows, 3, 2), loss, rounds, solver=solver)
        with pytest.raises(ValueError, match="the training rows"):
            other.run(4, other.evaluate, resumption=Resumption(saved, "rounds"))
    validated, _ = run_of(divide(dataset, 3, 2), loss, rounds, [dataset], solver=solver)
    with pytest.raises(ValueError, match="validation"):
        validated.run(4, validated.evaluate, resumption=Resumption(saved, "rounds"))


def test_divergence_is_an_error():
    X = sparse.csr_matrix(np.full((200, 2), 1e15))
    dataset = Dataset.training(X, np.arange(200.0), None, np.float32, task="regression")
    run, _ = run_of(
        divide(dataset, 2, 2),
        find_loss("regression", None),
        Rounds(per_epoch=2),
        solver=fm.AdaGrad(learning_rate=100),
    )
    with pytest.raises(fm.DivergenceError, match="smaller learning rate than 100"):
        run.run(3, run.evaluate)


def test_the_last_step_may_diverge():
    X = sparse.csr_matrix(np.ones((20, 1)))
    dataset = Dataset.training(X, np.arange(20.0), None, np.float32, task="regression")
    solver = fm.AdaGrad(learning_rate=3e38)
    cells, loss = divide(dataset, 1, 1), find_loss("regression", None)
    run, _ = run_of(cells, loss, Rounds(per_epoch=1), solver=solver)
    with pytest.raises(fm.DivergenceError, match="round 1 of epoch 1"):
        run.run(1, run.evaluate)


def test_an_epoch_from_a_snapshot_is_the_same_again():
    dataset, loss = one_hot(400)
    run, learner = run_of(divide(dataset, 2, 2), loss, Rounds(per_epoch=2, outer_momentum=0.9))
    run.run(1, run.evaluate)
    saved, after = run.snapshot(), []
    for _ in range(2):
        run.restore(saved)
        run._run_epoch()
        after.append(learner.states[0].V.copy())
    assert np.array_equal(*after)


def test_what_is_refused():
    dataset, loss = one_hot(100)
    with pytest.raises(ValueError, match="4 blocks, but an epoch 2 rounds"):
        run_of(divide(dataset, 2, 4), loss, Rounds(per_epoch=2))
    with pytest.raises(ValueError, match="exact"):
        run_of(divide(dataset, 2, 2), loss, Rounds(per_epoch=2), solver=fm.Adam(updates="exact"))


def test_all_rows_are_summarised():
    dataset, _ = one_hot(2000)
    cells = divide(dataset, 3, 40)
    summary = in_process(cells).summarise()
    assert summary.rows.tolist() == [
        sum(len(own[block].rows) for own in cells) for block in range(40)
    ]
    known = np.zeros(dataset.X.n_features)
    for block in range(40):
        counts = np.array([occurrences(own[block]) for own in cells])
        expected = sharing(counts.sum(axis=0), (counts**2).sum(axis=0))
        np.testing.assert_array_equal(summary.sharing(block), expected)
        known += counts.sum(axis=0)
    assert np.array_equal(summary.used_features, np.flatnonzero(known))
    assert summary.weight == 2000


def test_rows_without_features_count():
    X = sparse.csr_matrix((60, 2))
    dataset = Dataset.training(X, np.arange(60.0), None, np.float64, task="regression")
    learner = distributed(dataset, find_loss("regression", None), 2, 2, 1)
    assert learner.states[0].bias[0] == pytest.approx(29.5, abs=3)
    assert learner.steps > 0


def test_penalties_may_be_numbers_of_numpy():
    dataset, loss = one_hot(200, dtype="float32")
    solver = fm.AdaGrad(l2_linear=np.float64(1e-3), l2_factors=np.float64(1e-2))
    assert same(
        distributed(dataset, loss, 2, 2, 1, solver=solver),
        distributed(dataset, loss, 2, 2, 1, solver=fm.AdaGrad(l2_linear=1e-3, l2_factors=1e-2)),
    )


def test_work_for_engines_can_be_sent():
    dataset, loss = one_hot(100)
    learner = begin(dataset, loss)
    sent = pickle.loads(pickle.dumps(Measure(learner, 1)))
    assert sent(dataset) == Measure(learner, 1)(dataset)


# --- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [1, 3])
def test_summaries_say_what_all_rows_do(n_classes):
    dataset, loss = one_hot(800, fields=True)
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 3, 800).astype(float)
    codes = rng.integers(0, 3, 800).astype(float)
    targets = (codes,) if n_classes > 1 else dataset.targets
    dataset = replace(
        Dataset.of(dataset.X, codes, targets, weights), fields=dataset.fields, n_classes=n_classes
    )
    summary = in_process(divide(dataset, 3, 2)).summarise()
    assert summary.weight == dataset.total_weight
    assert summary.rows.sum() == len(dataset.rows)
    assert np.array_equal(summary.used_features, dataset.used_features)
    np.testing.assert_allclose(summary.target_means(), dataset.target_means())
    if n_classes > 1:
        np.testing.assert_allclose(summary.class_shares(), dataset.class_shares())
    assert not summary.fields_with_pairs(dataset.fields, 3).any()
    if n_classes == 1:
        parts = zip(
            begin(summary, loss, variant="fwfm").states[0].parts(slice(None)),
            begin(dataset, loss, variant="fwfm").states[0].parts(slice(None)),
            strict=True,
        )
        for mine, others in parts:
            np.testing.assert_allclose(mine, others, rtol=1e-12)


def test_fields_with_pairs_of_any_partition():
    X = sparse.csr_matrix(np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 0]], float))
    dataset = Dataset.training(X, np.arange(3), None, np.float64, task="regression")
    dataset = replace(dataset, fields=np.array([0, 0, 1, 1], np.int32))
    summary = in_process(divide(dataset, 3, 1)).summarise()
    assert summary.fields_with_pairs(dataset.fields, 2).tolist() == [True, False]


def test_batches_of_partitions():
    assert batch_size_of_partitions(256, 1) == 256
    assert batch_size_of_partitions(256, 4) == 64
    assert batch_size_of_partitions(256, 64) == 16
    assert batch_size_of_partitions(10, 4) == 10


def test_trees_keep_the_order():
    joined = in_tree([f"{number}," for number in range(100)], "".join)
    assert joined == "".join(f"{number}," for number in range(100))
