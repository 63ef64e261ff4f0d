"""Rounds of partitions: against plain NumPy, and beside training on one machine."""

from dataclasses import replace

import numpy as np
import pytest
from reference import objective_gradients
from scipy import sparse

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.distributed.changes import join
from sparsefm.distributed.dividing import divide
from sparsefm.distributed.outer import OuterStep
from sparsefm.distributed.rounds import Round, occurrences, sharing
from sparsefm.distributed.settings import Rounds
from sparsefm.losses import Softmax, find_loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

SOLVER = fm.AdaGrad(learning_rate=0.05, initial_accumulator=0.7, l2_linear=0, l2_factors=0.02)


def one_hot(n=600, sizes=(3, 30, 200), loss="logistic", seed=0, dtype="float64", fields=False):
    """Draw rows of one-hot fields, the values of the last seldom, and targets of a machine."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum([0, *sizes[:-1]])
    columns = np.column_stack([rng.zipf(1.3, n) % size for size in sizes]) + starts
    indptr = np.arange(0, n * len(sizes) + 1, len(sizes))
    X = sparse.csr_matrix((np.ones(columns.size), columns.ravel(), indptr), (n, sum(sizes)))
    w, V = rng.normal(size=X.shape[1]), rng.normal(size=(X.shape[1], 2)) * 0.7
    s = X @ w / 2 + ((X @ V) ** 2 - X @ V**2).sum(axis=1) / 2
    y = s + 0.5 * rng.normal(size=n)
    if loss in ("logistic", "hinge"):
        y = (y > np.median(s)) * 1.0
    task = "binary" if loss in ("logistic", "hinge") else "regression"
    dataset = Dataset.training(X, y, None, np.dtype(dtype), task=task)
    found = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes) if fields else None
    return replace(dataset, fields=found), find_loss(task, loss)


def begin(dataset, loss, rank=3, **given):
    chosen = Hyperparameters(rank=rank, solver=SOLVER, batch_size=20, **given)
    return Learner.begin(chosen, loss, dataset, seed=1)


def met(datasets):
    """Return how many rows of each data set have each feature."""
    return np.array([occurrences(dataset) for dataset in datasets])


def reference_round(dataset, learner, shared, number, partition, l2_factors):
    """Make the steps of a partition with what `sharing` says, written as they are."""
    state = learner.states[0]
    theta = [state.bias[:1].copy(), state.w.copy(), state.V.copy()]
    h = [state.bias[1:].copy(), state.scalars[:, 2].copy(), state.factor_moments[:, 0].copy()]
    m = [np.ones(1), shared, shared[:, None]]
    plan = new_planner(learner.seed, 1).plan(dataset, 20)
    X = sparse.csr_matrix(
        (np.ones(dataset.X.n_nonzeros), dataset.X.indices, dataset.X.indptr),
        (dataset.X.n_rows, dataset.X.n_features),
    )
    for batch in plan.order_of(stream(learner.seed, "batches", number, partition)):
        rows = plan.rows[batch * 20 : (batch + 1) * 20]
        name, l2 = learner.loss.name, np.broadcast_to(l2_factors, len(shared))
        where = X[rows], dataset.targets[0][rows], theta[0][0], theta[1], theta[2]
        for part, grad, moment, times in zip(
            theta, objective_gradients(*where, name, l2_factors=l2), h, m, strict=True
        ):
            g = len(rows) * np.asarray(grad)
            moment += times * g**2
            part -= SOLVER.learning_rate * times * g / np.sqrt(moment)
    return theta, h


@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("l2_factors", [0.02, (0.01, 0.5, 0.1)])
def test_a_partition_lets_each_feature_count_as_often_as_all_partitions_meet_it(loss, l2_factors):
    dataset, found = one_hot(loss=loss, fields=True)
    solver = replace(SOLVER, l2_factors=l2_factors)
    chosen = Hyperparameters(rank=3, solver=solver, batch_size=20)
    learner = Learner.begin(chosen, found, dataset, seed=1)
    state = learner.states[0]
    shared = np.random.default_rng(0).uniform(1, 9, dataset.X.n_features).astype(np.float32)
    of_features = l2_factors if np.isscalar(l2_factors) else np.array(l2_factors)[dataset.fields]
    theta, h = reference_round(dataset, learner, shared.astype(float), 3, 5, of_features)
    old = state.copy()
    change = Round(learner, shared, 20, number=3).run(dataset, partition=5)
    np.testing.assert_array_equal(state.factors, old.factors)  # a round may be run again
    OuterStep(learner, Rounds()).apply(change)
    tolerance = {"rtol": 1e-7, "atol": 1e-10}
    np.testing.assert_allclose(state.bias, np.append(theta[0], h[0]), **tolerance)
    np.testing.assert_allclose(state.w, theta[1], **tolerance)
    np.testing.assert_allclose(state.V, theta[2], **tolerance)
    np.testing.assert_allclose(state.scalars[:, 2], h[1], **tolerance)
    np.testing.assert_allclose(state.factor_moments[:, 0], h[2], **tolerance)
    assert np.abs(state.V - old.V).max() > 0.05  # they have moved


def test_one_partition_trains_as_ever():
    dataset, loss = one_hot()
    learner, alone = begin(dataset, loss), begin(dataset, loss)
    change = Round(learner, np.ones(dataset.X.n_features, np.float32), 20, 0).run(dataset, 0)
    OuterStep(learner, Rounds()).apply(change)
    plan = new_planner(1, 1).plan(dataset, 20)
    targets = [dataset.targets[0][plan.rows]]
    losses = run_epoch(alone.trainers(1), plan, targets, stream(1, "batches", 0, 0))
    np.testing.assert_allclose(learner.states[0].scalars, alone.states[0].scalars, atol=1e-10)
    np.testing.assert_allclose(learner.states[0].factors, alone.states[0].factors, atol=1e-10)
    np.testing.assert_allclose(change.losses / change.weight, losses)
    assert learner.steps == plan.n_batches


def test_joined_changes_are_means_weighted_by_occurrences():
    dataset, loss = one_hot()
    learner = begin(dataset, loss)
    parts = [cells[0] for cells in divide(dataset, 3, 1)]
    counts = met(parts)
    shared = sharing(counts.sum(axis=0), (counts**2).sum(axis=0))
    told = Round(learner, shared, 20, 0)
    alone = []
    for partition, part in enumerate(parts):
        of_it = begin(dataset, loss)
        OuterStep(of_it, Rounds()).apply(told.run(part, partition))
        alone.append(of_it.states[0])
    old = learner.states[0].copy()
    OuterStep(learner, Rounds()).apply(join([told.run(part, p) for p, part in enumerate(parts)]))
    share = counts / np.maximum(counts.sum(axis=0), 1)
    for name, expand in (("w", share), ("V", share[:, :, None])):
        moved = np.array([getattr(state, name) - getattr(old, name) for state in alone])
        expected = getattr(old, name) + (expand * moved).sum(axis=0)
        np.testing.assert_allclose(getattr(learner.states[0], name), expected, atol=1e-12)
    rows = np.array([len(part.rows) for part in parts]) / len(dataset.rows)
    biases = np.array([state.bias for state in alone])
    np.testing.assert_allclose(learner.states[0].bias, rows @ biases)


def test_changes_of_changes_can_be_joined():
    dataset, loss = one_hot()
    told = Round(begin(dataset, loss), np.ones(dataset.X.n_features, np.float32), 20, 0)
    changes = [told.run(cells[0], p) for p, cells in enumerate(divide(dataset, 5, 1))]
    flat, tree = join(changes), join([join(changes[:2]), join([join(changes[2:4]), changes[4]])])
    assert np.array_equal(flat.features, tree.features)
    assert np.array_equal(flat.occurrences, tree.occurrences)
    assert (flat.rows, flat.weight, flat.steps) == (tree.rows, tree.weight, tree.steps)
    np.testing.assert_allclose(flat.losses, tree.losses)
    for one, other in zip(flat.of_features[0], tree.of_features[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    again = join([told.run(cells[0], p) for p, cells in enumerate(divide(dataset, 5, 1))])
    for one, other in zip(flat.of_features[0], again.of_features[0], strict=True):
        assert np.array_equal(one, other)


def test_a_feature_of_one_partition_moves_as_far_as_there():
    counts = np.array([[4, 0, 2, 0], [4, 3, 1, 0], [4, 0, 0, 0.0]])
    shared = sharing(counts.sum(axis=0), (counts**2).sum(axis=0))
    np.testing.assert_allclose(shared, [3, 1, 9 / 5, 1])


# --- dividing rows --------------------------------------------------------------------------------


def test_rows_are_divided_by_content_and_each_goes_somewhere():
    dataset, _ = one_hot(400)
    shuffled = dataset.take(np.random.default_rng(1).permutation(400))
    for one, other in zip(divide(dataset, 4, 3), divide(shuffled, 4, 3), strict=True):
        for cell, again in zip(one, other, strict=True):
            assert np.array_equal(cell.X.indices, again.X.indices)
            assert np.array_equal(cell.targets[0], again.targets[0])
    cells = [cell for cells in divide(dataset, 4, 3) for cell in cells]
    assert sum(len(cell.rows) for cell in cells) == 400
    assert min(len(cell.rows) for cell in cells) > 10


def test_equal_rows_do_not_go_to_one_partition():
    X = sparse.csr_matrix(np.ones((300, 1)))
    cells = divide(Dataset.training(X, np.ones(300), None, np.float32, task="regression"), 3, 2)
    assert all(len(cell.rows) > 25 for of_partition in cells for cell in of_partition)


def test_more_cells_than_rows():
    X = sparse.csr_matrix(np.ones((2, 1)))
    dataset = Dataset.training(X, np.arange(2), None, np.float32, task="regression")
    cells = [cell for cells in divide(dataset, 5, 2) for cell in cells]
    assert sum(cell is not None for cell in cells) == 2


# --- all machines -------------------------------------------------------------------------------


def distributed(dataset, loss, partitions, blocks, epochs, **given):
    """Train with rounds, each partition after the other; return the learner."""
    learner = begin(dataset, loss, **given)
    cells = divide(dataset, partitions, blocks)
    outer, number = OuterStep(learner, Rounds(per_epoch=blocks)), 0
    for _ in range(epochs):
        for block in range(blocks):
            present = [(p, of[block]) for p, of in enumerate(cells) if of[block] is not None]
            counts = met([part for _, part in present])
            shared = sharing(counts.sum(axis=0), (counts**2).sum(axis=0))
            told = Round(learner, shared, 20, number)
            outer.apply(join([told.run(part, p) for p, part in present]))
            number += 1
    return learner


def alone(dataset, loss, epochs, **given):
    """Train on one machine; return the learner."""
    learner, random = begin(dataset, loss, **given), stream(1, "batches", 0)
    plan = new_planner(1, 1).plan(dataset, 20)
    trainers = learner.trainers(1, dataset.fields)
    for _ in range(epochs):
        run_epoch(trainers, plan, [target[plan.rows] for target in dataset.targets], random)
    return learner


def mean_loss(learner, dataset):
    scores = learner.states[0].scores(dataset.X)
    return learner.loss.values(dataset.targets[0], scores).mean()


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "hinge"])
@pytest.mark.parametrize("partitions", [2, 8])
def test_held_out_losses_are_those_of_one_machine(loss, partitions):
    dataset, found = one_hot(24_000, loss=loss, seed=3)
    train, held_out = dataset.take(np.arange(20_000)), dataset.take(np.arange(20_000, 24_000))
    near = mean_loss(distributed(train, found, partitions, 8, 3), held_out)
    there = mean_loss(alone(train, found, 3), held_out)
    start = mean_loss(begin(train, found), held_out)
    assert near < there + 0.03 * (start - there), (near, there, start)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
def test_variants(variant, dtype):
    dataset, loss = one_hot(3000, dtype=dtype, fields=True)
    learner = distributed(dataset, loss, 3, 4, 2, variant=variant)
    state = learner.states[0]
    start, there = (
        mean_loss(of, dataset)
        for of in (begin(dataset, loss, variant=variant), alone(dataset, loss, 2, variant=variant))
    )
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


def test_momentum_adds_a_share_of_the_last_step():
    dataset, loss = one_hot()
    plain, moving = begin(dataset, loss), begin(dataset, loss)
    told = Round(plain, np.ones(dataset.X.n_features, np.float32), 20, 0)
    change = told.run(dataset, 0)
    old = plain.states[0].copy()
    OuterStep(plain, Rounds(outer_learning_rate=0.5)).apply(change)
    outer = OuterStep(moving, Rounds(outer_learning_rate=0.5, outer_momentum=0.4))
    outer.apply(change)
    outer.apply(change)
    step = plain.states[0].V - old.V
    np.testing.assert_allclose(moving.states[0].V - old.V, (1 + 1 + 0.4) * step, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"per_epoch": 0}, "per_epoch"),
        ({"outer_learning_rate": 0}, "outer_learning_rate"),
        ({"outer_momentum": 1}, "outer_momentum"),
        ({"outer_momentum": -0.1}, "outer_momentum"),
    ],
)
def test_settings_are_checked(given, named):
    with pytest.raises(ValueError, match=named):
        Rounds(**given)


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
