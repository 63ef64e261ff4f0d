"""`SparseText`: what `read` can be told, wherever a path may stand."""

import logging
import os
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

import sparsefm as fm
from sparsefm.files.paths import SUFFIX

SETTINGS = {"task": "binary", "rank": 2, "epochs": 2, "n_threads": 1}
QUICK = {"search": None, "solver": fm.Adam(), "epochs": 2}
BUDGET = 256 << 20
WAYS = pytest.mark.parametrize("way", [{}, {"memory_budget": BUDGET}], ids=["memory", "budget"])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Go to a folder with texts: of three lines `bad` has malformed ones, `tail` has no index 0."""
    random = np.random.default_rng(0)
    for name, first in (("good", 0), ("tail", 2), ("bad", 0)):
        pairs = np.sort(random.permuted(np.tile(np.arange(first, 8), (60, 1)), axis=1)[:, :2])
        lines = [f"{row % 2} {i}:1 {j}:0.5\n" for row, (i, j) in enumerate(pairs)]
        if name == "bad":
            lines[7:7], lines[30:30], lines[50:50] = ["1 3:x\n"], ["what\n"], ["0 1:1 nan:2\n"]
        (tmp_path / name).write_text("".join(lines))
    monkeypatch.chdir(tmp_path)


def same(one, other):
    np.testing.assert_array_equal(one.w, other.w)
    np.testing.assert_array_equal(one.V, other.V)
    assert [e.val_loss for e in one.history] == [e.val_loss for e in other.history]


def trained(data, valid=None, **options):
    sets = () if valid is None else (valid.X, valid.y)
    return fm.train(data.X, data.y, *sets, **SETTINGS, **options)


# --- train ----------------------------------------------------------------------------------------


@WAYS
def test_bad_lines_are_left_out_and_counted(way, caplog):
    wanted = trained(fm.read("bad", max_bad_lines=3))
    for _ in range(2):  # the second time the rows may come from the file beside the text
        caplog.clear()
        with caplog.at_level(logging.WARNING, "sparsefm"):
            same(fm.train(fm.SparseText("bad", max_bad_lines=3), **SETTINGS, **way), wanted)
        assert "3 bad lines" in caplog.text
    for few in (fm.SparseText("bad", max_bad_lines=2), "bad"):
        with pytest.raises(fm.FileFormatError, match="bad, line 8, column 3") as told:
            fm.train(few, **SETTINGS, **way)
    assert "; max_bad_lines of sparsefm.SparseText says how many" in str(told.value)
    same(fm.train(fm.SparseText("bad", max_bad_lines=9), **SETTINGS, **way), wanted)


@WAYS
def test_each_text_has_its_own_bad_lines(way):
    data = fm.read("bad", max_bad_lines=3)
    text = fm.SparseText("bad", max_bad_lines=3)
    wanted = trained(fm.read("good"), data)
    same(fm.train("good", X_val=text, **SETTINGS, **way), wanted)
    with pytest.raises(fm.FileFormatError, match="bad, line 8"):
        fm.train(text, X_val="bad", **SETTINGS, **way)


@WAYS
def test_where_indices_begin_is_told_for_both(way):
    tail, zero = fm.read("tail", zero_based=True), fm.SparseText("tail", zero_based=True)
    same(fm.train(zero, **SETTINGS, **way), trained(tail))
    wanted = trained(tail, tail)
    for X, X_val in ((zero, "tail"), ("tail", zero), (zero, zero)):
        same(fm.train(X, X_val=X_val, **SETTINGS, **way), wanted)
    one = fm.SparseText("tail", zero_based=False)
    assert fm.train(one, **SETTINGS, **way).n_features == fm.train(zero, **SETTINGS).n_features - 1
    with pytest.raises(ValueError, match="zero_based is True for X, but False for X_val"):
        fm.train(zero, X_val=one, **SETTINGS, **way)
    with pytest.raises(fm.FileFormatError, match="an index must be"):
        fm.train(one, X_val="good", **SETTINGS, **way)


@WAYS
def test_the_number_of_features_is_that_of_both(way):
    tail = fm.read("tail", n_features=20)
    wide = fm.SparseText("tail", n_features=20)
    same(fm.train(wide, **SETTINGS, **way), trained(tail))
    same(fm.train("tail", X_val=wide, **SETTINGS, **way), trained(tail, tail))
    with pytest.raises(fm.FileFormatError, match="there are 8 features, but at most 7 are"):
        fm.train(fm.SparseText("tail", n_features=7), X_val="good", **SETTINGS, **way)
    with pytest.raises(ValueError, match="n_features is 20 for X, but 21 for X_val"):
        fm.train(wide, X_val=fm.SparseText("tail", n_features=21), **SETTINGS, **way)


@WAYS
def test_another_file_tells_where_indices_of_a_width_begin(way):
    """An index 7 of 7 features that begin with 1 is one too many once they begin with 0."""
    text = fm.SparseText("tail", n_features=8)
    valid = fm.read("good", n_features=8)
    wanted = trained(fm.read("tail", n_features=8, zero_based=True), valid)
    for _ in range(2):
        same(fm.train(text, X_val="good", **SETTINGS, **way), wanted)
    assert fm.train(text, **SETTINGS, **way).n_features == 8


@WAYS
def test_the_format_is_told(way):
    with open("short", "w") as file:  # no second colon tells that it is libffm
        file.write("1 0:1 1:4\n0 0:2 1:3\n0 0:1 1:3\n1 0:2 1:4\n" * 9)
    how = SETTINGS | {"variant": "fwfm"}
    data = fm.read("short", "libffm")
    wanted = fm.train(data.X, data.y, fields=data.fields, **how)
    found = fm.train(fm.SparseText("short", "libffm"), **how, **way)
    same(found, wanted)
    np.testing.assert_array_equal(found.fields, [0, 0, 1, 1])
    assert fm.train("short", **SETTINGS, **way).n_features == 2


def test_lists_and_patterns():
    data = fm.read(["bad", "tail"], max_bad_lines=3)
    for path in (["bad", "tail"], "[bt]a*"):
        same(fm.train(fm.SparseText(path, max_bad_lines=3), **SETTINGS), trained(data))
    with pytest.raises(FileNotFoundError, match="X is a pattern that no file matches"):
        fm.train(fm.SparseText("no such*"), **SETTINGS)


def test_files_beside_a_text_are_one_for_each_way_to_read_it():
    ways = [{}, {"n_features": 9}, {"zero_based": True}, {"format": "libsvm"}]
    wanted = [trained(fm.read("tail", **way)) for way in ways]
    for _ in range(2):
        for way, model in zip(ways, wanted, strict=True):
            text = fm.SparseText("tail", **way)
            same(fm.train(text, memory_budget=BUDGET, **SETTINGS), model)
            more = fm.SparseText("tail", **way, max_bad_lines=5)
            same(fm.train(more, memory_budget=BUDGET, **SETTINGS), model)
    assert sum(name.endswith(SUFFIX) for name in os.listdir()) == len(ways)


@WAYS
def test_a_file_of_rows_is_what_it_was_converted_from(way):
    fm.convert("tail", "tail.rows", zero_based=True)
    for told in ({"zero_based": False}, {"format": "libffm"}, {"n_features": 7}):
        with pytest.raises(ValueError, match=r"tail\.rows") as of_train:
            fm.train(fm.SparseText("tail.rows", **told), **SETTINGS, **way)
        with pytest.raises(ValueError, match=r"tail\.rows") as of_read:
            fm.read("tail.rows", **told)
        assert str(of_train.value) == str(of_read.value)
    told = {"zero_based": True, "format": "libsvm", "n_features": 30, "max_bad_lines": 3}
    same(
        fm.train(fm.SparseText("tail.rows", **told), **SETTINGS, **way),
        trained(fm.read("tail.rows", n_features=30)),
    )


# --- estimators -----------------------------------------------------------------------------------


def test_estimators_take_it_everywhere():
    text, data = fm.SparseText("bad", max_bad_lines=3), fm.read("bad", max_bad_lines=3)
    y = data.y.astype(int)
    model = fm.FMClassifier(**QUICK).fit(text, eval_set=(text, None))
    expected = fm.FMClassifier(**QUICK).fit(data.X, y, eval_set=(data.X, y))
    assert model.history_["val_loss"] == expected.history_["val_loss"]
    np.testing.assert_array_equal(model.predict(text), expected.predict(data.X))
    assert model.score(text) == expected.score(data.X, y)
    model.partial_fit(text)
    expected.partial_fit(data.X, y)
    np.testing.assert_array_equal(model.predict_proba(text), expected.predict_proba(data.X))
    for call in (clone(model).fit, model.fit, model.predict, model.score, model.partial_fit):
        with pytest.raises(fm.FileFormatError, match=r"max_bad_lines of sparsefm\.SparseText"):
            call("bad")


def test_an_estimator_of_a_matrix_is_told_where_indices_begin():
    data = fm.read("good")
    model = fm.FMClassifier(**QUICK, warm_start=True).fit(data.X, data.y)
    with pytest.raises(ValueError, match=r"guess .* sparsefm\.SparseText\(path, zero_based=\.\.\."):
        model.predict("tail")
    X = fm.read("tail", zero_based=True, n_features=8).X
    text = fm.SparseText("tail", zero_based=True)
    np.testing.assert_array_equal(model.decision_function(text), model.decision_function(X))
    model.partial_fit(text)


def test_what_contradicts_the_fit_is_refused():
    model = fm.FMClassifier(**QUICK).fit("good")
    for call in (model.predict, model.score, model.partial_fit):
        with pytest.raises(ValueError, match="zero_based is False, but indices of the fit begin"):
            call(fm.SparseText("tail", zero_based=False))
    for call in (model.predict, model.score):
        with pytest.raises(ValueError, match="n_features is 9, but the fit had 8"):
            call(fm.SparseText("tail", n_features=9))
    with pytest.raises(ValueError, match="n_features is 7, but the fit had 8"):
        model.partial_fit(fm.SparseText("tail", n_features=7))
    assert model.partial_fit(fm.SparseText("tail", n_features=9)).n_features_in_ == 9
    with pytest.raises(TypeError, match="y must be None: X is sparse text"):
        fm.FMClassifier(**QUICK).fit(fm.SparseText("good"), "target")


@pytest.mark.parametrize("kind", [fm.FMClassifier, fm.FMRegressor])
def test_estimators_take_files_of_rows(kind):
    for name in ("good", "tail"):
        fm.convert(name, f"{name}.rows", zero_based=True)
    model = kind(**QUICK).fit("good.rows", eval_set=("tail.rows", None))
    wanted = kind(**QUICK).fit("good", eval_set=("tail", None))
    assert model.history_["val_loss"] == wanted.history_["val_loss"]
    for one, other in ((model, "tail"), (wanted, "tail.rows")):
        np.testing.assert_array_equal(one.predict(other), wanted.predict("tail"))
        assert one.score(other) == wanted.score("tail")
    fm.convert("tail", "other.rows", zero_based=False)
    with pytest.raises(ValueError, match=r"other\.rows was converted from indices that begin with"):
        model.predict("other.rows")
    more = model.partial_fit("tail.rows").predict("good")
    np.testing.assert_array_equal(more, wanted.partial_fit("tail").predict("good"))


def test_fields_of_files_of_rows_are_those_of_libffm():
    texts = {"a": "1 0:1:1 1:4:1\n0 0:2:1 1:3:1\n", "b": "1 0:1:1 2:6:1\n0 0:2:1 1:3:1\n"}
    for name, text in texts.items():
        with open(name, "w") as file:
            file.write(text * 20)
        fm.convert(name, f"{name}.rows", zero_based=False)
    kind = fm.FMClassifier(**QUICK, variant="fwfm")
    wanted = clone(kind).fit("a", eval_set=("b", None))
    for X, valid in (("a.rows", "b.rows"), ("a.rows", "b"), ("a", "b.rows")):
        model = clone(kind).fit(X, eval_set=(valid, None))
        assert model.encoder_.fields_.tolist() == [0, 0, 1, 1, 0, 2]
        np.testing.assert_array_equal(model.predict_proba("b.rows"), wanted.predict_proba("b"))
    wanted = clone(kind).partial_fit("a").partial_fit("b")
    for first, second in (("a.rows", "b.rows"), ("a.rows", "b"), ("a", "b.rows")):
        model = clone(kind).partial_fit(first).partial_fit(second)
        assert model.encoder_.fields_.tolist() == wanted.encoder_.fields_.tolist()
        np.testing.assert_array_equal(model.predict_proba("a"), wanted.predict_proba("a"))
    with open("c", "w") as file:
        file.write("1 1:1:1 0:4:1\n")
    fm.convert("c", "c.rows", zero_based=False)
    for other in ("c", "c.rows"):
        for call in (model.predict, model.partial_fit, model.score):
            with pytest.raises(fm.FileFormatError, match=r"index [14] is in field"):
                call(other)
        with pytest.raises(fm.FileFormatError, match=r"index [14] is in field"):
            clone(kind).fit("a.rows", eval_set=(other, None))


@pytest.mark.parametrize("later", ["moved", "moved.rows"])
def test_a_feature_of_field_0_stays_there(later):
    """Features that have not occurred are in field 0, too, and may be in another one later."""
    for name, line in (("a", "0:1:1 1:3:1"), ("new", "1:2:1 1:3:1"), ("moved", "1:1:1 1:3:1")):
        with open(name, "w") as file:
            file.write(f"1 {line}\n0 1:3:2\n" * 9)
    fm.convert("moved", "moved.rows", zero_based=False)
    kind = fm.FMClassifier(**QUICK, variant="fwfm")
    model = clone(kind).fit("a")
    for call in (model.predict, model.score, model.partial_fit):
        with pytest.raises(fm.FileFormatError, match="index 1 is in field 1, but was in field 0"):
            call(later)
    assert model.partial_fit("new").encoder_.fields_.tolist() == [0, 1, 1]
    data = fm.read("a")
    found = sp.csr_matrix(np.eye(4)[[0, 1] * 9] + np.eye(4)[[2, 3] * 9])
    of_matrix = clone(kind).fit(found, data.y.astype(int))
    assert of_matrix.encoder_.fields_.tolist() == [0, 0, 1, 1]
    with pytest.raises(fm.FileFormatError, match="index 1 is in field 1, but was in field 0"):
        of_matrix.partial_fit(fm.SparseText("moved", zero_based=True))
    own = kind.set_params(encoder=fm.TableEncoder(fields=[1, 1, 0])).fit("a")
    assert own.partial_fit("moved").encoder_.fields_.tolist() == [1, 1, 0]


def test_fields_beside_rows_without_features():
    """They do not tell where indices begin."""
    with open("a", "w") as file:
        file.write("1 0:1:1 1:6:1\n0 0:3:1 1:7:1\n" * 9)
    with open("none", "w") as file:
        file.write("1\n0\n" * 9)
    a, none = (fm.SparseText(name, "libffm", n_features=7) for name in ("a", "none"))
    fm.train(none, **SETTINGS, memory_budget=BUDGET)  # keeps a file
    for way in ({}, {"memory_budget": BUDGET}):
        model = fm.train(a, X_val=none, **SETTINGS | {"variant": "fwfm"}, **way)
        assert model.fields.tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_rows_of_matrices_have_columns_wherever_indices_of_text_begin():
    data = fm.read("good")
    fm.convert(iter([(data.X, data.y)]), "matrix.rows")
    model = fm.FMClassifier(**QUICK).fit(fm.SparseText("tail", zero_based=False, n_features=8))
    np.testing.assert_array_equal(model.predict("matrix.rows"), model.predict(data.X))
    wide = fm.SparseText("matrix.rows", n_features=9)
    chunks = iter([(fm.read("good", n_features=9).X, data.y)])
    assert fm.train(wide, X_val=chunks, **SETTINGS).n_features == 9


def test_estimators_take_the_weights_of_rows_of_a_stream():
    data = fm.read("good")
    weights = np.arange(60.0)
    fm.convert(iter([(data.X, data.y, weights)]), "weighted.rows")
    model = fm.FMRegressor(**QUICK).fit("weighted.rows")
    wanted = fm.FMRegressor(**QUICK).fit(data.X, data.y, weights)
    np.testing.assert_array_equal(model.predict(data.X), wanted.predict(data.X))
    assert model.score("weighted.rows") == wanted.score(data.X, data.y, weights)
    with pytest.raises(ValueError, match="eval_set and X must both be text"):
        fm.FMRegressor(**QUICK).fit("weighted.rows", eval_set=("tail", None))
    with pytest.raises(ValueError, match="sample_weight must be None"):
        fm.FMRegressor(**QUICK).fit("weighted.rows", None, weights)
    with pytest.raises(ValueError, match="only a guess would tell"):
        model.predict("tail")


# --- the object -----------------------------------------------------------------------------------


def test_it_checks_what_it_is_given():
    for error, argument, given in (
        (TypeError, "path", {"path": 5}),
        (TypeError, "path", {"path": []}),
        (ValueError, "format", {"format": "csv"}),
        (ValueError, "zero_based", {"zero_based": "yes"}),
        (ValueError, "n_features", {"n_features": 0}),
        (TypeError, "max_bad_lines", {"max_bad_lines": 0.5}),
        (ValueError, "max_bad_lines", {"max_bad_lines": -1}),
    ):
        with pytest.raises(error, match=f"^{argument} "):
            fm.SparseText(**{"path": "a"} | given)
    text = fm.SparseText("a", max_bad_lines=3)
    assert text == pickle.loads(pickle.dumps(text))
    assert repr(text) == (
        "SparseText(path='a', format='auto', zero_based='auto', n_features=None, max_bad_lines=3)"
    )


def test_functions_with_options_of_their_own_take_paths():
    text = fm.SparseText("good")
    for call in (fm.read, lambda text: fm.convert(text, "x"), fm.read_table):
        with pytest.raises(TypeError, match="must be a path, a pattern or a list of them"):
            call(text)
