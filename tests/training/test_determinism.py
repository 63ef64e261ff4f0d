"""What is random, and what is the same bits: threads, repetitions, rows of weight zero, levels."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm import _core

LOSSES = {"squared": "regression", "huber": "regression", "logistic": "binary", "hinge": "binary"}
DTYPES = ["float32", "float64"]


@pytest.fixture(autouse=True)
def _helpers():
    """Have helpers in every call: otherwise a busy machine would test one thread only."""
    _core.keep_helpers(True)
    yield
    _core.keep_helpers(False)


@cache
def problem(ones=False):
    """Draw data of which a batch of 700 fills blocks of rows, features and pieces of features."""
    rng = np.random.default_rng(0)
    parts = [sparse.random(3000, *part, random_state=rng) for part in ((4, 0.9), (5000, 0.003))]
    X = sparse.hstack(parts, format="csr")
    X.data = np.ones_like(X.data) if ones else rng.normal(size=X.nnz)
    assert len(np.unique(X[:700].indices)) > 16 * 128
    return X, rng.normal(size=3000), rng.uniform(0.5, 2, 3000)


def fit(loss="squared", updates="lazy", dtype="float32", *, weighted=False, ones=False, **options):
    X, y, r = problem(ones)
    options = {"epochs": 2, "batch_size": 700, "rank": 12, **options}
    kind = fm.AdaGrad if updates == "adagrad" else partial(fm.Adam, updates=updates)
    solver = kind(learning_rate=0.05, l2_factors=0.01)
    return fm.train(
        X,
        y if LOSSES[loss] == "regression" else y > 0,
        *(X[:500], y[:500] if LOSSES[loss] == "regression" else y[:500] > 0),
        task=LOSSES[loss],
        loss=loss,
        solver=solver,
        dtype=dtype,
        sample_weight=r if weighted else None,
        **options,
    )


def bits(model):
    """Return everything that must not differ: parameters and history, except the time."""
    records = [(e.train_loss, e.val_loss, *e.metrics.items()) for e in model.history]
    return model.w0, model.w.tobytes(), model.V.tobytes(), records


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("updates", ["lazy", "exact", "adagrad"])
@pytest.mark.parametrize("loss", LOSSES)
def test_threads_do_not_change_a_bit(loss, updates, dtype, weighted):
    settings = (loss, updates, dtype)
    expected = bits(fit(*settings, weighted=weighted, n_threads=1))
    for n_threads in (2, 3, 4, 7, 16):
        assert bits(fit(*settings, weighted=weighted, n_threads=n_threads)) == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("updates", ["lazy", "exact", "adagrad"])
def test_the_default_number_of_threads_does_not_either_but_the_seed_does(updates, dtype):
    expected = bits(fit("squared", updates, dtype, n_threads=1))
    assert bits(fit("squared", updates, dtype)) == expected
    assert bits(fit("squared", updates, dtype, n_threads=1, seed=1)) != expected


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_repetitions_do_not_change_a_bit(updates, dtype, weighted):
    seen, clutter = set(), []
    for size in range(8):
        clutter.append(bytearray(20000 + 16 * size))  # arrays begin at other places in memory
        seen.add(str(bits(fit("squared", updates, dtype, weighted=weighted, n_threads=1))))
    assert len(seen) == 1


@pytest.mark.parametrize("updates", ["lazy", "exact"])
@pytest.mark.parametrize(("rank", "size"), list(product([0, 3, 33], [512, 1024, 10**6])))
def test_neither_for_other_ranks_and_batches(rank, size, updates):
    options = {"updates": updates, "ones": True, "rank": rank, "batch_size": size}
    expected = bits(fit(n_threads=1, **options))
    for n_threads in (2, 5):
        for _ in range(3):
            assert bits(fit(n_threads=n_threads, **options)) == expected


def test_layers_and_predictions_do_not_depend_on_threads():
    X, y, _ = problem()
    model = fit()
    arguments = (model.w0, model.w, model.V)
    results = []
    for n_threads in (1, 2, 3, 16):
        threads = {"n_threads": n_threads}
        found = [fm.predict(X, model, **threads), fm.nn.forward(X, *arguments, **threads)]
        found += fm.nn.backward(X, y, *arguments, **threads)
        results.append([np.asarray(part).tobytes() for part in found])
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_two_python_threads_at_once(n_threads):
    settings = [("squared", "lazy"), ("logistic", "exact"), ("hinge", "lazy"), ("squared", "exact")]
    expected = [bits(fit(*setting, n_threads=1)) for setting in settings]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            models = pool.map(lambda setting: fit(*setting, n_threads=n_threads), settings)
            assert [bits(model) for model in models] == expected


# --- rows of weight zero ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("ones", [False, True], ids=["weighted", "even"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_weight_of_zero_is_leaving_the_row_out(loss, ones, shuffle, dtype):
    rng = np.random.default_rng(0)
    X, y, keep = rng.normal(size=(300, 5)), rng.normal(size=300), rng.random(300) < 0.6
    X[keep, 4] = 0  # a feature of dropped rows only: not to be drawn either
    y = y if LOSSES[loss] == "regression" else y > 0
    r = np.ones(300) if ones else rng.uniform(0.5, 2, 300)
    options = {"task": LOSSES[loss], "loss": loss, "batch_size": 32, "shuffle": shuffle}
    zeroed = fm.train(X, y, sample_weight=np.where(keep, r, 0), dtype=dtype, **options)
    weights = None if ones else r[keep]
    dropped = fm.train(X[keep], y[keep], sample_weight=weights, dtype=dtype, **options)
    assert not zeroed.V[4].any()
    assert bits(zeroed) == bits(dropped)


# --- what is drawn ------------------------------------------------------------------------------


def drawn(**options):
    """Return V at the start: the only epoch moves nothing by more than 1e-12."""
    y, X = np.random.default_rng(5).normal(size=3000), sparse.identity(3000, format="csr")
    solver = fm.Adam(learning_rate=1e-12)
    options = {"dtype": "float64", "batch_size": 3000, **options}
    return fm.train(X, y, epochs=1, solver=solver, **options).V


@pytest.mark.parametrize("scale", [None, 0.7])
def test_normal_start(scale):
    V = drawn(init="normal", init_scale=scale, rank=8)
    scale = scale or 0.05
    assert V.std() == pytest.approx(scale, rel=0.02)
    assert abs(V.mean()) < 4 * scale / np.sqrt(V.size)
    assert np.mean(np.abs(V) < scale) == pytest.approx(0.6827, abs=0.015)
    assert len(np.unique(V)) > 0.99 * V.size


@pytest.mark.parametrize("scale", [None, 0.7])
@pytest.mark.parametrize("rank", [1, 8])
def test_uniform_start(rank, scale):
    V = drawn(init="uniform", init_scale=scale, rank=rank)
    width = (scale or 0.3) / np.sqrt(rank)
    assert -1e-11 <= V.min() < 0.01 * width
    assert 0.99 * width < V.max() <= width + 1e-11
    assert V.mean() == pytest.approx(width / 2, rel=0.04)
    assert V.std() == pytest.approx(width / np.sqrt(12), rel=0.04)


def test_seeds_draw():
    first, again, other = (drawn(seed=seed) for seed in (0, 0, 1))
    assert first.shape == (3000, 8)
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.05
    assert not np.array_equal(drawn(seed=None), drawn(seed=None))
    np.testing.assert_allclose(drawn(dtype="float32"), first, atol=1e-8)


def test_seeds_shuffle():
    start = fit(epochs=1)
    models = [bits(fit(init=start, rank=None, seed=seed)) for seed in (0, 0, 1)]
    assert models[0] == models[1] != models[2]
    assert bits(fit(init=start, rank=None, shuffle=False)) != models[0]


# --- instruction sets ---------------------------------------------------------------------------

TRAIN = """
import sys
import numpy as np
from test_determinism import LOSSES, fit
from sparsefm import _core

