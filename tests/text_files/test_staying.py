"""Files of rows among others: processes, folders, streams beside texts, a user's own mappings."""

import errno
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

import sparsefm as fm
from sparsefm.files.paths import SUFFIX

BUDGET = 256 << 20
SETTINGS = {"task": "binary", "rank": 2, "epochs": 2, "n_threads": 1}


@pytest.fixture
def rows():
    """Return rows without an entry in column 0, and labels."""
    rng = np.random.default_rng(0)
    X = sp.random(80, 9, 0.4, "csr", random_state=rng, dtype=np.float32)
    X.data[:] = np.round(X.data, 2) + 1
    X = sp.csr_matrix(X.multiply(np.arange(9) > 0), dtype=np.float32)
    X.eliminate_zeros()
    return X, (np.arange(80) % 2).astype(float)


def written(path, X, y):
    dump_svmlight_file(X, y, str(path), zero_based=False)
    return str(path)


def same(one, other):
    np.testing.assert_array_equal(one.w, other.w)
    np.testing.assert_array_equal(one.V, other.V)
    assert [e.val_loss for e in one.history] == [e.val_loss for e in other.history]


# --- streams beside texts -------------------------------------------------------------------------


def test_a_text_beside_a_stream_is_refused(rows, tmp_path):
    X, y = rows
    path = written(tmp_path / "a", X, y)
    with pytest.raises(ValueError, match="X_val names files, but X is a matrix or a stream"):
        fm.train(iter([rows]), X_val=path, **SETTINGS)
    fm.convert(iter([rows]), tmp_path / "rows")
    with pytest.raises(ValueError, match="X_val is text, but X holds rows of matrices"):
        fm.train(tmp_path / "rows", X_val=path, **SETTINGS)


def test_columns_of_a_stream_are_not_moved(rows, tmp_path):
    X, y = rows
    path = written(tmp_path / "a", X, y)
    wanted = fm.train(X, y, X, y, **SETTINGS)
    same(fm.train(iter([rows]), X_val=iter([rows]), **SETTINGS), wanted)
    wanted = fm.train(path, X_val=X, y_val=y, **SETTINGS)
    same(fm.train(path, X_val=iter([rows]), **SETTINGS), wanted)


def test_widths_must_be_equal(rows, tmp_path):
    X, y = rows
    wider = sp.hstack([X, X], "csr")
    path = written(tmp_path / "a", X, y)
    with pytest.raises(ValueError, match="X_val has 18 features, but 9 are expected"):
        fm.train(X, y, iter([(wider, y)]), **SETTINGS)
    for first in (iter([rows]), path):
        with pytest.raises(ValueError, match="X has 9 features, but X_val has 18"):
            fm.train(first, X_val=iter([(wider, y)]), **SETTINGS)


def test_weights_of_validation_rows_are_refused(rows):
    X, y = rows
    with pytest.raises(ValueError, match="X_val yields weights, but validation rows have none"):
        fm.train(X, y, iter([(X, y, y + 1)]), **SETTINGS)


def test_a_first_chunk_without_rows(rows, tmp_path):
    X, y = rows
    wanted = fm.train(X, y, **SETTINGS)
    same(fm.train(iter([(X[:0], y[:0]), rows, (X[:0], y[:0])]), **SETTINGS), wanted)
    with pytest.raises(ValueError, match="is empty: it has 0 rows"):
        fm.train(iter([(X[:0], y[:0])]), **SETTINGS)
    path = tmp_path / "comments"
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="is empty: it has 0 rows"):
        fm.train(path, memory_budget=BUDGET, **SETTINGS)


def test_a_list_of_chunks_is_told_what_to_do(rows):
    with pytest.raises(ValueError, match=r"an iterator of chunks, such as iter\(\[\(X, y\)\]\)"):
        fm.train([rows], **SETTINGS)


# --- a user's own mappings ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["c", "r+", "r"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_mapping_of_the_user_is_left_alone(rows, tmp_path, mode, shuffle):
    """Of a copy-on-write mapping, giving memory back would undo what the user has changed."""
    X, y = rows
    mapped = X.copy()
    for name in ("data", "indices", "indptr"):
        getattr(X, name).tofile(tmp_path / name)
        array = np.memmap(tmp_path / name, getattr(X, name).dtype, mode)
        if name == "data" and mode != "r":
            array *= 2
        setattr(mapped, name, array)
    expected = X * 2 if mode != "r" else X
    model = fm.train(mapped, y, shuffle=shuffle, **SETTINGS)
    np.testing.assert_array_equal(mapped.data, expected.data)
    same(model, fm.train(expected, y, shuffle=shuffle, **SETTINGS))


def test_a_mapping_that_a_callback_changes_is_noticed(rows, tmp_path):
    X, y = rows
    X.indices.tofile(tmp_path / "indices")
    X.indices = np.memmap(tmp_path / "indices", np.int32, "r+")

    def change(epoch):
        X.indices[:] = 2**31 - 1

    with pytest.raises(ValueError, match="was changed by a callback"):
        fm.train(X, y, callbacks=[change], **SETTINGS)


