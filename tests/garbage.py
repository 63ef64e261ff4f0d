"""Values that are no sensible argument of anything; each is made anew by a function.

Objects whose methods lie are among them. `values(n, m)` has some of the shapes (n,) and (n, m) of
what would be right.
"""

import decimal
import fractions
import io
import math
import pathlib
from types import SimpleNamespace

import numpy as np
from scipy import sparse

import sparsefm as fm


class Liar:
    """Has the attributes given, and methods that return what is given, or raise it."""

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def __repr__(self):
        return f"Liar({', '.join(vars(self))})"


def liar(attributes=None, **methods):
    """Return an object of a class of its own, with the special methods that are given."""

    def method(result):
        def answer(self, *_args, **_options):
            if isinstance(result, Exception):
                raise result
            return result

        return answer

    special = {f"__{name}__": method(result) for name, result in methods.items()}
    return type("Liar", (Liar,), special)(**(attributes or {}))


class Text(str):
    """Text of a class of its own."""

    __slots__ = ()


class Number(int):
    """A number of a class of its own."""


def recursive():
    """Return a list that holds itself."""
    one = []
    one.append(one)
    return one


def deep():
    """Return lists in lists, 200 of them."""
    one = [1.0]
    for _ in range(200):
        one = [one]
    return one


def objects(values):
    """Return a 1-D array of objects."""
    array = np.empty(len(values), object)
    for place, value in enumerate(values):
        array[place] = value
    return array