models = {}
for loss in LOSSES:
    for updates in ("lazy", "exact"):
        for dtype in ("float32", "float64"):
            model = fit(loss, updates, dtype, epochs=2, n_threads=1)
            found = np.concatenate([[model.w0], model.w, model.V.ravel()])
            models[f"{loss} {updates} {dtype}"] = found
np.savez(sys.argv[1], **models)
print(_core.isa)
"""


def run(code, *arguments, isa):
    """Run a script in another interpreter, with SPARSEFM_ISA set."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "SPARSEFM_ISA": isa}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_level_of_the_instruction_set_trains_alike(tmp_path):
    assert _core.isa in _core.isa_levels
    if len(_core.isa_levels) == 1:
        pytest.skip(f"only {_core.isa} is available here")
    results = []
    for isa in _core.isa_levels:
        done = run(TRAIN, tmp_path / f"{isa}.npz", isa=isa)
        assert (done.stdout, done.returncode) == (f"{isa}\n", 0), done.stderr
        results.append(dict(np.load(tmp_path / f"{isa}.npz")))
    for name, expected in results[-1].items():
        relative = 1e-4 if name.endswith("float32") else 1e-10
        for result in results[:-1]:
            error = np.linalg.norm(result[name] - expected) / np.linalg.norm(expected)
            assert error < relative, name
    assert any((results[0][name] != results[-1][name]).any() for name in results[0])


def test_levels_report_themselves():
    show = "import sparsefm; sparsefm.show_versions()"
    for isa in _core.isa_levels:
        done = run(show, isa=isa)
        assert done.returncode == 0, done.stderr
        assert f"instruction set: {isa} (available: {', '.join(_core.isa_levels)})" in done.stdout
    assert f"instruction set: {_core.isa_levels[-1]} " in run(show, isa="").stdout


TELL = """
import sys
try:
    import sparsefm
except ImportError as error:
    sys.exit(repr(error))
"""


@pytest.mark.parametrize("isa", ["bogus", "V3", "9"])
def test_an_unknown_level_is_an_import_error(isa):
    done = run(TELL, isa=isa)
    assert done.returncode == 1
    assert all(name in done.stderr for name in ("SPARSEFM_ISA", repr(isa), *_core.isa_levels))


@pytest.mark.parametrize("scale", [2.0**-200, 2.0**200])
def test_only_proportions_of_weights_matter(scale):
    X, y, weights = problem()
    fits = [fm.train(X, y, sample_weight=w, epochs=1) for w in (weights, weights * scale)]
    assert bits(fits[0]) == bits(fits[1])
