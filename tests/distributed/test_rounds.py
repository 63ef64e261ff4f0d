"""Rounds of partitions: against plain NumPy, and beside training on one machine."""

from dataclasses import replace

import numpy as np
import pytest
from partitions import SOLVER, begin, one_hot
from reference import objective_gradients
from scipy import sparse

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.changes import join
from sparsefm.distributed.dividing import divide
from sparsefm.distributed.outer import OuterStep
from sparsefm.distributed.rounds import Round, occurrences, sharing
from sparsefm.distributed.settings import Rounds, partitions_for
from sparsefm.distributed.units import least_rows_of_a_round
from sparsefm.optimizers import Adam
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch


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
        where = X[rows], dataset.targets[0][rows], theta[0][0], theta[1], theta[2], name, None
        for part, grad, moment, times in zip(
            theta, objective_gradients(*where, SOLVER.l2_linear, l2), h, m, strict=True
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
    change = Round(learner, shared, 20, 600, number=3).run(dataset, partition=5)
    np.testing.assert_array_equal(state.factors, old.factors)  # a round may be run again
    OuterStep(learner, Rounds()).apply(change)
    tolerance = {"rtol": 1e-7, "atol": 1e-10}
    np.testing.assert_allclose(state.bias, np.append(theta[0], h[0]), **tolerance)
    np.testing.assert_allclose(state.w, theta[1], **tolerance)
    np.testing.assert_allclose(state.V, theta[2], **tolerance)
    np.testing.assert_allclose(state.scalars[:, 2], h[1], **tolerance)
    np.testing.assert_allclose(state.factor_moments[:, 0], h[2], **tolerance)
    assert np.abs(state.V - old.V).max() > 0.05  # they have moved


ADAM = Adam(learning_rate=0.05, beta2=0.9, epsilon=0.02, l2_linear=0.03, l2_factors=0.02)


def touched(counts, n_batches):
    """Return in how many of some batches a feature with so many rows is expected."""
    return n_batches * (1 - (1 - 1 / n_batches) ** counts)


def reference_round_of_adam(dataset, learner, shared, rows, number, partition):
    """Make the steps of a partition, seven batches of 86 rows where one machine has 90."""
    state, counts = learner.states[0], occurrences(dataset)
    theta = [state.bias[:1].copy(), state.w.copy(), state.V.copy()]
    moments = [
        [state.bias[role : role + 1].copy() for role in (1, 2)],
        [state.scalars[:, 1 + role].copy() for role in (1, 2)],
        [state.factor_moments[:, role].copy() for role in (0, 1)],
    ]
    ratio = shared * touched(shared * counts, rows / 90) / touched(np.maximum(counts, 1), 7)
    u = [np.ones(1), np.sqrt(ratio), np.sqrt(ratio)[:, None]]
    plan = new_planner(learner.seed, 1).plan(dataset, 86)
    n, d = dataset.X.n_rows, dataset.X.n_features
    X = sparse.csr_matrix((np.ones(3 * n), dataset.X.indices, dataset.X.indptr), (n, d))
    order = plan.order_of(stream(learner.seed, "batches", number, partition))
    for t, batch in enumerate(order, learner.steps + 1):
        own = plan.rows[batch * 86 : (batch + 1) * 86]
        met = np.flatnonzero(X[own].getnnz(axis=0))
        l2 = np.full(d, ADAM.l2_factors)
        where = X[own], dataset.targets[0][own], theta[0][0], theta[1], theta[2], "logistic", None
        rate = ADAM.learning_rate * np.sqrt(1 - ADAM.beta2**t) / (1 - ADAM.beta1**t)
        grads = objective_gradients(*where, ADAM.l2_linear, l2)
        for part, grad, (m, v), unit in zip(theta, grads, moments, u, strict=True):
            at = slice(None) if part.shape == (1,) else met
            g, unit = np.atleast_1d(grad)[at], unit[at]
            m[at] = ADAM.beta1 * m[at] + (1 - ADAM.beta1) * g
            v[at] = ADAM.beta2 * v[at] + (1 - ADAM.beta2) * g**2
            damped = np.sqrt(v[at]) + ADAM.epsilon * 90 / 86 / unit
            part[at] -= rate * unit * m[at] / damped
    theta[0] += (np.sqrt(rows / n * (rows / 90) / 7) - 1) * (theta[0] - state.bias[0])
    return theta, moments


def test_steps_of_adam_are_as_long_as_all_partitions_together_would_move():
    dataset, loss = one_hot()
    chosen = Hyperparameters(rank=3, solver=ADAM)
    learner = Learner.begin(chosen, loss, dataset, seed=1)
    learner.steps = 4
    rng = np.random.default_rng(0)
    state = learner.states[0]
    state.scalars[:, 2:] = rng.uniform(0.1, 0.2, state.scalars[:, 2:].shape)
    state.factor_moments[:] = rng.uniform(0.1, 0.2, state.factor_moments.shape)
    shared = rng.uniform(1, 5, dataset.X.n_features).astype(np.float32)
    theta, (of_w0, of_w, of_V) = reference_round_of_adam(
        dataset, learner, shared.astype(float), 3000, 3, 5
    )
    old = state.copy()
    change = Round(learner, shared, 90, 3000, number=3).run(dataset, partition=5)
    OuterStep(learner, Rounds()).apply(change)
    tolerance = {"rtol": 1e-7, "atol": 1e-10}
    np.testing.assert_allclose(state.bias, np.concatenate([theta[0], *of_w0]), **tolerance)
    np.testing.assert_allclose(state.w, theta[1], **tolerance)
    np.testing.assert_allclose(state.V, theta[2], **tolerance)
    for role in (0, 1):
        np.testing.assert_allclose(state.scalars[:, 2 + role], of_w[role], **tolerance)
        np.testing.assert_allclose(state.factor_moments[:, role], of_V[role], **tolerance)
    assert np.abs(state.V - old.V).max() > 0.05  # they have moved
    assert learner.steps == 4 + 7


def test_rounding_makes_no_mean_of_squares_negative():
    dataset, loss = one_hot(dtype="float32")
    solver = Adam(beta2=0.0)
    learner = Learner.begin(Hyperparameters(rank=3, solver=solver), loss, dataset, seed=1)
    state = learner.states[0]
    state.factor_moments[:, 1] = state.scalars[:, 3] = state.bias[2] = 3e7  # the round's are 1e-2
    parts = [cells[0] for cells in divide(dataset, 7, 1)]
    shared = np.full(dataset.X.n_features, 3, np.float32)
    told = Round(learner, shared, 20, 600, 0)
    OuterStep(learner, Rounds()).apply(join([told.run(part, p) for p, part in enumerate(parts)]))
    for squares in (state.factor_moments[:, 1], state.scalars[:, 3], state.bias[2]):
        assert (squares >= 0).all()


@pytest.mark.parametrize("solver", [SOLVER, ADAM])
@pytest.mark.parametrize("size", [20, 70, 400, 1000])
def test_one_partition_trains_as_ever(solver, size):
    dataset, loss = one_hot()
    learner, alone = begin(dataset, loss, solver=solver), begin(dataset, loss, solver=solver)
    change = Round(learner, np.ones(dataset.X.n_features, np.float32), size, 600, 0).run(dataset, 0)
    OuterStep(learner, Rounds()).apply(change)
    plan = new_planner(1, 1).plan(dataset, size)
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
    told = Round(learner, shared, 20, 600, 0)
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
    told = Round(begin(dataset, loss), np.ones(dataset.X.n_features, np.float32), 20, 600, 0)
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


def test_weights_and_further_targets_are_content():
    rng = np.random.default_rng(0)
    X, weights = sparse.csr_matrix(np.ones((300, 1))), rng.random(300)
    dataset = Dataset.training(X, np.ones(300), weights, np.float64, task="regression")
    dataset = replace(dataset, targets=(dataset.targets[0], rng.integers(0, 2, 300) * 1.0))
    shuffled = dataset.take(rng.permutation(300))
    for one, other in zip(divide(dataset, 2, 2), divide(shuffled, 2, 2), strict=True):
        for cell, again in zip(one, other, strict=True):
            assert np.array_equal(cell.weights, again.weights)
            assert np.array_equal(cell.targets[1], again.targets[1])


def test_equal_rows_do_not_go_to_one_partition():
    X = sparse.csr_matrix(np.ones((300, 1)))
    cells = divide(Dataset.training(X, np.ones(300), None, np.float32, task="regression"), 3, 2)
    assert all(len(cell.rows) > 25 for of_partition in cells for cell in of_partition)


def test_more_cells_than_rows():
    X = sparse.csr_matrix(np.ones((2, 1)))
    dataset = Dataset.training(X, np.arange(2), None, np.float32, task="regression")
    cells = [cell for cells in divide(dataset, 5, 2) for cell in cells]
    assert sum(cell is not None for cell in cells) == 2


def test_momentum_adds_a_share_of_the_last_step():
    dataset, loss = one_hot()
    plain, moving = begin(dataset, loss), begin(dataset, loss)
    told = Round(plain, np.ones(dataset.X.n_features, np.float32), 20, 600, 0)
    change = told.run(dataset, 0)
    old = plain.states[0].copy()
    OuterStep(plain, Rounds(outer_learning_rate=0.5)).apply(change)
    outer = OuterStep(moving, Rounds(outer_learning_rate=0.5, outer_momentum=0.4))
    outer.apply(change)
    outer.apply(change)
    whole = begin(dataset, loss)
    OuterStep(whole, Rounds()).apply(change)
    for name in ("V", "w"):
        ends = [getattr(of.states[0], name) - getattr(old, name) for of in (plain, whole)]
        np.testing.assert_allclose(2 * ends[0], ends[1], atol=1e-12)
    ends = [of.states[0].bias - old.bias for of in (plain, whole)]
    np.testing.assert_allclose(2 * ends[0][0], ends[1][0])
    np.testing.assert_allclose(ends[0][1], ends[1][1])  # moments know no rate
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


@pytest.mark.parametrize(
    ("rows", "partitions", "chosen"),
    [
        (10**6, 1, 1),
        (10**6, 2, 32),
        (10**6, 8, 224),
        (10**6, 32, 512),
        (10**5, 32, 195),  # of 16 rows of a partition
        (10, 2, 1),
        (4_500_000, 1, 5),  # of at most a million
        (10**9, 2, 500),
    ],
)
def test_rounds_grow_with_the_partitions(rows, partitions, chosen):
    rounds = Rounds(outer_momentum=0.1).chosen_for(rows, partitions)
    assert rounds == Rounds(per_epoch=chosen, outer_momentum=0.1)
    assert Rounds(per_epoch=5).chosen_for(rows, partitions) == Rounds(per_epoch=5)


def test_a_round_has_a_batch_of_adam():
    chosen = Hyperparameters(rank=3, solver=ADAM)
    assert least_rows_of_a_round(chosen, 10**5) == 1024
    assert least_rows_of_a_round(replace(chosen, solver=SOLVER), 10**5) == 1
    assert Rounds().chosen_for(10**5, 8, 1024).per_epoch == 97
    assert Rounds().chosen_for(10**6, 8, 1024).per_epoch == 224
    assert Rounds().chosen_for(1000, 8, 1024).per_epoch == 1


@pytest.mark.parametrize(
    ("rows", "asked", "workers", "rounds", "chosen"),
    [
        (10**6, None, 8, None, 1),
        (10**8, None, 8, None, 8),
        (3 * 10**7, None, 8, 500, 3),
        (10**5, 8, 2, None, 8),
        (3200, 8, 2, None, 2),
        (3200, 8, 2, 150, 1),  # 16 rows a round
        (0, 8, 2, None, 1),
    ],
)
def test_few_rows_stay_together(rows, asked, workers, rounds, chosen):
    assert partitions_for(rows, asked, workers, Rounds(per_epoch=rounds)) == chosen
