"""Whatever can be fitted can be saved and loaded, and then predicts the same, to the bit.

Random tables of columns of every kind, in every library: each is fitted, or refused by an error
that names a column.
"""

import datetime
import decimal
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sparsefm as fm

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")

N_ROWS = 12
TEXT = st.text(st.characters(), max_size=3)
INTEGERS = (
    st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1])
)
REALS = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 0.1, math.nan, math.inf, 2.0**63])
DECIMALS = st.sampled_from(["0.1", "0.10000000000000000001", "Infinity", "NaN", "1E+400", "3"])
PLAIN = {
    "text": TEXT,
    "int": INTEGERS,
    "real": REALS,
    "bool": st.booleans(),
    "decimal": DECIMALS.map(decimal.Decimal),
}
ODD = st.sampled_from(
    [(1, 2), [1], {"a": 1}, b"a", 1j, datetime.date(2024, 1, 1), 10**400, np.str_("a"), np.int8(1)]
)


@st.composite
def values(draw):
    """Return the rows of a column, mostly of one kind, some missing."""
    kind = draw(st.sampled_from([*PLAIN, "mixed"]))
    if kind == "mixed":
        one = st.one_of(*PLAIN.values(), ODD)
    else:
        one = st.sampled_from(draw(st.lists(PLAIN[kind], min_size=1, max_size=4)))
    missing = draw(st.sampled_from([None, math.nan, pd.NA, pd.NaT]))
    rows = st.one_of(one, one, one, st.just(missing)) if draw(st.booleans()) else one
    return draw(st.lists(rows, min_size=N_ROWS, max_size=N_ROWS))


def dictionary(rows, seed):
    """Return an Arrow dictionary whose values repeat, in chunks that each have their own."""
    chunks = []
    for part in (rows[:5], rows[5:]):
        known = pa.array(part, from_pandas=True)
        order = np.random.default_rng(seed).permutation(len(part))
        twice = pa.concat_arrays([known.take(pa.array(order)), known])
        indices = pa.array(np.argsort(order))
        chunks.append(pa.DictionaryArray.from_arrays(indices, twice))
    return pa.chunked_array(chunks)


