"""Files where `train` takes matrices."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

import sparsefm as fm

SETTINGS = {"rank": 3, "epochs": 2, "n_threads": 1}


def same(one, other):
    assert one.w0 == other.w0
    np.testing.assert_array_equal(one.w, other.w)
    np.testing.assert_array_equal(one.V, other.V)
    assert [epoch.val_loss for epoch in one.history] == [epoch.val_loss for epoch in other.history]


@pytest.fixture
def rows(tmp_path):
    """Return rows, and the paths of two files that hold them."""
    rng = np.random.default_rng(0)
    X = sp.random(90, 12, 0.3, "csr", random_state=rng, dtype=np.float32)
    X.data[:] = np.round(X.data, 3) + 1
    y = np.arange(90) % 2
    paths = [tmp_path / "a.svm", tmp_path / "b.svm"]
    for path, part in zip(paths, (slice(60), slice(60, 90)), strict=True):
        dump_svmlight_file(X[part], y[part], str(path), zero_based=False)
    return X, y, paths


def test_files_are_trained_on_as_their_rows(rows, tmp_path):
    X, y, paths = rows
    wanted = fm.train(X, y, task="binary", **SETTINGS)
    same(fm.train(paths, task="binary", **SETTINGS), wanted)
    same(fm.train(str(tmp_path / "*.svm"), None, task="binary", **SETTINGS), wanted)


def test_validation_rows_from_a_file(rows):
    X, y, (first, second) = rows
    wanted = fm.train(X[:60], y[:60], X[60:], y[60:], task="binary", **SETTINGS)
    same(fm.train(first, X_val=second, task="binary", **SETTINGS), wanted)
    same(fm.train(first, None, X[60:], y[60:], task="binary", **SETTINGS), wanted)


def test_both_files_have_the_same_features(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1 1:1 2:2\n0 2:1\n")
    second.write_text("1 0:1 7:2\n0 2:1\n")
    model = fm.train(first, X_val=second, task="binary", **SETTINGS)
    assert model.n_features == 8
    assert (model.w[[0, 3, 4, 5, 6, 7]] == 0).all()
    assert (model.w[1:3] != 0).all()


def test_a_file_beside_a_matrix_is_refused(tmp_path):
    """If it counts from 0 but has no feature 0, a guess would move all features by one."""
    path = tmp_path / "a"
    path.write_text("1 1:1 3:2\n")
    for matrix in (np.eye(4), sp.eye(4, format="csr"), [[1, 0], [0, 1]]):
        y = np.arange(len(matrix) if isinstance(matrix, list) else 4) % 2
        with pytest.raises(ValueError, match=r"X_val names files, but .*n_features and zero_based"):
            fm.train(matrix, y, path, task="binary", **SETTINGS)


def test_the_fields_of_both_files_agree(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1 0:1:1 1:2:1\n0 0:4:1 1:2:1\n" * 9)
    second.write_text("1 0:1:1 1:3:1\n0 2:9:1\n")
    how = SETTINGS | {"task": "binary", "variant": "fwfm"}
    model = fm.train(first, X_val=second, **how)
    np.testing.assert_array_equal(model.fields, [0, 1, 1, 0, 0, 0, 0, 0, 2])
    second.write_text("1 0:1:1\n1 0:2:1\n")
    with pytest.raises(
        fm.FileFormatError, match=r"b, line 2: index 2 is in field 0, but before in field 1"
    ):
        fm.train(first, X_val=second, **how)


def test_errors_name_no_argument_that_train_has_not(tmp_path):
    path = tmp_path / "a"
    path.write_text("1 1:x\n")
    with pytest.raises(fm.FileFormatError, match=r"; max_bad_lines of sparsefm\.SparseText says"):
        fm.train(path)
    path.write_text("1 0:1 2147483647:1\n")
    with pytest.raises(
        fm.FileFormatError, match=r"at most 2147483647 are possible; number"
    ) as told:
        fm.train(path)
    assert "raise n_features" not in str(told.value)


def test_the_fields_of_a_libffm_file_are_those_of_pairs(tmp_path):
    path = tmp_path / "data.ffm"
    path.write_text("".join(f"{i % 2} 0:{i % 3}:1 1:{3 + i % 4}:1\n" for i in range(40)))
    data = fm.read(path)
    np.testing.assert_array_equal(data.fields, [0, 0, 0, 1, 1, 1, 1])
    how = SETTINGS | {"task": "binary", "variant": "fwfm"}
    model = fm.train(path, **how)
    same(model, fm.train(data.X, data.y, fields=data.fields, **how))
    np.testing.assert_array_equal(model.fields, data.fields)
    other = fm.train(path, fields=[0, 0, 0, 1, 1, 2, 2], **how)
    np.testing.assert_array_equal(other.fields, [0, 0, 0, 1, 1, 2, 2])
    assert type(fm.train(path, **how | {"variant": "fm"})) is fm.Model


def test_targets_go_with_matrices_and_not_with_files(rows):
    X, y, (first, second) = rows
    with pytest.raises(ValueError, match="y must be None if X names files"):
        fm.train(first, y)
    with pytest.raises(ValueError, match="y_val must be None if X_val names files"):
        fm.train(first, X_val=second, y_val=y)
    with pytest.raises(ValueError, match="y is missing"):
        fm.train(X)
    with pytest.raises(ValueError, match="go together"):
        fm.train(first, X_val=X)
    with pytest.raises(FileNotFoundError, match="X_val is a pattern"):
        fm.train(first, X_val="no such*")
