"""A penalty for each field, against the reference, in `train` and in the core."""

import copy
import json
import pickle

import numpy as np
import pytest
from class_reference import class_objective, class_objective_gradients
from field_reference import (
    aware_objective,
    aware_objective_gradients,
    field_objective,
    field_objective_gradients,
    reference_steps,
)
from reference import objective, objective_gradients

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Plan
from sparsefm.io.values import from_json, to_json
from sparsefm.losses import Softmax
from sparsefm.optimizers import check_optimizer
from sparsefm.training.class_state import ClassState
from sparsefm.training.trainer import Trainer

PENALTIES = (0.5, 0.0, 0.02, 3.0)
N, D = 80, 11
SOLVERS = {
    "lazy": lambda **l2: fm.Adam(epsilon=1e-4, **l2),
    "exact": lambda **l2: fm.Adam(epsilon=1e-4, updates="exact", **l2),
    "adagrad": lambda **l2: fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5, **l2),
}


def problem(rank=3, ones=False, seed=0):
    """Draw rows, targets, fields, weights and parameters; no row has the last feature."""
    rng = np.random.default_rng(seed)
    X = (rng.random((N, D)) < 0.5) * (1.0 if ones else rng.normal(size=(N, D)))
    X[:, -1] = 0
    fields = np.r_[np.arange(4), rng.integers(0, 4, D - 4)]
    parameters = rng.normal(), 0.3 * rng.normal(size=D), 0.5 * rng.normal(size=(D, rank))
    return X, rng.integers(0, 2, N).astype(float), fields, rng.uniform(0.5, 2, N), parameters


def start_of(variant, fields, parameters, seed=1):
    """Return parameters to start from, for `train`, and for the reference after (w0, w)."""
    w0, w, V = parameters
    rng = np.random.default_rng(seed)
    if variant == "fm":
        return parameters, (V,)
    if variant == "fwfm":
        R = rng.normal(1, 0.5, (4, 4))
        R = np.triu(R) + np.triu(R, 1).T
        return fm.FieldWeightedModel(w0, w, V, "binary", "logistic", fields=fields, R=R), (V, R)
    V = 0.5 * rng.normal(size=(D, 4, V.shape[1]))
    return fm.FieldAwareModel(w0, w, V, "binary", "logistic", fields=fields), (V,)


def expected_steps(variant, X, y, fields, start, solver, weights, l2):
    """Return the parameters after three epochs in NumPy, given a penalty for each feature."""
    functions = {
        "fm": (objective, objective_gradients),
        "fwfm": (field_objective, field_objective_gradients),
        "ffm": (aware_objective, aware_objective_gradients),
    }
    own = () if variant == "fm" else (fields,)
    value, gradients = functions[variant]

    def slopes(X, y, parameters, r):
        return gradients(X, y, *own, *parameters, "logistic", r, 0.01, l2)

    def mean(X, y, parameters, r):
        return value(X, y, *own, *parameters, "logistic", r)

    learned = (np.full((4, 4), True),) if variant == "fwfm" else ()
    return reference_steps(X, y, start, mean, slopes, solver, weights, 20, learned)[0]


def trained(variant, X, y, fields, init, solver, weights=None, threads=1, dtype="float64"):
    return fm.train(
        X, y, task="binary", variant=variant, fields=fields, init=init, solver=solver, epochs=3,
        batch_size=20, shuffle=False, sample_weight=weights, n_threads=threads, dtype=dtype,
    )  # fmt: skip


def parts(model):
    return [getattr(model, name) for name in ("w0", "w", "V", "R") if hasattr(model, name)]


