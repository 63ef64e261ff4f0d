"""Columns of lists for tests, and what they encode to."""

import numpy as np

from sparsefm.encoding import TableEncoder

ROWS = [["war", "drama"], None, [], ["comedy", None, "drama", "drama"], ["war"]]
NAMES = ["g=comedy", "g=drama", "g=war", "g=missing"]
UNNAMED = [f"x0{name[1:]}" for name in NAMES]
MEAN = [[0, 1 / 2, 1 / 2, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1 / 3, 2 / 3, 0, 0], [0, 0, 1, 0]]
TEXT = ["war|drama", None, "", " comedy || drama|drama", "war"]
DICTS = [
    {"war": 1, "drama": 1.0},
    None,
    {},
    {"comedy": 1, "drama": 2, None: 5, "war": None},
    {"war": 7},
]


def objects(*columns):
    """Return an array of objects, whatever the cells are."""
    array = np.empty((len(columns[0]), len(columns)), object)
    for position, column in enumerate(columns):
        for row, cell in enumerate(column):
            array[row, position] = cell
    return array


def encoded(X, **options):
    encoder = TableEncoder(dtype="float64", **options)
    matrix = encoder.fit_transform(X)
    assert matrix.has_canonical_format
    assert matrix.data.all()
    again = encoder.transform(X)
    assert (again != matrix).nnz == 0
    return encoder.get_feature_names_out().tolist(), matrix.toarray()


def expect(found, names, rows):
    assert found[0] == names
    np.testing.assert_allclose(found[1], rows, rtol=1e-15)
