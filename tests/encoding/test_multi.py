"""Columns of lists: several features a row, in one field."""

import json
import math

import numpy as np
import pytest
from list_columns import ROWS, TEXT, encoded, expect, objects
from scipy import sparse
from sklearn.base import clone

from sparsefm.encoding import TableEncoder, assembly, dividing, multi, tables
from sparsefm.encoding.categories import Hashed
from sparsefm.encoding.multi import Multi
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader

# --- combiners ------------------------------------------------------------------------------------

WEIGHTED = [{"a": 3.0, "b": -4.0}, {"a": 0, "b": 0}, {"a": 0.5}, {}]


@pytest.mark.parametrize(
    ("combiner", "lists", "dicts"),
    [
        ("mean", [[2 / 3, 1 / 3], [0, 1]], [[3 / 7, -4 / 7], [0, 0], [1, 0], [0, 0]]),
        ("sqrt", np.array([[2, 1], [0, 5**0.5]]) / 5**0.5, [[0.6, -0.8], [0, 0], [1, 0], [0, 0]]),
        ("sum", [[2, 1], [0, 1]], [[3, -4], [0, 0], [0.5, 0], [0, 0]]),
    ],
)
def test_combiners(combiner, lists, dicts):
    names = ["x0=a", "x0=b"]
    expect(encoded(objects([["a", "b", "a"], ["b"]]), combiner=combiner), names, lists)
    expect(encoded(objects(WEIGHTED), combiner=combiner), names, dicts)


@pytest.mark.parametrize("combiner", ["mean", "sqrt"])
@pytest.mark.parametrize("scale", [1.0, 1e300, 1e-300])
def test_weights_of_any_size(combiner, scale):
    _, found = encoded(objects([{"a": scale, "b": scale}]), combiner=combiner)
    value = 0.5 if combiner == "mean" else 0.5**0.5
    np.testing.assert_allclose(found, [[value, value]])


def test_weights_too_large_for_the_result_are_refused():
    X = objects([[], ["a"], {"a": 1.0}][2:] * 2 + [{"a": 1e300}])
    with pytest.raises(ValueError, match=r"column 'x0' holds \['a'\] in row 2, too far"):
        TableEncoder(combiner="sum").fit_transform(X)
    tiny = TableEncoder(combiner="sum").fit_transform(objects([{"a": 1e-300, "b": 1.0}]))
    assert tiny.nnz == 1


def test_ones_need_no_values():
    X = objects([["a", "b"], [], ["c"]], ["x", None, "y"])
    encoder = TableEncoder(combiner="sum")
    assert encoder._fit_encode(X, None, encoder).values is None
    assert TableEncoder()._fit_encode(objects([["a"], ["b"]]), None, encoder).values is None


def test_the_order_of_values_does_not_matter():
    rng = np.random.default_rng(0)
    rows = [[f"v{i}" for i in rng.integers(0, 9, 7)] for _ in range(50)]
    weighted = [dict(zip(row, rng.random(7).tolist(), strict=True)) for row in rows]
    for one in (rows, weighted):
        turned = [row[::-1] if isinstance(row, list) else dict([*row.items()][::-1]) for row in one]
        for combiner in ("mean", "sqrt", "sum"):
            first, second = (
                TableEncoder(combiner=combiner).fit_transform(objects(x)) for x in (one, turned)
            )
            assert (first != second).nnz == 0


# --- text -----------------------------------------------------------------------------------------


def test_separators():
    X = objects(["a, b,c", "b"], ["x::y z", "y"], ["a|b", "c"])
    names, rows = encoded(X, multi={"x0": ",", 1: "::"})
    assert names == ["x0=a", "x0=b", "x0=c", "x1=x", "x1=y", "x1=y z", "x2=a|b", "x2=c"]
    assert rows[0].round(3).tolist() == [0.333, 0.333, 0.333, 0.5, 0, 0.5, 1, 0]