# --- processes and folders ------------------------------------------------------------------------

SCRIPT = """
import sys, time
import numpy as np, sparsefm as fm
a, b, kind = sys.argv[1:]
calls = {
    "one": lambda **o: fm.train(a, **o),
    "two": lambda **o: fm.train([a, b], **o),
    "wide": lambda **o: fm.train(a, dtype="float64", **o),
}
options = {"task": "binary", "rank": 2, "epochs": 1, "n_threads": 1}
wanted = calls[kind](**options).w
end = time.monotonic() + 2
while time.monotonic() < end:
    found = calls[kind](memory_budget=256 << 20, **options).w
    assert np.array_equal(found, wanted)
"""


def test_processes_do_not_take_each_other_s_rows(rows, tmp_path):
    X, y = rows
    paths = written(tmp_path / "a", X[:50], y[:50]), written(tmp_path / "b", X[50:], y[50:])
    started = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, *paths, kind], stderr=subprocess.PIPE)
        for kind in ("one", "two", "wide", "one")
    ]
    for process in started:
        error = process.communicate(timeout=120)[1]
        assert process.returncode == 0, error.decode()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_a_folder_that_takes_no_file(rows, tmp_path, monkeypatch, caplog, number):
    X, y = rows
    path = written(tmp_path / "a", X, y)

    def refuse(path):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("sparsefm.files.cache.replacing", refuse)
    same(fm.train(path, memory_budget=BUDGET, **SETTINGS), fm.train(X, y, **SETTINGS))
    assert os.listdir(tmp_path) == ["a"]
    assert "cannot be written: the text will be parsed each time" in caplog.text


@pytest.mark.parametrize("content", ["precious", None])
def test_a_file_of_somebody_else_stays(rows, tmp_path, content):
    X, y = rows
    path, other = written(tmp_path / "a", X, y), tmp_path / ("a" + SUFFIX)
    if content is None:
        fm.convert(iter([(X[:40], y[:40])]), other)
    else:
        other.write_text(content)
    before = other.read_bytes()
    same(fm.train(path, memory_budget=BUDGET, **SETTINGS), fm.train(X, y, **SETTINGS))
    assert other.read_bytes() == before


def test_convert_does_not_replace_its_source(rows, tmp_path):
    path = written(tmp_path / "a", *rows)
    with pytest.raises(ValueError, match="path is source"):
        fm.convert(path, tmp_path / "." / "a")
    with pytest.raises(ValueError, match="are for text: a stream has none"):
        fm.convert(iter([rows]), tmp_path / "b", zero_based=True)


@pytest.mark.skipif(os.name != "posix", reason="others have no such modes")
def test_a_private_text_stays_private(rows, tmp_path):
    path = written(tmp_path / "a", *rows)
    os.chmod(path, 0o600)
    fm.train(path, memory_budget=BUDGET, **SETTINGS)
    assert os.stat(path + SUFFIX).st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe(rows, tmp_path):
    X, y = rows
    (tmp_path / "folder").mkdir()
    path, pipe = written(tmp_path / "a", X, y), str(tmp_path / "folder/pipe")
    os.mkfifo(pipe)
    with open(path, "rb") as file:
        text = file.read()

    def write():
        with open(pipe, "wb") as file:
            file.write(text)

    writer = threading.Thread(target=write)
    writer.start()
    same(fm.train(pipe, memory_budget=BUDGET, **SETTINGS), fm.train(X, y, **SETTINGS))
    writer.join()
    assert os.listdir(tmp_path / "folder") == ["pipe"]


# --- checkpoints ----------------------------------------------------------------------------------


def test_exact_updates_are_resumed_with_the_same_budget(rows, tmp_path):
    X, y = rows
    path, saved = written(tmp_path / "a", X, y), tmp_path / "saved"
    options = SETTINGS | {"solver": fm.Adam(updates="exact"), "callbacks": [fm.Checkpoint(saved)]}
    fm.train(path, memory_budget=BUDGET, **options | {"epochs": 1})
    with pytest.raises(ValueError, match="memory_budget is 536870912, but was 268435456"):
        fm.train(path, memory_budget=2 * BUDGET, resume=saved, **options)
    fm.train(path, memory_budget=BUDGET, resume=saved, **options)


def test_a_batch_that_is_too_large_is_refused():
    ones = np.ones(5_000_000, np.float32)
    columns = np.tile(np.arange(1000, dtype=np.int32), 5000)
    X = sp.csr_matrix((ones, columns, np.arange(0, 5_000_001, 1000)), (5000, 1000))
    with pytest.raises(ValueError, match="one of 5000 rows takes 76 MiB: lower batch_size"):
        fm.train(X, np.arange(5000) % 2, batch_size=5000, memory_budget=200 << 20, **SETTINGS)


def test_a_function_with_arguments_is_no_stream(rows):
    X, y = rows
    with pytest.raises(TypeError, match="X_val is a function that needs arguments"):
        fm.train(X, y, fm.EarlyStopping(), **SETTINGS)