SCALARS = {
    "None": lambda: None,
    "NotImplemented": lambda: NotImplemented,
    "Ellipsis": lambda: ...,
    "True": lambda: True,
    "False": lambda: False,
    "0": lambda: 0,
    "1": lambda: 1,
    "-1": lambda: -1,
    "3": lambda: 3,
    "0.5": lambda: 0.5,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1e308": lambda: 1e308,
    "-10**400": lambda: -(10**400),
    "-2**63": lambda: -(2**63),
    "1j": lambda: 1j,
    "Decimal": lambda: decimal.Decimal("0.1"),
    "Decimal NaN": lambda: decimal.Decimal("NaN"),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "Number": lambda: Number(2),
    "int8": lambda: np.int8(2),
    "uint64": lambda: np.uint64(1),
    "float16": lambda: np.float16(0.5),
    "longdouble": lambda: np.longdouble("0.5"),
    "complex64": lambda: np.complex64(1),
    "datetime64": lambda: np.datetime64("2024-01-01"),
    "NaT": lambda: np.datetime64("NaT"),
    "0-d": lambda: np.array(2),
    "0-d object": lambda: np.array(None, object),
    "0-d text": lambda: np.array("a"),
    "masked": lambda: np.ma.masked,
    "empty text": lambda: "",
    "text": lambda: "a",
    "Text": lambda: Text("a"),
    "np.str_": lambda: np.str_("b"),
    "long text": lambda: "x" * 10_000,
    "surrogate": lambda: "\ud800",
    "null": lambda: "a\0b",
    "number as text": lambda: "1",
    "auto": lambda: "auto",
    "normal": lambda: "normal",
    "bytes": lambda: b"a\xff",
    "null bytes": lambda: b"\0",
    "bytearray": lambda: bytearray(b"ab"),
    "memoryview": lambda: memoryview(b"ab"),
}
THINGS = {
    "object": object,
    "class": lambda: int,
    "Adam class": lambda: fm.Adam,
    "Adam": lambda: fm.Adam(),
    "Gibbs": lambda: fm.Gibbs(burn_in=0, samples=2),
    "ALS": lambda: fm.ALS(),
    "EarlyStopping": lambda: fm.EarlyStopping(),
    "Checkpoint class": lambda: fm.Checkpoint,
    "encoder": lambda: fm.TableEncoder(),
    "encoder class": lambda: fm.TableEncoder,
    "regressor": lambda: fm.FMRegressor(),
    "classifier class": lambda: fm.FMClassifier,
    "Model": lambda: fm.Model(0.0, [1.0], [[1.0]]),
    "Epoch": lambda: fm.Epoch(1, 1, 0.0),
    "module": lambda: np,
    "dtype": lambda: np.dtype("f4"),
    "structured dtype": lambda: np.dtype([("a", "f4")]),
    "exception": lambda: ValueError("not raised"),
    "namespace": lambda: SimpleNamespace(shape=(2, 2), dtype="f4", history_=3, encoder_=None),
    "stream": lambda: io.BytesIO(b"abc"),
    "Path": lambda: pathlib.Path("/no/such/folder/file"),
    "folder": lambda: pathlib.Path("/"),
    "RandomState": lambda: np.random.RandomState(0),
    "Generator": lambda: np.random.default_rng(0),
    "slice": lambda: slice(None),
    "generator": lambda: (i for i in range(3)),
    "map": lambda: map(str, range(3)),
    "iterator": lambda: iter([1, 2]),
    "range": lambda: range(3),
    "no function of 0": lambda: lambda: None,
    "function of 5": lambda: lambda a, b, c, d, e: 0.0,
    "function of 1": lambda: lambda a: None,
    "function of 2": lambda: lambda a, b: "text",
    "function of 3": lambda: lambda a, b, c: None,
}
CONTAINERS = {
    "[]": list,
    "()": tuple,
    "{}": dict,
    "set": lambda: {1, 2},
    "frozenset": frozenset,
    "[[]]": lambda: [[]],
    "[[], []]": lambda: [[], []],
    "ragged": lambda: [[1, 2], [3]],
    "3-D": lambda: [[[1.0]]],
    "[None]": lambda: [None],
    "[{}]": lambda: [{}],
    "[{1: 2}]": lambda: [{1: 2}],
    "[{'a': []}]": lambda: [{"a": [1]}],
    "[[{}]]": lambda: [[{}]],
    "[()]": lambda: [()],
    "(None, None)": lambda: (None, None),
    "(1, 'a', None)": lambda: (1, "a", None),
    "[(X, y)]": lambda: [([[1.0]], [1.0])],
    "{'a': None}": lambda: {"a": None},
    "{'a': (X, y)}": lambda: {"a": ([[1.0]], [1.0])},
    "{0: 'a'}": lambda: {0: "a"},
    "{'a': -1}": lambda: {"a": -1},
    "{None: nan}": lambda: {None: math.nan},
    "{(): 'bin'}": lambda: {(): "bin"},
    "{'*': 3}": lambda: {"*": 3},
    "huge and text": lambda: [10**400, "a"],
    "[function of 0]": lambda: [lambda: None],
    "[function of 2]": lambda: [lambda a, b: None],
    "[function of 1]": lambda: [lambda a: "text"],
    "[class]": lambda: [fm.EarlyStopping],
    "[begin is 3]": lambda: [liar({"begin": 3}, call=None)],
    "recursive": recursive,
    "deep": deep,
    "arrays in a list": lambda: [np.zeros(2), np.zeros(3)],
    "text": lambda: ["a", "b"],
    "bytes": lambda: [b"a"],
}
LIARS = {
    "len -1": lambda: liar(len=-1),
    "len huge": lambda: liar(len=2**62, getitem=IndexError("no")),
    "len None": lambda: liar(len=None, getitem=0),
    "len raises": lambda: liar(len=RuntimeError("no length"), getitem=IndexError()),
    "getitem raises": lambda: liar(len=12, getitem=KeyError("no item")),
    "iter raises": lambda: liar(iter=RuntimeError("no items")),
    "iter None": lambda: liar(iter=None, len=12),
    "array None": lambda: liar(array=None),
    "array list": lambda: liar(array=[1.0]),
    "array raises": lambda: liar(array=RuntimeError("no array")),
    "array KeyError": lambda: liar(array=KeyError("no array")),
    "array text": lambda: liar(array=np.array(["a"])),
    "array object": lambda: liar(array=np.array([[None]])),
    "array and shape": lambda: liar({"shape": (12, 6)}, array=np.zeros((3, 2))),
    "shape": lambda: Liar(shape=(12, 6)),
    "shape text": lambda: Liar(shape="ab", dtype=None),
    "shape None": lambda: Liar(shape=None, ndim="two"),
    "shape negative": lambda: Liar(shape=(-1, -1), dtype="float32"),
    "interface": lambda: Liar(__array_interface__={"shape": (2,), "typestr": "<f8", "version": 3}),
    "interface None": lambda: Liar(__array_interface__=None),
    "struct": lambda: Liar(__array_struct__=3),
    "format": lambda: Liar(format="csr", indptr=[0], indices=[], data=[], shape=(0, 6)),
    "dataframe": lambda: liar({"columns": ["a"], "dtypes": 3}, dataframe=None),
    "float raises": lambda: liar(float=RuntimeError("no number")),
    "float text": lambda: liar(float="a"),
    "index": lambda: liar(index=3),
    "index raises": lambda: liar(index=RuntimeError("no index")),
    "eq raises": lambda: liar(eq=RuntimeError("no comparison"), hash=1),
    "eq array": lambda: liar(eq=np.zeros(3, bool), hash=1),
    "hash raises": lambda: liar(hash=TypeError("no hash")),
    "bool raises": lambda: liar(bool=RuntimeError("no truth")),
    "fspath 3": lambda: liar(fspath=3),
    "fspath raises": lambda: liar(fspath=RuntimeError("no path")),
    "call raises": lambda: liar(call=ValueError("the callback's own message")),
    "call text": lambda: liar(call="text"),
    "sklearn_tags": lambda: liar(sklearn_tags=None, sklearn_is_fitted=True),
    "begin": lambda: liar({"begin": 3, "close": None}, call=None),
}


