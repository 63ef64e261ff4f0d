"""Encoders that learn from distinct values of columns, found in parts."""

import numpy as np
import pytest
from scipy import sparse
from tables_in_parts import FEATURES, pa, parts_of, table

import sparsefm as fm
from sparsefm.data.csr import as_scipy
from sparsefm.distributed import counts
from sparsefm.distributed.columns import Columns, as_vectors
from sparsefm.distributed.counts import VALUE, WEIGHT, Counting, distinct_entries, thinned
from sparsefm.distributed.parts import LocalTables
from sparsefm.encoding.counted import fit_counted, fit_counted_matrix

pytest.importorskip("narwhals")


def counted(whole, columns, sizes, exact=(), single=(), weighted=None):
    counting = Counting(columns, frozenset(exact), False, frozenset(single), weighted or {})
    return LocalTables(parts_of(whole, sizes)).reduce(counting.of, counting.joined)


def of_columns(found, columns):
    """Return what `fit_counted` takes."""
    pairs = zip(columns.features, found.features, strict=True)
    return {name: (one[VALUE], one[WEIGHT].to_numpy()) for name, one in pairs}


@pytest.mark.parametrize("sizes", [[400], [1, 0, 150, 249], [40] * 10])
@pytest.mark.parametrize("numeric", ["standardize", "log", "spline", "bin"])
@pytest.mark.parametrize("weight", [None, "w"])
def test_an_encoder_learns_the_same_from_counts(sizes, numeric, weight):
    whole, columns = table(), Columns(FEATURES, "y", weight)
    encoder = fm.TableEncoder(numeric=numeric, hashed={"city": 5})
    X = whole.select(list(FEATURES))
    expected = fm.TableEncoder(numeric=numeric, hashed={"city": 5})
    expected.fit(X, sample_weight=None if weight is None else whole["w"].to_numpy())
    found = counted(whole, columns, sizes, single=["city"])
    assert len(found.features[0]) == 1
    fit_counted(encoder, of_columns(found, columns))
    assert list(encoder.get_feature_names_out()) == list(expected.get_feature_names_out())
    assert np.array_equal(encoder.transform(X).toarray(), expected.transform(X).toarray())
    assert encoder.feature_names_in_.tolist() == list(FEATURES)


def test_texts_of_several_values_and_numbers_that_are_categories():
    rng = np.random.default_rng(0)
    texts = ["|".join(rng.choice(["a", "b", "c"], rng.integers(1, 3))) for _ in range(100)]
    whole = pa.table({"t": texts, "id": rng.integers(0, 9, 100), "y": rng.normal(size=100)})
    columns = Columns(("t", "id"), "y")
    encoder = fm.TableEncoder(multi={"t": "|"}, categorical=["id"])
    X = whole.select(["t", "id"])
    expected = fm.TableEncoder(multi={"t": "|"}, categorical=["id"]).fit_transform(X)
    fit_counted(encoder, of_columns(counted(whole, columns, [30, 70], ["id"]), columns))
    assert np.array_equal(encoder.transform(X).toarray(), expected.toarray())


@pytest.mark.parametrize("sizes", [[40], [7, 0, 33]])
@pytest.mark.parametrize("hashed", [None, {"tags": 4}])
def test_weights_of_lists(sizes, hashed):
    whole = table(40)
    rng, tags = np.random.default_rng(0), whole["tags"].to_pylist()
    amounts = [None if own is None else rng.integers(0, 3, len(own)) / 2 for own in tags]
    tags[3], amounts[3] = ["never"], [0.0]  # what has no weight is not there
    whole = pa.table({"amounts": pa.array(amounts), "x": whole["x"], "tags": tags, "y": whole["y"]})
    columns = Columns(("amounts", "x", "tags"), "y")
    options = {"list_weights": {"tags": "amounts"}, "hashed": hashed, "combiner": "sum"}
    encoder, X = fm.TableEncoder(**options), whole.select(list(columns.features))
    expected = fm.TableEncoder(**options).fit(X)
    single = ["amounts", *(hashed or ())]
    found = counted(whole, columns, sizes, (), single, {"tags": "amounts"})
    fit_counted(encoder, of_columns(found, columns))
    assert list(encoder.get_feature_names_out()) == list(expected.get_feature_names_out())
    assert np.array_equal(encoder.transform(X).toarray(), expected.transform(X).toarray())
    assert encoder.field_names_ == ["x", "tags"]


def test_weights_that_are_not_those_of_the_lists():
    rows = {"tags": [["a", "b"], None], "y": [1.0, 2.0]}
    for wrong in ([[1.0], None], [[1.0, 2.0], []], [1.0, 2.0]):
        whole = pa.table({**rows, "w": wrong})
        with pytest.raises(ValueError, match="names column 'w' as the weights of column 'tags'"):
            counted(whole, Columns(("tags", "w"), "y"), [2], (), ["w"], {"tags": "w"})


def test_columns_of_nothing():
    tags, city = pa.array([[], []], pa.list_(pa.string())), pa.nulls(2, pa.string())
    whole = pa.table({"tags": tags, "city": city, "y": [1.0, 2.0]})
    for hashed, single in ((None, ()), ({"tags": 3, "city": 3}, ("tags", "city"))):
        columns, options = Columns(("tags", "city"), "y"), {"hashed": hashed}
        encoder, X = fm.TableEncoder(**options), whole.select(["tags", "city"])
        expected = fm.TableEncoder(**options).fit(X)
        fit_counted(encoder, of_columns(counted(whole, columns, [1, 1], (), single), columns))
        assert np.array_equal(encoder.transform(X).toarray(), expected.transform(X).toarray())