@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
def test_steps_are_those_of_the_reference(variant, name, weighted, ones):
    X, y, fields, r, parameters = problem(ones=ones)
    weights = r if weighted else None
    init, others = start_of(variant, fields, parameters)
    solver = SOLVERS[name](l2_linear=0.01, l2_factors=PENALTIES)
    l2 = np.array(PENALTIES)[fields]
    start = (*parameters[:2], *others)
    expected = expected_steps(variant, X, y, fields, start, solver, weights, l2)
    single = trained(variant, X, y, fields, init, solver, weights, dtype="float32")
    for threads in (1, 3):
        model = trained(variant, X, y, fields, init, solver, weights, threads)
        for found, rounded, wanted in zip(parts(model), parts(single), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)
            np.testing.assert_allclose(rounded, wanted, rtol=0, atol=2e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
def test_equal_penalties_have_the_bits_of_the_one_number(variant, name, penalty, dtype):
    X, y, fields, _, parameters = problem(rank=11)
    init, _ = start_of(variant, fields, parameters)
    one, several = (
        trained(variant, X, y, fields, init, SOLVERS[name](l2_factors=l2), threads=t, dtype=dtype)
        for l2, t in ((penalty, 1), ([penalty] * 4, 3))
    )
    for first, second in zip(parts(one), parts(several), strict=True):
        np.testing.assert_array_equal(first, second)


def class_steps(name, penalties, threads=1, dtype="float64", epochs=3):
    """Return the parameters of three classes after some epochs, and the problem."""
    X, _, fields, _, (_, _, V) = problem()
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, N)
    start = rng.normal(size=3), 0.3 * rng.normal(size=(D, 3)), V, rng.normal(size=(3, V.shape[1]))
    w0, w, V, U = (part.astype(dtype) for part in start)
    solver = SOLVERS[name](l2_factors=penalties)
    state = ClassState.begin(D, w0, V.shape[1], solver, 0)
    state.set_parameters(w0, w, V, U)
    targets = y.astype(dtype)
    dataset = Dataset.of(as_csr(X, np.dtype(dtype)), y, (targets,), None)
    plan = Plan(dataset, 20, None, threads)
    trainer = Trainer(state, Softmax(), solver, threads=threads, fields=fields)
    for _ in range(epochs):
        for segment in plan.segments(plan.order_of(None)):
            trainer.run(plan, targets, segment, 0.0)
    return (state.w0, state.w, state.V, state.U), (X, y, fields, start, solver)


@pytest.mark.parametrize("name", SOLVERS)
def test_classes_share_the_penalties(name):
    found, (X, y, fields, start, solver) = class_steps(name, PENALTIES)
    l2 = np.array(PENALTIES)[fields]

    def mean(X, y, parameters, r):
        return class_objective(X, y, *parameters, r)

    def slopes(X, y, parameters, r):
        return class_objective_gradients(X, y, *parameters, r, 1e-3, l2)

    expected, _ = reference_steps(X, y, start, mean, slopes, solver, learned=(...,))
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, wanted, rtol=0, atol=1e-11)
    for dtype in ("float32", "float64"):
        one, _ = class_steps(name, 0.2, 1, dtype)
        several, _ = class_steps(name, [0.2] * 4, 3, dtype)
        for first, second in zip(one, several, strict=True):
            np.testing.assert_array_equal(first, second)


def test_a_strong_penalty_shrinks_one_field():
    X, y, fields, _, _ = problem()
    sizes = {}
    for penalties in ((0.0,) * 4, (0.0, 0.0, 100.0, 0.0)):
        solver = fm.Adam(learning_rate=0.05, l2_factors=penalties)
        model = fm.train(X, y, task="binary", fields=fields, rank=3, solver=solver, epochs=30)
        sizes[penalties[2]] = [np.square(model.V[fields == a]).sum() for a in range(4)]
    assert sizes[100.0][2] < 1e-3 * sizes[0.0][2]
    assert sum(sizes[100.0]) > 0.1 * sum(sizes[0.0])


def test_a_one_hot_matrix_tells_its_fields():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (60, 3))
    X = (codes[:, :, None] == np.arange(3)).reshape(60, 9).astype(float)
    y = rng.normal(size=60)
    solver = fm.Adam(l2_factors=[0.1, 0.5, 2])
    one = fm.train(X, y, solver=solver)
    two = fm.train(X, y, solver=solver, fields=np.repeat(np.arange(3), 3))
    np.testing.assert_array_equal(one.V, two.V)
    assert not np.array_equal(one.V, fm.train(X, y, solver=fm.Adam(l2_factors=0.1)).V)