def as_utf8(value):
    """Return what has no lone surrogates, in which Polars panics."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


# How a column of each library is made of rows; what the library refuses is no case.
PANDAS = [
    lambda rows: pd.Series(rows),
    lambda rows: pd.Series(rows, dtype=object),
    lambda rows: pd.Series(pd.Categorical(rows)),
    lambda rows: pd.Series(rows).convert_dtypes(),
    lambda rows: pd.Series(rows).convert_dtypes(dtype_backend="pyarrow"),
    lambda rows: pd.Series(rows).astype(pd.SparseDtype(pd.Series(rows).dtype)),
    lambda rows: pd.Series(dictionary(rows, 0).to_pandas()),
]
ARROW = [
    lambda rows: pa.chunked_array([pa.array(rows, from_pandas=True)]),
    lambda rows: pa.chunked_array([pa.array(rows, from_pandas=True).dictionary_encode()]),
    lambda rows: dictionary(rows, 0),
    lambda rows: dictionary(rows, 1),
]
POLARS = [
    lambda rows: pl.Series([as_utf8(one) for one in rows], strict=False),
    lambda rows: pl.Series([as_utf8(one) for one in rows], dtype=pl.Categorical),
    lambda rows: pl.Series(rows, dtype=pl.Object),
]
NAMES = [
    ["a", "b"],
    ["ä=1", ""],
    [10, 20],
    [1, 0],
    [("a", 1), ("b", 2)],
    [0.5, -1],
    ["\ud800", "b"],
]


MAKERS = {"pandas": PANDAS, "arrow": ARROW, "batch": ARROW, "polars": POLARS}


def pandas_table(made, names):
    """Return a table of pandas, of which names may be of any type."""
    table = pd.concat(made, axis=1)
    is_multi = isinstance(names[0], tuple)
    table.columns = pd.MultiIndex.from_tuples(names) if is_multi else names
    return table


TABLES = {
    "pandas": pandas_table,
    "arrow": lambda made, names: pa.table(made, names=list("ab")),
    "batch": lambda made, names: pa.table(made, names=list("ab")).combine_chunks().to_batches()[0],
    "polars": lambda made, names: pl.DataFrame(dict(zip("ab", made, strict=True))),
}


@st.composite
def tables(draw):
    """Return a table of two columns, of a library or of objects."""
    columns = [draw(values()), draw(values())]
    library = draw(st.sampled_from([*MAKERS, "objects", "rows", "dicts"]))
    if library in MAKERS:
        makers = [draw(st.sampled_from(MAKERS[library])) for _ in columns]
        names = draw(st.sampled_from(NAMES))
        try:
            made = [make(rows) for make, rows in zip(makers, columns, strict=True)]
            return TABLES[library](made, names)
        except BaseException as error:  # Polars ends in a panic where others raise
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
    if library == "dicts":
        return [dict(zip("ab", row, strict=True)) for row in zip(*columns, strict=True)]
    objects = np.empty((N_ROWS, 2), object)
    for position, rows in enumerate(columns):
        for row, value in enumerate(rows):
            objects[row, position] = value
    return objects if library == "objects" else objects.tolist()


def train(method, X, y, words):
    """Return whether a method of an estimator takes these rows; a refusal has one of the words."""
    try:
        method(X, y)
    except (TypeError, ValueError) as error:
        refusal = error
    else:
        return True
    assert type(refusal) in (TypeError, ValueError)
    found = str(refusal).replace(":", " ").split()
    assert any(word in found for word in words), refusal
    return False


@given(X=tables(), few=st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_can_be_fitted_can_be_saved(X, few, tmp_path_factory):
    if X is None:
        return
    from sparsefm.encoding import objects

    before, objects.FEW_ROWS = objects.FEW_ROWS, 200 if few else 0
    try:
        estimator = fm.FMClassifier(rank=2, epochs=1, search=None)
        if not train(estimator.fit, X, [0, 1] * 6, ("column", "X")):
            return
        assert None not in list(estimator.get_feature_names_out())
        path = tmp_path_factory.getbasetemp() / "any.safetensors"
        estimator.save(path)
        loaded = fm.load(path)
        assert np.array_equal(loaded.decision_function(X), estimator.decision_function(X))
        again = [list(one.get_feature_names_out()) for one in (loaded, estimator)]
        assert again[0] == again[1]
        assert loaded.encoder_.field_names_ == estimator.encoder_.field_names_
    finally:
        objects.FEW_ROWS = before


WEIGHTS = st.floats(-10, 10) | st.integers(-3, 3) | st.none()


@st.composite
def lists(draw):
    """Return the rows of a column of lists, of sets, of dicts with weights, or of joined text."""
    one = PLAIN[draw(st.sampled_from(["text", "int", "bool"]))]
    few = st.sampled_from(draw(st.lists(one, min_size=1, max_size=5)))
    cells = {
        "list": st.lists(few | st.none(), max_size=6),
        "tuple": st.lists(few, max_size=3).map(tuple),
        "set": st.sets(few, max_size=4),
        "dict": st.dictionaries(few, WEIGHTS, max_size=4),
        "text": st.lists(TEXT, max_size=5).map("|".join),
    }[draw(st.sampled_from(["list", "tuple", "set", "dict", "text"]))]
    return draw(st.lists(cells | st.none(), min_size=N_ROWS, max_size=N_ROWS))


LISTS = [
    lambda rows: pd.DataFrame({"a": rows, "b": range(N_ROWS)}),
    lambda rows: pl.DataFrame({"a": rows, "b": range(N_ROWS)}, strict=False),
    lambda rows: pa.table({"a": rows, "b": range(N_ROWS)}),
    lambda rows: [{"a": row, "b": i} for i, row in enumerate(rows)],
]


@given(
    rows=lists(),
    make=st.sampled_from(LISTS),
    hashed=st.sampled_from([None, {"a": 3}]),
    combiner=st.sampled_from(["mean", "sqrt", "sum"]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_columns_of_lists_can_be_saved(rows, make, hashed, combiner, tmp_path_factory):
    try:
        X = make(rows)
    except BaseException as error:  # the library cannot hold it, or Polars panics
        if isinstance(error, KeyboardInterrupt):
            raise
        return
    has_text = any(isinstance(row, str) for row in rows)
    encoder = fm.TableEncoder(
        hashed=hashed, combiner=combiner, multi={"a": "|"} if has_text else None
    )
    estimator = fm.FMClassifier(rank=2, epochs=1, search=None, encoder=encoder)
    if not train(estimator.fit, X, [0, 1] * 6, ("column", "X")):
        return
    path = tmp_path_factory.getbasetemp() / "lists.safetensors"
    estimator.save(path)
    loaded = fm.load(path)
    assert np.array_equal(loaded.decision_function(X), estimator.decision_function(X))
    fields = loaded.encoder_.fields_
    assert fields.tolist() == estimator.encoder_.fields_.tolist()
    matrix = estimator.encoder_.transform(X)
    assert matrix.has_canonical_format
    if combiner == "mean":
        of_list = abs(matrix[:, fields == 0]).sum(axis=1)
        if hashed:  # weights of unlike sign may share a bucket
            assert (of_list < 1 + 1e-5).all()
        else:
            assert ((abs(of_list - 1) < 1e-5) | (of_list == 0)).all()


@given(parts=st.lists(st.lists(INTEGERS | REALS, min_size=2, max_size=6), min_size=2, max_size=3))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_categories_of_a_stream_can_be_saved(parts, tmp_path_factory):
    """Integers in one part and fractions in another, which no type of NumPy holds together."""
    estimator = fm.FMClassifier(rank=2, solver=fm.AdaGrad(), n_threads=1)
    seen = []
    for part in parts:
        X = pd.DataFrame({"a": pd.Categorical([part[i % len(part)] for i in range(N_ROWS)])})
        if train(estimator.partial_fit, X, [0, 1] * 6, ("column",)):
            seen.append(X)
    if seen:
        path = tmp_path_factory.getbasetemp() / "stream.safetensors"
        estimator.save(path)
        loaded = fm.load(path)
        for X in seen:
            assert np.array_equal(loaded.decision_function(X), estimator.decision_function(X))


ANY_LABEL = st.one_of(*PLAIN.values(), ODD, st.none(), st.just(pd.NA))
LABELS = [
    list,
    tuple,
    np.array,
    lambda labels: np.array(labels, object),
    *PANDAS,
    *ARROW,
    lambda labels: pl.Series([as_utf8(one) for one in labels], strict=False),
]


@given(
    labels=st.one_of(
        *(st.lists(one, min_size=2, max_size=3) for one in [*PLAIN.values(), ANY_LABEL])
    ),
    make=st.sampled_from(LABELS),
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_whatever_labels_can_be_fitted_can_be_saved(labels, make, tmp_path_factory):
    rows = [labels[i % len(labels)] for i in range(N_ROWS)]
    try:
        y = make(rows)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return
    X = np.arange(N_ROWS)[:, None] % len(labels)
    estimator = fm.FMClassifier(rank=0, epochs=1, search=None)
    if not train(estimator.fit, X, y, ("y", "label", "labels", "class")):
        return
    if make in (list, tuple):
        assert set(estimator.classes_.tolist()) == set(rows)
    path = tmp_path_factory.getbasetemp() / "labels.safetensors"
    estimator.save(path)
    loaded = fm.load(path)
    assert loaded.classes_.dtype == estimator.classes_.dtype
    assert list(map(type, loaded.classes_)) == list(map(type, estimator.classes_))
    assert np.array_equal(loaded.classes_, estimator.classes_)
    assert np.array_equal(loaded.predict(X), estimator.predict(X))
    assert loaded.score(X, y) == estimator.score(X, y)
