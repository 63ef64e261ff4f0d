"""Columns of weights of lists, where an encoder goes on from a fit."""

import numpy as np
import pytest

from sparsefm.encoding import TableEncoder

NAMED = {"items": "w"}
COLUMNS = {
    "w": [[0.5, 2.0], [3.0], [], None],
    "city": ["x", "y", "x", "y"],
    "items": [["a", "b"], ["b"], [], None],
}


def records(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("given", [None, {}, NAMED])
def test_columns_of_the_fit_keep_their_weights(table, given):
    encoder = TableEncoder(list_weights=NAMED).fit(table(COLUMNS))
    before = encoder.transform(table(COLUMNS)).toarray()
    encoder.set_params(list_weights=given)
    encoder.partial_fit(table(COLUMNS))
    assert encoder.field_names_ == ["city", "items"]
    np.testing.assert_array_equal(encoder.transform(table(COLUMNS)).toarray(), before)


def test_new_columns_have_weights():
    encoder = TableEncoder(list_weights=NAMED).fit(records(COLUMNS))
    more = records(COLUMNS | {"tags": [["q"]] * 4, "sizes": [[2.0]] * 4})
    encoder.set_params(list_weights={"tags": "sizes"}, combiner="sum").partial_fit(more)
    assert encoder.field_names_ == ["city", "items", "tags"]
    assert encoder.transform(more)[:, [-1]].toarray().tolist() == [[2.0]] * 4


@pytest.mark.parametrize(
    ("fitted", "given", "match"),
    [
        ({}, {"b": "w"}, "'w' as the weights of column 'b' now, but in .* that column had none"),
        ({"a": "w"}, {"b": "w"}, "'w' as the weights of column 'b' now, but in .* had none"),
        ({"a": "w"}, {"a": "v"}, "'v' as the weights of column 'a' now, but in .* had 'w'"),
        ({"a": "w"}, {"new": "v"}, "'v' as the weights of column 'new' now"),
        ({"a": "w"}, {"v": "new"}, "'new' as the weights of column 'v' now"),
    ],
)
def test_weights_of_the_fit_cannot_change(fitted, given, match):
    columns = {"w": [[1.0]], "v": [[2.0]], "a": [["p"]], "b": [["q"]]}
    encoded = {name: columns[name] for name in ("w", "a", "b")} | {"v": [["5"]]}
    encoder = TableEncoder(list_weights=fitted)
    if not fitted:
        encoded = encoded | {"w": [["1"]]}
    encoder.fit(records(encoded))
    encoder.set_params(list_weights=given)
    more = encoded | {"new": [["z"]]}
    before = encoder.field_names_
    with pytest.raises(ValueError, match=match):
        encoder.partial_fit(records(more))
    assert encoder.field_names_ == before


def test_weights_of_the_fit_are_not_hashed_later():
    encoder = TableEncoder(list_weights=NAMED).fit(records(COLUMNS))
    encoder.set_params(list_weights=None, hashed={"w": 8})
    with pytest.raises(ValueError, match="hashed names column 'w', which list_weights names"):
        encoder.partial_fit(records(COLUMNS))


@pytest.mark.parametrize(
    "options", [{"list_weights": {"items": "w", 2: "w"}}, {"hashed": {"city": 4, 1: 8}}]
)
def test_a_column_is_named_once(options):
    (parameter,) = options
    with pytest.raises(ValueError, match=f"{parameter} names one column twice, by '[a-z]+' and by"):
        TableEncoder(**options).fit(records(COLUMNS))
