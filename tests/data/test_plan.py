"""Plans: shared by all who train on the same rows, within a budget of memory."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm import _core, interrupts
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Plan, Planner, Room
from sparsefm.estimators import fitting
from sparsefm.training import memory
from sparsefm.training.learner import new_planner
from sparsefm.tuning import search

CorePlan = _core.Plan


@pytest.fixture
def made(monkeypatch):
    """Return a list of all plans that are made."""
    plans = []

    class Spy(CorePlan):
        def __init__(self, X, rows, weights, batch_size, dtype):
            super().__init__(X, rows, weights, batch_size, dtype)
            self.rows = rows.copy()
            self.key = (np.sort(rows).tobytes(), batch_size)
            self.transposed, self.forgotten, self.most_bytes = [], [], 0
            plans.append(self)

        def transpose(self, batches, threads):
            missing = [b for b in batches if not super(Spy, self).count_within(np.array([b]), 1)]
            self.transposed += missing
            super().transpose(batches, threads)

        def count_within(self, batches, budget):
            self.most_bytes = max(self.most_bytes, self.n_bytes)
            return super().count_within(batches, budget)

        def forget(self, batches):
            self.forgotten += list(batches)
            super().forget(batches)

    monkeypatch.setattr(_core, "Plan", Spy)
    return plans


def dataset(rows=50, columns=20):
    X = sparse.random(rows, columns, 0.3, "csr", random_state=0, dtype=np.float64)
    y = np.arange(rows) % 2.0
    return Dataset.of(as_csr(X, np.float64), y, (y,))


# --- one default fit ------------------------------------------------------------------------------


def table(n_rows, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    scores = X[:, 0] * X[:, 1] + X[:, 2]
    return X, np.argsort(np.argsort(scores)) * n_classes // n_rows


@pytest.mark.parametrize("n_classes", [2, 3, 8])
@pytest.mark.parametrize("n_folds", [10, 6])
def test_a_default_fit_plans_each_batch_of_each_rows_once(
    made, monkeypatch, n_folds, n_classes, brief_search
):
    X, y = table(200, n_classes)
    n_outputs = min(n_classes, search.SEARCH_OUTPUTS) if n_classes > 2 else 1
    monkeypatch.setattr(search, "VALIDATION_ROWS", 20 * n_outputs * n_folds)
    model = fm.FMClassifier(warm_start=True).fit(X, y)  # no sampler, which needs no plan
    assert model.search_["stage"].count("model") >= 2
    keys = [one.key for one in made]
    assert len(keys) == len(set(keys))
    for one in made:
        assert len(one.transposed) > 0
        assert one.n_batches == len(set(one.transposed))
        assert not one.forgotten
    batch_sizes = {batch_size for _, batch_size in keys}
    assert len(keys) <= (n_folds + 1) * len(batch_sizes)  # the folds, and all rows
    # Who looks for plans finds one of the same rows, not one of the same data set.
    assert len({rows for rows, _ in keys}) == n_folds + 1


def test_with_validation_data_all_candidates_share_the_plan(made, brief_search):
    X, y = table(600, 2)
    fm.FMClassifier(warm_start=True).fit(X[:500], y[:500], eval_set=(X[500:], y[500:]))
    *raced, last = made  # the model itself is trained with a plan of its own
    assert len(raced) == len({one.key[1] for one in raced}) >= 1
    assert last.key[1] in {one.key[1] for one in raced}


def test_trainings_share_a_plan_and_take_turns():
    X, y = table(400, 3)
    given = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "search": None}
    alone = [fm.FMClassifier(**given).fit(X, y == c) for c in range(3)]
    together = fm.FMClassifier(**given, random_state=0).fit(X, y)
    assert together.V_.shape[0] == len(alone)


# --- the planner ----------------------------------------------------------------------------------


def test_a_planner_makes_each_plan_once():
    data = dataset()
    planner = Planner(lambda: np.random.default_rng(0), threads=1)
    first = planner.plan(data, 16)
    assert planner.plan(data, 16) is first
    assert planner.plan(data, 17) is not first
    assert planner.plan(data, 99) is planner.plan(data, 50)  # no batch is larger than the data
    wider = replace(data, X=dataset(columns=21).X)  # another encoding of the same rows
    assert planner.plan(wider, 16) is not first
    part = data.choose(np.arange(30))
    assert planner.plan(part, 16) is not first
    other = planner.plan(part, 16)
    planner.keep_only(data)
    assert planner.plan(data, 16) is first
    assert planner.plan(part, 16) is not other


def test_rows_decide_and_not_what_else_a_data_set_holds():
    data = dataset()
    planner = Planner(lambda: np.random.default_rng(0), threads=1)
    assert planner.plan(replace(data, y=-data.y), 16) is planner.plan(data, 16)


def test_memory_of_a_search_is_freed_before_training(monkeypatch, brief_search):
    """When the model itself is trained, the plans of the folds are gone."""
    X, y = table(200, 2)
    kept = []
    planners = []
    monkeypatch.setattr(
        fitting,
        "new_planner",
        lambda *a, **k: planners.append(new_planner(*a, **k)) or planners[-1],
    )

    class Watch:
        def begin(self, training):
            kept.extend(data.rows for data, _ in planners[-1]._plans.values())

        def __call__(self, epoch):
            pass

    fm.FMClassifier(epochs=2, callbacks=[Watch()]).fit(X, y)
    assert {len(rows) for rows in kept} == {200}


def test_batches_come_shuffled_if_asked_for():
    made = Plan(dataset(), 4, None, 1)
    orders = [made.order_of(np.random.default_rng(seed)).tolist() for seed in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == made.order_of(None).tolist() == list(range(13))


def test_a_plan_is_a_permutation_of_the_rows_that_take_part():
    data = dataset().choose(np.arange(3, 40))
    shuffled = Plan(data, 8, np.random.default_rng(0), 1)
    assert np.array_equal(np.sort(shuffled.rows), data.rows)
    assert not np.array_equal(shuffled.rows, data.rows)
    assert np.array_equal(Plan(data, 8, None, 1).rows, data.rows)
    assert (shuffled.n_batches, shuffled.batch_size, shuffled.total_weight) == (5, 8, 37)


# --- the budget -----------------------------------------------------------------------------------


def trained_within(monkeypatch, budget, **options):
    """Train with a budget of so many bytes; return the model."""
    monkeypatch.setattr(memory, "Room", lambda folder: Room(budget))
    X = sparse.random(500, 40, 0.1, "csr", random_state=0, dtype=np.float64)
    y = np.arange(500) % 2
    return fm.train(X, y, task="binary", epochs=3, batch_size=16, dtype="float64", **options)


@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_segments_change_nothing(monkeypatch, updates, made):
    whole = trained_within(monkeypatch, 1 << 30, solver=fm.Adam(updates=updates))
    assert sorted(made[-1].transposed) == list(range(32))
    all_bytes = made[-1].n_bytes
    for budget in (1, 3000, 10_000):
        parts = trained_within(monkeypatch, budget, solver=fm.Adam(updates=updates))
        assert len(made[-1].forgotten) == 32 * 3  # in each epoch
        assert made[-1].n_bytes == 0
        np.testing.assert_allclose(parts.V, whole.V, rtol=0, atol=0 if updates == "lazy" else 1e-12)
        np.testing.assert_allclose(
            [epoch.train_loss for epoch in parts.history],
            [epoch.train_loss for epoch in whole.history],
            rtol=1e-12,
        )
    assert all_bytes > 10_000


def test_no_more_memory_is_taken_than_the_budget_and_a_call(monkeypatch, made):
    monkeypatch.setattr(interrupts, "SECONDS_PER_CALL", 0)  # one batch a call
    trained_within(monkeypatch, 1 << 30)
    largest = made[-1].n_bytes
    for budget in (3000, 10_000):
        trained_within(monkeypatch, budget)
        one_batch = largest / 32
        assert 0.5 * budget < made[-1].most_bytes < budget + 2 * one_batch


def test_segments_do_not_depend_on_threads_or_on_how_fast_they_are_planned(monkeypatch):
    found = []
    for n_threads, seconds in ((1, 0.1), (2, 1e-9), (3, 1e9)):
        monkeypatch.setattr(interrupts, "SECONDS_PER_CALL", seconds)
        model = trained_within(
            monkeypatch, 5000, solver=fm.Adam(updates="exact"), n_threads=n_threads
        )
        found.append(model.V.tobytes())
    assert len(set(found)) == 1


# --- the extension --------------------------------------------------------------------------------


def core_plan(**changes):
    arguments = {"rows": np.arange(4), "weights": None, "batch_size": 2, "dtype": np.float64}
    arguments |= changes
    X = as_csr(np.eye(4), np.float64)
    return _core.Plan(X, **arguments | {"dtype": np.dtype(arguments["dtype"])})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"rows": np.array([0, 4])}, "a row that X does not have"),
        ({"rows": np.array([-1])}, "a row that X does not have"),
        ({"rows": np.arange(4.0)}, "rows must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"weights": np.ones(3)}, "weights must have shape"),
        ({"weights": np.ones(4, np.float32)}, "weights must be"),
        ({"dtype": np.int32}, "float32 or float64"),
    ],
)
def test_the_extension_checks_a_plan(changes, error):
    with pytest.raises((ValueError, TypeError), match=error):
        core_plan(**changes)


def test_the_extension_checks_batches():
    checked = core_plan()
    for batches in ([2], [-1], [0, 0]):
        for call in (
            lambda batches: checked.transpose(batches, 1),
            checked.forget,
            lambda batches: checked.count_within(batches, 1),
        ):
            with pytest.raises(ValueError, match="no such batch"):
                call(np.array(batches))
    assert checked.count_within(np.arange(2), 1 << 30) == 0
    checked.transpose(np.array([1]), 1)
    assert checked.count_within(np.array([1, 0]), 1 << 30) == 1
    assert checked.n_bytes > 0
    checked.forget(np.array([1]))
    assert checked.n_bytes == 0