@pytest.mark.parametrize("kind", [fm.Adam, fm.AdaGrad])
def test_settings_are_checked(kind):
    assert kind(l2_factors=[1, 2.5]).l2_factors == (1.0, 2.5)
    assert kind(l2_factors=np.array([1, 2])) == kind(l2_factors=(1.0, 2.0)) != kind()
    assert kind(l2_factors={"a": 1}).l2_factors == {"a": 1.0}
    for wrong, message in (
        ([1, -2], r"l2_factors\[1\] must be at least 0, got -2"),
        ([1, np.nan], r"l2_factors\[1\] must be finite"),
        ({"a": -1}, r"l2_factors\['a'\] must be at least 0, got -1"),
        ([], "l2_factors holds no numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            kind(l2_factors=wrong)
    for wrong in ([1, "x"], "x", [[1, 2]], {"a": None}, None, {1, 2}, np.ones((2, 2))):
        with pytest.raises(TypeError, match=r"l2_factors.* must be a number"):
            kind(l2_factors=wrong)
    for large in ([1, 1e39], {"a": 1e39}):
        with pytest.raises(ValueError, match=r"l2_factors of 1e.39 is too large for float32"):
            check_optimizer(kind(l2_factors=large), np.dtype("float32"))


def test_train_needs_a_number_for_each_field():
    X, y, fields, _, parameters = problem()
    settings = {"task": "binary", "solver": fm.Adam(l2_factors=[1, 2, 3])}
    with pytest.raises(ValueError, match="l2_factors has 3 numbers, but there are 4 fields"):
        fm.train(X, y, fields=fields, **settings)
    init, _ = start_of("fwfm", fields, parameters)
    with pytest.raises(ValueError, match="l2_factors has 3 numbers, but there are 4 fields"):
        fm.train(X, y, init=init, variant="fwfm", **settings)  # the model's fields
    with pytest.raises(ValueError, match="l2_factors, a number for each field, needs fields"):
        fm.train(X, y, **settings)
    with pytest.raises(TypeError, match="l2_factors names fields, which have no names here"):
        fm.train(X, y, fields=fields, task="binary", solver=fm.Adam(l2_factors={"a": 1}))


@pytest.mark.parametrize("l2", [[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.5]])
def test_a_training_is_resumed(tmp_path, l2):
    X, y, fields, _, _ = problem()
    path = tmp_path / "checkpoint"
    settings = {"task": "binary", "fields": fields, "rank": 3}
    solver = fm.Adam(l2_factors=[0.1, 0.2, 0.3, 0.4])
    whole = fm.train(X, y, solver=solver, epochs=5, **settings)
    fm.train(X, y, solver=solver, epochs=2, callbacks=[fm.Checkpoint(path)], **settings)

    def resumed():
        return fm.train(X, y, solver=fm.Adam(l2_factors=l2), epochs=5, resume=path, **settings)

    if l2[-1] == 0.4:
        np.testing.assert_array_equal(resumed().V, whole.V)
    else:
        with pytest.raises(ValueError, match="solver is Adam"):
            resumed()


@pytest.mark.parametrize("kind", [fm.Adam, fm.AdaGrad])
def test_an_optimizer_never_changes(kind):
    given = {"a": 1, 2: 0.5}
    solver = kind(l2_factors=given)
    given["a"] = 7
    assert solver.l2_factors == {"a": 1.0, 2: 0.5}
    with pytest.raises(TypeError, match="does not support item assignment"):
        solver.l2_factors["a"] = 7
    other = kind(l2_factors={2: 0.5, "a": 1.0})
    assert solver == other
    assert hash(solver) == hash(other)
    assert solver != kind(l2_factors={"a": 1.0})
    assert "l2_factors={'a': 1.0, 2: 0.5}" in repr(solver)
    for copied in (copy.deepcopy(solver), pickle.loads(pickle.dumps(solver))):
        assert copied == solver
    assert from_json(json.loads(json.dumps(to_json(solver)))) == solver


def test_series_are_sequences():
    for library in ("pandas", "polars"):
        module = pytest.importorskip(library)
        assert fm.Adam(l2_factors=module.Series([1, 2])).l2_factors == (1.0, 2.0)
