"""`memory_budget`: the rows stay in files, and no number changes."""

import errno
import os

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

import sparsefm as fm
from sparsefm.data import mapped, plan
from sparsefm.files import lines, storing
from sparsefm.files.paths import SUFFIX

MIB = 1 << 20
BUDGET = 256 * MIB
SETTINGS = {"task": "binary", "rank": 3, "epochs": 3, "batch_size": 16, "n_threads": 2}


def made(n=400, d=60, *, ones=False, seed=0):
    """Return rows of different lengths, some without entries, and labels."""
    rng = np.random.default_rng(seed)
    X = sp.random(n, d, 0.1, "csr", random_state=rng, dtype=np.float32)
    X.data[:] = 1 if ones else np.round(X.data, 2) + 1
    return X, (np.arange(n) % 2).astype(float)


def written(path, X, y, *, zero_based=False):
    dump_svmlight_file(X, y, str(path), zero_based=zero_based)
    return str(path)


def same(one, other):
    assert type(one) is type(other)
    assert one.w0 == other.w0
    np.testing.assert_array_equal(one.w, other.w)
    np.testing.assert_array_equal(one.V, other.V)
    figures = [[(e.train_loss, e.val_loss) for e in m.history] for m in (one, other)]
    assert figures[0] == figures[1]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Make everything that is done piece by piece take several pieces."""
    monkeypatch.setattr(mapped.row_blocks, "__defaults__", (150,))
    monkeypatch.setattr("sparsefm.data.dataset.ENTRIES_AT_ONCE", 150)
    monkeypatch.setattr("sparsefm.io.pieces.PIECE", 1 << 10)
    monkeypatch.setattr("sparsefm.files.spool.PIECE", 1 << 10)
    monkeypatch.setattr(lines.pieces, "__defaults__", (1 << 12,))
    room = plan.Room

    def small(*sizes, folder=None):
        return room(20_000, 200, sizes[-1]) if sizes else room(bucket=200, folder=folder)

    monkeypatch.setattr("sparsefm.training.memory.Room", small)


# --- the same bits --------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize("solver", [fm.Adam(), fm.AdaGrad()])
def test_no_number_changes(tmp_path, solver, ones, shuffle):
    X, y = made(ones=ones)
    path = written(tmp_path / "a.svm", X, y)
    options = SETTINGS | {"solver": solver, "shuffle": shuffle}
    wanted = fm.train(path, **options)
    same(fm.train(path, memory_budget=BUDGET, **options), wanted)
    same(fm.train(path, memory_budget=BUDGET, **options), wanted)  # from the file beside it


def test_exact_updates_depend_on_the_budget_alone(tmp_path):
    """Where segments end changes their last bits, in memory as well."""
    X, y = made()
    path = written(tmp_path / "a.svm", X, y)
    options = SETTINGS | {"solver": fm.Adam(updates="exact"), "memory_budget": BUDGET}
    same(fm.train(path, **options), fm.train(X, y, **options))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_change_nothing(tmp_path, n_threads):
    X, y = made()
    path = written(tmp_path / "a.svm", X, y)
    one = fm.train(path, memory_budget=BUDGET, **SETTINGS)
    same(fm.train(path, memory_budget=BUDGET, **SETTINGS | {"n_threads": n_threads}), one)


def test_validation_rows_in_files(tmp_path):
    X, y = made()
    paths = written(tmp_path / "a", X[:300], y[:300]), written(tmp_path / "b", X[300:], y[300:])
    wanted = fm.train(X[:300], y[:300], X[300:], y[300:], **SETTINGS)
    same(fm.train(paths[0], X_val=paths[1], memory_budget=BUDGET, **SETTINGS), wanted)
    same(fm.train(X[:300], y[:300], lambda: [(X[300:], y[300:])], **SETTINGS), wanted)


def test_variants_with_the_fields_of_libffm(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.ffm"
    with path.open("w") as file:
        for row in range(200):
            cells = " ".join(f"{f}:{5 * f + rng.integers(5)}:1" for f in range(4))
            print(row % 2, cells, file=file)
    for variant in ("fwfm", "ffm"):
        wanted = fm.train(str(path), variant=variant, **SETTINGS)
        same(fm.train(str(path), variant=variant, memory_budget=BUDGET, **SETTINGS), wanted)


def test_a_one_hot_file_tells_its_fields(tmp_path):
    rng = np.random.default_rng(0)
    hot = np.stack([5 * f + rng.integers(5, size=300) for f in range(4)], axis=1)
    X = sp.csr_matrix((np.ones(1200, np.float32), hot.ravel(), np.arange(0, 1201, 4)), (300, 20))
    y = np.arange(300) % 2
    path = written(tmp_path / "a", X, y, zero_based=True)
    wanted = fm.train(X, y, variant="fwfm", **SETTINGS)
    same(fm.train(path, variant="fwfm", memory_budget=BUDGET, **SETTINGS), wanted)


def test_weights_of_zero_leave_rows_out(tmp_path):
    X, y = made()
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    path = written(tmp_path / "a", X, y)
    wanted = fm.train(X, y, sample_weight=weights, **SETTINGS)
    same(fm.train(path, sample_weight=weights, memory_budget=BUDGET, **SETTINGS), wanted)


def test_resuming(tmp_path):
    X, y = made()
    path, checkpoint = written(tmp_path / "a", X, y), tmp_path / "checkpoint"
    wanted = fm.train(X, y, **SETTINGS)
    writes = {"callbacks": [fm.Checkpoint(checkpoint)], "memory_budget": BUDGET}
    fm.train(path, **SETTINGS | {"epochs": 1}, **writes)
    same(fm.train(path, resume=checkpoint, **SETTINGS, **writes), wanted)
    fm.train(X, y, **SETTINGS | {"epochs": 1}, callbacks=[fm.Checkpoint(checkpoint)])
    same(fm.train(path, resume=checkpoint, **SETTINGS, **writes), wanted)


# --- streams --------------------------------------------------------------------------------------


def chunks(X, y, size=90, weights=None):
    for begin in range(0, len(y), size):
        part = slice(begin, begin + size)
        yield (X[part], y[part]) if weights is None else (X[part], y[part], weights[part])


@pytest.mark.parametrize("budget", [None, BUDGET])
def test_streams_are_trained_on_as_their_rows(budget):
    X, y = made()
    weights = np.arange(len(y)) % 3 + 1.0
    options = SETTINGS | {"memory_budget": budget}
    wanted = fm.train(X, y, **SETTINGS)
    same(fm.train(chunks(X, y), **options), wanted)
    same(fm.train(lambda: chunks(X.tocsc(), y), **options), wanted)
    wanted = fm.train(X, y, sample_weight=weights, **SETTINGS)
    same(fm.train(chunks(X, y, 90, weights), **options), wanted)


def test_weights_may_begin_late():
    X, y = made()
    weights = np.ones(len(y))
    weights[300:] = 2
    parts = [(X[:300], y[:300]), (X[300:], y[300:], weights[300:])]
    same(fm.train(iter(parts), **SETTINGS), fm.train(X, y, sample_weight=weights, **SETTINGS))


def test_values_may_begin_late():
    X, y = made(ones=True)
    late = X.copy()
    late.data[-5:] = 2
    same(fm.train(chunks(late, y), **SETTINGS), fm.train(late, y, **SETTINGS))


@pytest.mark.parametrize(
    ("stream", "error", "message"),
    [
        (lambda: 3, TypeError, "X must return an iterable of chunks, got 3"),
        (lambda: [], ValueError, "X has no chunks"),
        (lambda: [made()[0]], TypeError, r"chunk 0 of X must be \(X, y\) or"),
        (lambda: [made(), (made()[0], [1])], ValueError, "y of chunk 1 of X has 1 entries"),
        (lambda: [made(), made(d=61)], ValueError, "chunk 1 of X has 61 features, but 60 are"),
        (lambda: [([["a"]], [1])], TypeError, "chunk 0 of X must hold real numbers"),
        (lambda: [(np.ones((2, 2)), [0, np.nan])], ValueError, "y of chunk 0 of X holds nan"),
    ],
)
def test_bad_chunks(stream, error, message):
    with pytest.raises(error, match=message):
        fm.train(stream, **SETTINGS)


def test_an_error_of_a_stream_is_its_own():
    def stream():
        yield made()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fm.train(stream(), **SETTINGS)


def test_targets_beside_a_stream_are_refused():
    X, y = made()
    with pytest.raises(ValueError, match="y must be None if X is a stream"):
        fm.train(chunks(X, y), y)
    with pytest.raises(ValueError, match="sample_weight must be None"):
        fm.train(chunks(X, y, 90, y + 1), sample_weight=y + 1)


def test_gibbs_needs_memory(tmp_path):
    X, y = made()
    with pytest.raises(ValueError, match="Gibbs needs all of them in memory"):
        fm.train(X, y, solver=fm.Gibbs(), memory_budget=BUDGET)
    options = {"solver": fm.Gibbs(burn_in=1), "epochs": 3, "rank": 2}
    streamed, wanted = fm.train(chunks(X, y), **options), fm.train(X, y, **options)
    np.testing.assert_array_equal(streamed.predict(X), wanted.predict(X))


@pytest.mark.parametrize(
    ("budget", "error", "message"),
    [
        (1.5, TypeError, "memory_budget must be an integer, got 1.5"),
        (True, TypeError, "memory_budget must be an integer"),
        (0, ValueError, "memory_budget must be at least 1"),
        (MIB, ValueError, "memory_budget is 1048576 bytes, but even .* at least 134217728 are"),
        (128 * MIB, ValueError, "is 128 MiB, but at least 128 MiB are needed, of which"),
    ],
)
def test_bad_budgets(budget, error, message):
    with pytest.raises(error, match=message):
        fm.train(*made(), memory_budget=budget)


# --- the file beside the text ---------------------------------------------------------------------


def spied(monkeypatch):
    """Return a list of the texts that are parsed from now on."""
    parsed = []
    original = storing.Rows.read

    def read(self, path, threads):
        parsed.append(os.path.basename(path))
        return original(self, path, threads)

    monkeypatch.setattr(storing.Rows, "read", read)
    return parsed


def test_a_text_is_parsed_once_and_again_when_it_changed(tmp_path, monkeypatch):
    X, y = made()
    path, parsed = written(tmp_path / "a", X, y), spied(monkeypatch)
    for _ in range(2):
        fm.train(path, memory_budget=BUDGET, **SETTINGS)
    assert parsed == ["a"]
    fm.train(path, memory_budget=BUDGET, dtype="float64", **SETTINGS)
    assert parsed == ["a", "a"]
    written(tmp_path / "a", X[:300], y[:300])
    changed = fm.train(path, memory_budget=BUDGET, **SETTINGS)
    assert parsed == ["a", "a", "a"]
    same(changed, fm.train(X[:300], y[:300], **SETTINGS))
    fm.train([path, path], memory_budget=BUDGET, **SETTINGS)
    del parsed[:]
    fm.train(path, memory_budget=BUDGET, **SETTINGS)
    fm.train([path, path], memory_budget=BUDGET, **SETTINGS)
    assert parsed == []  # each way to read it has a file
    assert len(os.listdir(tmp_path)) == 4
    assert all(name == "a" or name.endswith(SUFFIX) for name in os.listdir(tmp_path))


@pytest.mark.parametrize("place", [0, 20, 3000, -1])
def test_a_damaged_file_is_made_anew(tmp_path, place):
    X, y = made()
    path = written(tmp_path / "a", X, y)
    wanted = fm.train(path, memory_budget=BUDGET, **SETTINGS)
    content = bytearray((tmp_path / ("a" + SUFFIX)).read_bytes())
    content[place] ^= 1
    (tmp_path / ("a" + SUFFIX)).write_bytes(content)
    same(fm.train(path, memory_budget=BUDGET, **SETTINGS), wanted)
    (tmp_path / ("a" + SUFFIX)).write_bytes(content[:100])
    same(fm.train(path, memory_budget=BUDGET, **SETTINGS), wanted)


def test_where_indices_begin_is_decided_by_both_files(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("1 1:1 2:2\n0 2:1\n")
    (tmp_path / "b").write_text("1 0:1 7:2\n0 2:1\n")
    paths, parsed = (str(tmp_path / "a"), str(tmp_path / "b")), spied(monkeypatch)
    options = SETTINGS | {"memory_budget": BUDGET}
    assert fm.train(paths[0], **options).n_features == 2
    model = fm.train(paths[0], X_val=paths[1], **options)
    assert model.n_features == 8
    assert (model.w[1:3] != 0).all()
    same(model, fm.train(paths[0], X_val=paths[1], **SETTINGS))
    same(model, fm.train(paths[0], X_val=paths[1], **options))
    assert fm.train(paths[0], **options).n_features == 2
    same(model, fm.train(paths[0], X_val=paths[1], **options))
    assert parsed == ["a", "b", "a", "a", "b"]  # the third and fourth by training in memory


def test_a_pattern_does_not_match_the_file_beside_the_text(tmp_path):
    X, y = made()
    written(tmp_path / "a1", X[:200], y[:200])
    written(tmp_path / "a2", X[200:], y[200:])
    for _ in range(2):
        same(
            fm.train(str(tmp_path / "a*"), memory_budget=BUDGET, **SETTINGS),
            fm.train(X, y, **SETTINGS),
        )


def test_a_full_disk_names_the_folder(tmp_path, monkeypatch):
    X, y = made()
    path = written(tmp_path / "a", X, y)

    def full(array):
        raise OSError(errno.ENOSPC, "No space left on device")

    for module in ("sparsefm.files.spool", "sparsefm.data.shuffled"):
        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.bytes_of", full)
            with pytest.raises(OSError, match="No space") as caught:
                fm.train(path, memory_budget=BUDGET, **SETTINGS)
        assert caught.value.filename == str(tmp_path)
        fm.train(path, memory_budget=BUDGET, **SETTINGS)
        assert sorted(os.listdir(tmp_path)) == ["a", "a" + SUFFIX]
        if module == "sparsefm.files.spool":
            os.utime(path, (1, 1))


def test_a_malformed_line_leaves_no_file(tmp_path):
    (tmp_path / "a").write_text("1 1:1\n0 2:x\n")
    with pytest.raises(fm.FileFormatError, match="line 2, column 3"):
        fm.train(str(tmp_path / "a"), memory_budget=BUDGET)
    assert os.listdir(tmp_path) == ["a"]


def test_a_feature_of_two_fields_in_two_files(tmp_path):
    (tmp_path / "a").write_text("1 0:1:1 1:2:1\n0 0:1:1 1:3:1\n")
    (tmp_path / "b").write_text("1 1:1:1\n")
    with pytest.raises(fm.FileFormatError, match="index 1 is in field 1, but was in field 0 in a"):
        fm.train(str(tmp_path / "a"), X_val=str(tmp_path / "b"), memory_budget=BUDGET)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path):
    X, y = made()
    path = written(tmp_path / "a", X, y)
    tmp_path.chmod(0o500)
    try:
        model = fm.train(path, memory_budget=BUDGET, **SETTINGS)
    finally:
        tmp_path.chmod(0o700)
    same(model, fm.train(X, y, **SETTINGS))