def test_texts_are_divided_in_parts(monkeypatch):
    texts = [f"{i % 7},{i % 11} , {i}" for i in range(50)]
    whole = encoded(objects(texts), multi={0: ","})
    monkeypatch.setattr(dividing, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(multi, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 3)
    expect(encoded(objects(texts), multi={0: ","}), *whole)


def test_numbers_in_a_column_of_text():
    """A part of a file in which every row has one number is read as numbers."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    fitted = TableEncoder(multi={"g": "|"}).fit(pd.DataFrame({"g": ["1|2", "12"]}))
    assert fitted.transform(pd.DataFrame({"g": [12, 2]})).indices.tolist() == [1, 2]
    with pytest.raises(TypeError, match="multi names column 'g', which holds numbers: make"):
        TableEncoder(multi={"g": "|"}).fit(pd.DataFrame({"g": [12, 2]}))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"multi": "g"}, TypeError, "multi must map columns to separators, got 'g'"),
        ({"multi": {"g": ""}}, ValueError, r"multi\['g'\] must not be empty"),
        ({"multi": {"g": 3}}, TypeError, r"multi\['g'\] must be text, the separator of values"),
        ({"multi": {"h": "|"}}, ValueError, "multi names a column 'h', but X has no such column"),
        ({"combiner": "max"}, ValueError, "combiner must be one of"),
        ({"numeric": {"g": "log"}}, TypeError, "numeric names column 'g', which holds lists"),
    ],
)
def test_settings_are_checked(options, error, match):
    with pytest.raises(error, match=match):
        TableEncoder(**options).fit([{"g": ["a"]}])


# --- what later rows hold -------------------------------------------------------------------------


def test_unknown_values_are_left_out():
    fitted = TableEncoder(dtype="float64").fit([{"g": ["a", "b"]}, {"g": ["c"]}])
    rows = [["a", "new"], ["new"], None, [], ["c", "b"]]
    found = fitted.transform([{"g": row} for row in rows])
    assert found.toarray().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0.5, 0.5]]
    strict = clone(fitted).set_params(unknown="error").fit([{"g": ["a", "b"]}, {"g": ["c"]}])
    assert strict.transform([{"g": []}, {"g": ["c"]}]).indices.tolist() == [2]
    with pytest.raises(ValueError, match=r"column 'g' holds \['a', 'new'\] in row 1, which"):
        strict.transform([{"g": ["a"]}, {"g": ["a", "new"]}, {"g": ["new"]}])
    with pytest.raises(ValueError, match=r"holds nothing \(a missing value\) in row 1, which"):
        strict.transform([{"g": []}, {"g": None}])
    long = [{"g": [*"abcabc", "new"]}]
    with pytest.raises(ValueError, match=r"holds \['a', 'b', 'c', 'a', 'b', \.\.\.\] in row 0"):
        strict.transform(long)


def test_growth():
    encoder = TableEncoder(dtype="float64")
    encoder.fit([{"g": ["b", "c"], "n": 1.5}, {"g": [], "n": 2.5}])
    before = encoder.get_feature_names_out().tolist()
    encoder.partial_fit([{"g": ["d", "a"], "n": 2}, {"g": None, "n": 1}])
    names = [*before, "g=a", "g=d", "g=missing"]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.fields_.tolist() == [0, 0, 1, 0, 0, 0]
    rows = [{"g": ["d", "c"], "n": 2.5}, {"g": None, "n": 1.5}]
    found = encoder.transform(rows)
    assert found.has_sorted_indices
    assert found.toarray().tolist() == [[0, 0.5, 1, 0, 0.5, 0], [0, 0, -1, 0, 0, 1]]
    with pytest.raises(TypeError, match="column 'g' held lists in training, but holds text now"):
        encoder.partial_fit([{"g": "a", "n": 1}])
    with pytest.raises(TypeError, match="column 'n' held numbers in training, but holds lists now"):
        encoder.partial_fit([{"g": ["a"], "n": [1]}])
    with pytest.raises(TypeError, match="column 'g' held text in training, but holds numbers now"):
        encoder.partial_fit([{"g": [7], "n": 1}])


def test_text_that_becomes_lists_is_an_error():
    fitted = TableEncoder().fit([{"g": "a"}])
    for method in (fitted.transform, fitted.partial_fit):
        with pytest.raises(TypeError, match="column 'g' held single values in training, but holds"):
            method([{"g": ["a"]}])


@pytest.mark.parametrize("first", [[None, None], [math.nan, math.nan]])
@pytest.mark.parametrize("hashed", [None, {"g": 8}])
def test_a_column_that_was_missing_becomes_one_of_lists(table, first, hashed):
    encoder = TableEncoder(hashed=hashed)
    encoder.fit(table({"g": first})).partial_fit(table({"g": [["b", "a"], ["c"]]}))
    assert isinstance(encoder._encodings[0], Multi)
    names = encoder.get_feature_names_out().tolist()
    expected = [f"g#{i}" for i in range(8)] if hashed else ["g=a", "g=b", "g=c", "g=missing"]
    assert sorted(names) == expected
    found = encoder.transform(table({"g": [["b", "a"], None]}))
    assert found.sum(axis=1).ravel().tolist() == [[1, 1]]


def test_missing_text_that_has_a_separator():
    encoder = TableEncoder(multi={"g": "|"}).fit([{"g": None}])
    encoder.partial_fit([{"g": "a|b"}])
    assert encoder.get_feature_names_out().tolist() == ["g=missing", "g=a", "g=b"]


def test_hashed():
    rows = [["a", "b", "c"], None, [], ["a"]]
    hashed = TableEncoder(hashed={"g": 4}, dtype="float64")
    found = hashed.fit_transform([{"g": row} for row in rows]).toarray()
    assert isinstance(hashed._encodings[0].single, Hashed)
    assert hashed.get_feature_names_out().tolist() == [f"g#{i}" for i in range(4)]
    np.testing.assert_allclose(found.sum(axis=1), [1, 1, 0, 1])
    single = TableEncoder(hashed={"g": 4}, dtype="float64").fit([{"g": "a"}])
    one_by_one = single.transform([{"g": value} for value in "abc"]).toarray()
    np.testing.assert_allclose(found[0], one_by_one.mean(axis=0))
    np.testing.assert_array_equal(found[1], single.transform([{"g": None}]).toarray()[0])


def test_rows_of_weight_zero_count_for_nothing():
    rows = [{"g": ["a"]}, {"g": ["b", "c"]}, {"g": None}, {"g": ["c", "a"]}]
    fitted = TableEncoder().fit(rows, sample_weight=[1, 0, 0, 2])
    assert fitted.get_feature_names_out().tolist() == ["g=a", "g=c"]


def test_many_values_are_warned_of(monkeypatch):
    from sparsefm.encoding import size

    monkeypatch.setattr(size, "MANY_CATEGORIES", 5)
    with pytest.warns(UserWarning, match="column 'g' has 7 distinct values.*hashed="):
        TableEncoder().fit([{"g": [*"abcd"]}, {"g": [*"efg"]}])


# --- assembly, saving -----------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3, 1 << 14])
@pytest.mark.parametrize("combiner", ["mean", "sum"])
def test_lists_beside_other_columns(monkeypatch, at_once, combiner):
    """Against dense matrices of each column by itself; lists may be anywhere, and long."""
    monkeypatch.setattr(assembly, "ROWS_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    lists = [[f"v{i}" for i in rng.integers(0, 30, rng.integers(0, 25))] for _ in range(20)]
    others = [None if i % 6 == 0 else [*"abc"[: i % 4]] for i in range(20)]
    columns = [
        lists,
        list("xyzx" * 5),
        rng.normal(size=20).tolist(),
        others,
        lists,
        [None, "a"] * 10,
    ]
    for order in ([0, 1, 2, 3, 4, 5], [1, 2, 0], [0, 4], [1, 0, 5, 3], [3]):
        parts = [columns[j] for j in order]
        whole = TableEncoder(combiner=combiner, numeric="spline").fit_transform(objects(*parts))
        assert whole.has_canonical_format
        alone = [
            TableEncoder(combiner=combiner, numeric="spline").fit_transform(objects(part))
            for part in parts
        ]
        assert (whole != sparse.hstack(alone)).nnz == 0


def test_lists_one_by_one():
    """Of single rows the result is the same, to the bit."""
    rng = np.random.default_rng(2)
    rows = [
        {"g": {f"v{i}": rng.random() for i in rng.integers(0, 9, 5)}, "n": i} for i in range(30)
    ]
    fitted = TableEncoder().fit(rows)
    whole = fitted.transform(rows)
    for i, row in enumerate(rows):
        assert (fitted.transform([row]) != whole[i]).nnz == 0


def saved(fitted):
    header, arrays = encoder_to_content(fitted)
    return json.loads(json.dumps(header, allow_nan=False)), dict(arrays)


@pytest.mark.parametrize("hashed", [None, {"g": 5}])
def test_saving(hashed):
    rows = [{"g": row, "t": text} for row, text in zip(ROWS, TEXT, strict=True)]
    fitted = TableEncoder(hashed=hashed, multi={"t": "|"}, combiner="sqrt").fit(rows)
    reader = Reader(*saved(fitted))
    restored = read_encoder(reader)
    reader.check_all_read()
    assert restored.get_params() == fitted.get_params()
    for encoder in (fitted, restored):
        encoder.partial_fit([{"g": ["new"], "t": "new|war"}])
    assert (restored.transform(rows) != fitted.transform(rows)).nnz == 0
    assert restored.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()


@pytest.mark.parametrize(
    ("entry", "value"),
    [("combiner", "max"), ("combiner", 3), ("separator", ""), ("separator", 1), ("single", None),
     ("single", {"kind": "number"}), ("single", {"kind": "multi"})],
)  # fmt: skip
def test_damage(entry, value):
    header, arrays = saved(TableEncoder(multi={"t": "|"}).fit([{"t": "a|b"}]))
    header["columns"][0][entry] = value
    with pytest.raises(FileFormatError):
        read_encoder(Reader(header, arrays))


def test_files_of_before_there_were_lists():
    header, arrays = saved(TableEncoder().fit([{"t": "a"}]))
    for name in ("multi", "combiner"):
        del header["settings"][name]
    restored = read_encoder(Reader(header, arrays))
    assert (restored.multi, restored.combiner) == (None, "mean")