def arrays(n, m):
    """Return arrays, sparse matrices and tables by name, many of the shapes (n,) and (n, m)."""
    ones, grid = np.ones(n), np.arange(n * m).reshape(n, m) % 5.0
    return {
        "ones": lambda: ones.copy(),
        "zeros": lambda: np.zeros(n),
        "column": lambda: ones[:, None],
        "two columns": lambda: np.ones((n, 2)),
        "negative": lambda: -ones,
        "list of None": lambda: [None] * n,
        "list of text": lambda: ["a"] * n,
        "list of numbers as text": lambda: ["1.5"] * n,
        "list of nan": lambda: [math.nan] * n,
        "list of inf": lambda: [math.inf] * n,
        "list of 1j": lambda: [1j] * n,
        "list of 10**400": lambda: [10**400] * n,
        "list of dicts": lambda: [{}] * n,
        "list of dicts, one not": lambda: [{"a": 1}] * (n - 1) + [3],
        "list of keys of many types": lambda: [{"a": 1, 2: 3}] * n,
        "list of lists": lambda: [[1.0]] * n,
        "list of sets": lambda: [{1}] * n,
        "list of objects": lambda: [object()] * n,
        "list of Liars": lambda: [liar(float=RuntimeError("no number"))] * n,
        "mixed": lambda: [0, "a", None, 1.5] * (n // 4),
        "rows of text": lambda: [["a"] * m] * n,
        "rows of None": lambda: [[None] * m] * n,
        "rows of 1j": lambda: [[1j] * m] * n,
        "rows of lists": lambda: [[[1]] * m] * n,
        "rows of dicts": lambda: [[{"a": 1}] * m] * n,
        "rows of inf": lambda: np.full((n, m), math.inf),
        "rows of nan": lambda: np.full((n, m), math.nan),
        "rows of 1e300": lambda: grid * 1e300,
        "rows of 1e-300": lambda: grid * 1e-300,
        "rows of -1e308, 1e308": lambda: np.where(grid > 2, 1e308, -1e308),
        "rows, wider": lambda: np.ones((n, m + 1)),
        "rows, fewer": lambda: np.ones((n - 1, m)),
        "no rows": lambda: np.empty((0, m)),
        "no columns": lambda: np.empty((n, 0)),
        "no entries": lambda: np.empty(0),
        "3-D": lambda: np.ones((n, m, 1)),
        "complex": lambda: grid.astype(complex),
        "dates": lambda: np.zeros((n, m), "M8[s]"),
        "durations": lambda: np.zeros(n, "m8[s]"),
        "objects": lambda: grid.astype(object),
        "objects of text": lambda: np.full((n, m), "a", object),
        "objects of None": lambda: np.full(n, None, object),
        "objects of dicts": lambda: objects([{"a": 1}] * n),
        "objects of arrays": lambda: objects([np.zeros(2)] * n),
        "objects of 10**400": lambda: np.full((n, m), 10**400, object),
        "array of text": lambda: np.full((n, m), "a"),
        "array of bytes": lambda: np.full(n, b"a"),
        "void": lambda: np.zeros(n, "V4"),
        "structured": lambda: np.zeros(n, [("a", "f4"), ("b", "U2")]),
        "record": lambda: np.rec.array([(1, 2.0)] * n),
        "masked": lambda: np.ma.masked_array(grid, grid > 3),
        "masked vector": lambda: np.ma.masked_array(ones, ones > 0),
        "float16": lambda: grid.astype(np.float16),
        "longdouble": lambda: grid.astype(np.longdouble) * np.longdouble("1e4000"),
        "big-endian": lambda: grid.astype(">f4"),
        "bool": lambda: grid > 2,
        "uint64": lambda: np.full((n, m), 2**64 - 1, np.uint64),
        "matrix": lambda: np.matrix(grid, copy=True) if hasattr(np, "matrix") else grid,
        "read-only": lambda: np.broadcast_to(1.0, (n, m)),
        "csr": lambda: sparse.csr_matrix(grid),
        "csr of nan": lambda: sparse.csr_matrix(np.full((n, m), np.nan)),
        "csr, wider": lambda: sparse.csr_matrix((n, m + 3)),
        "csr, no rows": lambda: sparse.csr_matrix((0, m)),
        "csr of objects": lambda: _of_objects(sparse.csr_matrix(grid)),
        "complex csr": lambda: sparse.csr_matrix(grid.astype(complex)),
        "coo": lambda: sparse.coo_matrix(grid),
        "lil": lambda: sparse.lil_matrix((n, m)),
        "dok": lambda: sparse.dok_matrix((n, 1)),
        "dia": lambda: sparse.dia_matrix((n, m)),
        "sparse column": lambda: sparse.csc_matrix(ones[:, None]),
        "list of csr": lambda: [sparse.csr_matrix(grid)] * 2,
    }


def _of_objects(X):
    X.data = X.data.astype(object)
    return X


def tables(n, m):
    """Return tables by name, of the libraries that are installed."""
    found = {}
    try:
        import pandas as pd
    except ImportError:
        return found
    numbers = np.arange(n * m).reshape(n, m) % 5.0
    found |= {
        "Series": lambda: pd.Series(np.arange(n)),
        "Series of text": lambda: pd.Series(["a", None] * (n // 2)),
        "Series, other index": lambda: pd.Series(np.ones(n), index=range(5, n + 5)),
        "Series of dates": lambda: pd.Series(pd.date_range("2024", periods=n)),
        "Series of NA": lambda: pd.Series([pd.NA] * n),
        "nullable Series": lambda: pd.Series([1, None] * (n // 2), dtype="Int64"),
        "Categorical": lambda: pd.Categorical(["a", "b"] * (n // 2)),
        "Index": lambda: pd.Index(range(n)),
        "MultiIndex": lambda: pd.MultiIndex.from_product([[0], range(n)]),
        "frame": lambda: pd.DataFrame(numbers, columns=list("abcdefghij")[:m]),
        "frame of text": lambda: pd.DataFrame(numbers.astype(str)),
        "frame of lists": lambda: pd.DataFrame({"a": [[1]] * n}),
        "frame of dates": lambda: pd.DataFrame({"a": pd.date_range("2024", periods=n)}),
        "frame of objects": lambda: pd.DataFrame({"a": [object()] * n}),
        "frame of complex": lambda: pd.DataFrame({"a": [1j] * n}),
        "frame of intervals": lambda: pd.DataFrame({"a": pd.interval_range(0, n)}),
        "frame of periods": lambda: pd.DataFrame({"a": pd.period_range("2024", periods=n)}),
        "frame of inf": lambda: pd.DataFrame({"a": np.full(n, np.inf)}),
        "frame of mixed": lambda: pd.DataFrame({"a": [1, "a", None, 2.5] * (n // 4)}),
        "frame of one name": lambda: pd.DataFrame(numbers[:, :2], columns=["a", "a"]),
        "frame of NaN as name": lambda: pd.DataFrame(numbers[:, :2], columns=[np.nan, np.nan]),
        "frame of mixed names": lambda: pd.DataFrame(numbers[:, :2], columns=["a", 1]),
        "frame, no columns": lambda: pd.DataFrame(index=range(n)),
        "frame, nothing": lambda: pd.DataFrame(),
        "groups": lambda: pd.DataFrame({"a": [1] * n}).groupby("a"),
        "sparse frame": lambda: pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(numbers)),
        "Timestamp": lambda: pd.Timestamp("2024"),
        "NA": lambda: pd.NA,
    }
    try:
        import polars as pl
        import pyarrow as pa
    except ImportError:
        return found
    return found | {
        "polars": lambda: pl.DataFrame({"a": [1.0] * n, "b": ["x"] * n}),
        "polars of structs": lambda: pl.DataFrame({"a": [{"b": 1}] * n}),
        "polars of objects": lambda: pl.DataFrame({"a": pl.Series([object()] * n)}),
        "polars of binary": lambda: pl.DataFrame({"a": [b"x"] * n}),
        "polars, nothing": lambda: pl.DataFrame(),
        "polars, lazy": lambda: pl.LazyFrame({"a": [1] * n}),
        "polars Series": lambda: pl.Series([1.0, None] * (n // 2)),
        "polars Series of lists": lambda: pl.Series([[1]] * n),
        "polars expression": lambda: pl.col("a"),
        "arrow": lambda: pa.table({"a": [1] * n, "b": ["x"] * n}),
        "arrow of maps": lambda: pa.table(
            {"a": pa.array([[("x", 1)]] * n, pa.map_("string", "int8"))}
        ),
        "arrow of names": lambda: pa.table([[1] * n, [2] * n], names=["a", "a"]),
        "arrow array": lambda: pa.array([1, None] * (n // 2)),
        "arrow of structs": lambda: pa.array([{"a": 1}] * n),
        "arrow scalar": lambda: pa.scalar(1),
        "arrow schema": lambda: pa.schema([]),
    }


def values(n, m):
    """Return all garbage by name, made anew by a call."""
    groups = {
        "scalar": SCALARS,
        "thing": THINGS,
        "container": CONTAINERS,
        "liar": LIARS,
        "array": arrays(n, m),
        "table": tables(n, m),
    }
    return {f"{group}: {name}": make for group, of in groups.items() for name, make in of.items()}
