"""Text with separators is divided in parts: what they hold, and how little memory they take."""

import tracemalloc

import numpy as np
import pytest

from sparsefm.encoding import TableEncoder, dividing, multi, objects

TEXTS = ["a|b", None, "", " c | a|", "b", "a|a|d"] * 4 + ["e|f", "g"]


def of(table, texts, name="g"):
    return table({name: texts})


@pytest.fixture(params=[3, 1000])
def at_once(request, monkeypatch):
    """Divide few rows at a time, or all of them."""
    monkeypatch.setattr(dividing, "ROWS_AT_ONCE", request.param)
    monkeypatch.setattr(multi, "ROWS_AT_ONCE", request.param + 1)
    monkeypatch.setattr(objects, "FEW_ROWS", 0)


@pytest.mark.parametrize("combiner", ["mean", "sqrt", "sum"])
def test_parts_make_the_lists_that_python_makes(table, at_once, combiner):
    cells = [
        None if text is None else [one.strip() for one in text.split("|") if one.strip()]
        for text in TEXTS
    ]
    divided = TableEncoder(multi={"g": "|"}, combiner=combiner)
    lists = TableEncoder(combiner=combiner)
    found, wanted = divided.fit_transform(of(table, TEXTS)), lists.fit_transform(of(table, cells))
    np.testing.assert_array_equal(found.toarray(), wanted.toarray())
    assert divided.get_feature_names_out().tolist() == lists.get_feature_names_out().tolist()
    np.testing.assert_array_equal(divided.transform(of(table, TEXTS)).toarray(), wanted.toarray())
    grown = TableEncoder(multi={"g": "|"}, combiner=combiner)
    for begin in range(0, len(TEXTS), 5):
        grown.partial_fit(of(table, TEXTS[begin : begin + 5]))
    order = [list(grown.get_feature_names_out()).index(n) for n in lists.get_feature_names_out()]
    np.testing.assert_array_equal(
        grown.transform(of(table, TEXTS)).toarray()[:, order], wanted.toarray()
    )


def test_first_rows_may_be_missing(table, at_once):
    texts = [None] * 9 + ["a|b"]
    encoder = TableEncoder(multi={"g": "|"}).fit(of(table, texts))
    assert encoder.get_feature_names_out().tolist() == ["g=a", "g=b", "g=missing"]


def test_categories_of_text():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    texts = pd.Series(TEXTS)
    first, second = (
        TableEncoder(multi={"g": "|"}).fit_transform(pd.DataFrame({"g": one}))
        for one in (texts, texts.astype("category"))
    )
    np.testing.assert_array_equal(first.toarray(), second.toarray())


def test_errors_are_those_of_the_whole_column(at_once):
    """Values of another kind far below, and what is no text, are found as in other columns."""
    for cells, match in (
        (["a|b"] * 9 + [3.5], r"column 'g' holds values of several types \(number, text\)"),
        (["a|b"] * 9 + [["c"]], "column 'g' holds a list in some rows, but 'a|b' in another"),
        ([1.0, 2.0] * 9 + [np.inf], "column 'g', row 18"),
        ([1.5, 2.5] * 9, "multi names column 'g', which holds numbers"),
    ):
        with pytest.raises((TypeError, ValueError), match=match):
            TableEncoder(multi={"g": "|"}).fit([{"g": cell} for cell in cells])


def test_an_unknown_value_is_named_with_its_row(table, at_once):
    encoder = TableEncoder(multi={"g": "|"}, unknown="error").fit(of(table, TEXTS))
    with pytest.raises(ValueError, match=r"holds \['a', 'q'\] in row 7"):
        encoder.transform(of(table, ["a"] * 7 + ["a|q", "r"]))


def test_memory_is_a_small_multiple_of_the_result(table):
    """The texts are all different: none of them may be kept."""
    rng = np.random.default_rng(0)
    words = np.array([f"word {i}" for i in range(1000)])
    cells = [words[row] for row in rng.integers(0, 1000, (60_000, 6))]
    X = of(table, ["|".join(row) for row in cells])
    encoder = TableEncoder(multi={"g": "|"})
    tracemalloc.start()
    try:
        rows = encoder.fit_transform(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes
    assert rows.nnz > 350_000
    assert peak < 3 * size