def test_a_matrix_is_learned_the_same_from_counts():
    X = sparse.random(50, 20, 0.2, "csr", random_state=0)
    y = np.arange(50.0)
    whole = pa.table({"v": as_vectors(X), "y": y})
    found = counted(whole, Columns(("v",), "y", is_vector=True), [20, 30])
    encoder = fit_counted_matrix(fm.TableEncoder(), found.matrix, found.of_matrix)
    expected = fm.TableEncoder().fit_transform(X)
    assert np.array_equal(as_scipy(encoder._encode(X, encoder)).toarray(), expected.toarray())


@pytest.mark.parametrize("kind", ["float64", "int64", "timestamp[us]", "time32[s]"])
def test_many_values_are_thinned(kind, monkeypatch):
    monkeypatch.setattr(counts, "MOST_VALUES", 1 << 12)
    rng = np.random.default_rng(0)
    values = rng.permutation(86_400)[:20_000].astype(np.int64)
    array = pa.array(values.astype(float)) if kind == "float64" else pa.array(values)
    if kind == "time32[s]":
        array = array.cast(pa.int32()).view(pa.time32("s"))
    elif kind == "timestamp[us]":
        array = array.view(pa.timestamp("us"))
    array = pa.concat_arrays([array, pa.nulls(3, array.type)])
    weights = np.append(rng.integers(1, 4, len(values)), [1, 1, 1]).astype(float)
    few = thinned(counts._distinct(array, weights))
    assert 2 * counts.ENDS < few.num_rows <= (1 << 12) + 1
    assert few[WEIGHT].to_numpy().sum() == pytest.approx(weights.sum())
    assert few.filter(few[VALUE].is_null())[WEIGHT].to_pylist() == [3.0]
    kept = few.filter(few[VALUE].is_valid())
    wide = kept[VALUE].combine_chunks()
    wide = wide if kind in ("float64", "int64") else wide.view(f"int{wide.type.bit_width}")
    numbers = np.asarray(wide, float)
    assert numbers.min() == values.min()
    assert numbers.max() == values.max()
    means = [
        np.average(numbers, weights=kept[WEIGHT].to_numpy()),
        np.average(values, weights=weights[:-3]),
    ]
    assert means[0] == pytest.approx(means[1], rel=1e-6 if kind != "time32[s]" else 1e-4)


@pytest.mark.parametrize(
    "values", [[3, 1, 2], [0.5, 1.5, 2.5], [True, False, True], ["b", "a", "c"]]
)
def test_numbers_in_a_dictionary_are_categories(values, monkeypatch):
    monkeypatch.setattr(counts, "MOST_VALUES", 2)
    column = pa.array(values * 20).dictionary_encode()
    whole = pa.table({"a": column, "y": np.arange(60.0) % 2})
    columns = Columns(("a",), "y")
    encoder = fit_counted(fm.TableEncoder(), of_columns(counted(whole, columns, [7, 53]), columns))
    expected = fm.TableEncoder().fit(whole.select(["a"]))
    names = encoder.get_feature_names_out().tolist()
    assert names == expected.get_feature_names_out().tolist()
    assert len(names) == len(set(values))


@pytest.mark.parametrize("whole", [True, False])
def test_entries_of_a_matrix_are_counted(whole):
    rng = np.random.default_rng(0)
    X = sparse.random(200, 30, 0.3, "csr", rng=rng)
    X.data = rng.integers(1, 4, X.nnz).astype(float)
    X = X.tolil()
    X[:, 5:9], X[:, 20] = 0, 0
    X[::3, 6], X[7, 8] = 2.5, -1  # of one value each
    X = X.tocsr()
    weights = rng.integers(1, 4, 200) * (1.0 if whole else 0.1)
    entries, totals = distinct_entries(X, weights)
    expected = {}
    for row, column in zip(*X.nonzero(), strict=True):
        key = int(column), float(X[row, column])
        expected[key] = expected.get(key, 0) + weights[row]
    assert np.array_equal(np.diff(entries.indptr), np.ones(len(expected)))
    found = list(zip(entries.indices.tolist(), entries.data.tolist(), strict=True))
    assert found == sorted(expected)
    np.testing.assert_allclose(totals, [expected[key] for key in sorted(expected)])
    half = np.split(np.arange(200), 2)
    parts = [distinct_entries(X[rows], weights[rows]) for rows in half]
    again = distinct_entries(
        sparse.vstack([of for of, _ in parts]), np.concatenate([w for _, w in parts])
    )
    assert (again[0] != entries).nnz == 0
    np.testing.assert_allclose(again[1], totals)


@pytest.mark.parametrize("weight", [1.0, 1.5])
def test_rows_without_weight_do_not_count(weight):
    X = sparse.csr_matrix(np.array([[1, 2, 0], [1, 0, 0], [3, 0, 4]], np.float32))
    entries, totals = distinct_entries(X, np.array([0, 0, weight]))
    assert entries.toarray().tolist() == [[3, 0, 0], [0, 0, 4]]
    assert totals.tolist() == [weight, weight]
    assert entries.dtype == np.float32


def test_no_entries():
    entries, totals = distinct_entries(sparse.csr_matrix((3, 4)), np.ones(3))
    assert entries.shape == (0, 4)
    assert len(totals) == 0
