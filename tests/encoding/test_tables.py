"""What makes a column of distinct values: equal ones become one, and all can be saved."""

from decimal import Decimal

import numpy as np
import pytest

from sparsefm.encoding.tables import Labels, as_column


def labels(found, codes=None):
    codes = np.arange(len(found)) if codes is None else codes
    return as_column(np.append(codes, -1), found, "x", is_categorical=True)


@pytest.mark.parametrize(
    ("found", "codes", "values"),
    [
        (["a", "b"], [0, 1, -1], ["a", "b"]),
        (["a", "b", "a"], [0, 1, 0, -1], ["a", "b"]),
        ([3, 1.0, 1, float("nan")], [0, 1, 1, -1, -1], [3, 1.0]),
        ([Decimal("0.1"), Decimal("0.10000000000000000001")], [0, 0, -1], [0.1]),
        ([2**64 - 1, -(2**63)], [0, 1, -1], [2**64 - 1, -(2**63)]),
        ([2**53, 2**53 + 1, 0.5], [0, 1, 2, -1], [2**53, 2**53 + 1, 0.5]),
        ([float("nan")], [-1, -1], []),
    ],
)
def test_equal_values_become_one(found, codes, values):
    column = labels(found)
    assert isinstance(column, Labels)
    assert column.codes.tolist() == codes
    assert column.values == values


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**400])
def test_integers_beyond_64_bits_are_no_categories(value):
    with pytest.raises(
        ValueError, match=r"column 'x' holds .*, beyond 64 bits: make the column text"
    ):
        labels([value])


@pytest.mark.parametrize("value", [np.inf, -np.inf, Decimal("Infinity"), Decimal("1E+400")])
def test_infinite_categories_are_refused(value):
    with pytest.raises(ValueError, match=r"column 'x' holds the category .*infinity"):
        labels([value, 1.0])


def test_text_of_a_subclass_becomes_plain():
    class Text(str):
        def __str__(self):
            return "something else"

    (value,) = labels([Text("a")]).values
    assert type(value) is str
    assert value == "a"
