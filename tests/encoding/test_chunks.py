"""`partial_fit` costs what a chunk does, changes nothing if it fails, and copies grow apart."""

import copy
import time

import numpy as np
import pytest
from scipy import sparse

from sparsefm.data.csr import as_scipy
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.saving import encoder_to_content

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")


def best(function, times):
    """Return the seconds of the fastest of several calls."""
    fastest = np.inf
    for _ in range(times):
        started = time.perf_counter()
        function()
        fastest = min(fastest, time.perf_counter() - started)
    return fastest


SLACK = 0.001  # seconds, of which nothing is said


def ratio(function, other, times=15):
    """Return how many times as long as the other one a function takes, least by least.

    They take turns, so that what else the machine does slows both; and only their own time counts.
    """
    least = [np.inf, np.inf]
    for _ in range(times):
        for place, call in enumerate((other, function)):
            begun = time.process_time()
            call()
            least[place] = min(least[place], time.process_time() - begun)
    return (least[1] + SLACK) / (least[0] + SLACK)


def same(a, b):
    """Require that two encoders are the same."""
    (header, arrays), (other, others) = map(encoder_to_content, (a, b))
    assert header == other
    assert arrays.keys() == others.keys()
    assert all(arrays[k].tobytes() == others[k].tobytes() for k in arrays)


# --- a chunk costs a chunk ------------------------------------------------------------------------

ROWS = 1000
MANY_IDS = pytest.mark.filterwarnings("ignore:column 'id' has 1,000,100 distinct values")


def ids(n):
    return np.array([f"id {i}" for i in range(n)], object)


def new_ids(n):
    """Return 900 of n known ids and 100 new ones."""
    random = np.random.default_rng(0)
    return np.append(ids(n)[random.integers(0, n, ROWS - 100)], ids(n + 100)[n:])


def text_column(n):
    """Return an encoder that knows n ids, and a chunk with others."""
    return TableEncoder().fit(pd.DataFrame({"id": ids(n)})), pd.DataFrame({"id": new_ids(n)})


def category_column(n):
    """Return an encoder that knows n ids, and a part of its table: with all of the categories."""
    frame = pd.DataFrame({"id": ids(n)}).astype("category")
    return TableEncoder().fit(frame), frame[:ROWS]


def arrow_dictionary(n):
    """Return the same of PyArrow."""
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"id": pa.array(ids(n)).dictionary_encode()})
    return TableEncoder().fit(table), table.slice(0, ROWS)


def hashed_column(n):
    """Return an encoder with n buckets."""
    frame = pd.DataFrame({"id": ids(ROWS)})
    return TableEncoder(hashed={"id": n}).fit(frame), pd.DataFrame({"id": new_ids(n)})


def csr_columns(n, values=None):
    """Return an encoder of n columns, most of them without a value yet, and a chunk with more."""
    random = np.random.default_rng(0)
    parts = []
    for columns in (n, n + 10):
        of_rows = np.sort(random.integers(0, columns, (ROWS, 20)), axis=1).ravel()
        data = random.choice(values or [1.0], len(of_rows)).astype("f4")
        indptr = np.arange(0, len(of_rows) + 1, 20)
        part = sparse.csr_matrix((data, of_rows, indptr), (ROWS, columns))
        part.sum_duplicates()
        part.data = np.minimum(part.data, 2)
        parts.append(part)
    return TableEncoder().fit(parts[0]), parts[1]


def csr_numbers(n):
    """Return the same with other values than one."""
    return csr_columns(n, [0.5, 1.0, 2.0])


@MANY_IDS
@pytest.mark.parametrize(
    "case",
    [text_column, category_column, arrow_dictionary, hashed_column, csr_columns, csr_numbers],
)
def test_a_chunk_costs_the_same_whatever_is_known(case):
    """Learning and encoding, in a stream, for each chunk is learned by a copy of the last one."""
    learning, encoding = [], []
    for n in (10**6, 10**4):
        encoder, chunk = case(n)
        streams = [copy.copy(encoder)]

        def step(chunk=chunk, streams=streams):
            streams.append(copy.copy(streams[-1]))
            streams[-1]._grow_encode(chunk, None, streams[-1])

        learning.append(step)
        encoding.append(
            lambda chunk=chunk, streams=streams: streams[-1]._encode(chunk, streams[-1])
        )
    assert ratio(*learning) < 3
    assert ratio(*encoding) < 3


@MANY_IDS
def test_the_second_try_costs_a_chunk_too():
    """One that failed, or another copy, has grown out of the same encoder before."""
    steps = []
    for n in (10**6, 10**4):
        encoder, chunk = text_column(n)

        def step(encoder=encoder, chunk=chunk):
            grown = copy.copy(encoder)
            grown._grow_encode(chunk, None, grown)

        steps.append(step)
    assert ratio(*steps) < 3


def test_no_names_are_made_for_a_million_columns(monkeypatch):
    from sparsefm.encoding import fields, reading

    def fail(names, n_columns):
        raise AssertionError("names were made")

    monkeypatch.setattr(reading, "column_names", fail)
    monkeypatch.setattr(fields, "column_names", fail)
    fitted, chunk = csr_columns(10**6)
    fitted.partial_fit(chunk)
    fitted.transform(chunk)
    monkeypatch.undo()
    assert fitted.field_names_[-1] == f"x{10**6 + 9}"


def test_a_row_costs_little():
    """A table of 20 columns: a few times what pandas takes to hand over the cells. CSR: less."""
    random = np.random.default_rng(0)
    columns = {f"t{i}": ids(1000)[random.integers(0, 1000, 2000)] for i in range(10)}
    columns |= {f"n{i}": random.normal(size=2000) for i in range(10)}
    frame = pd.DataFrame(columns)
    fitted, row = TableEncoder().fit(frame), frame[:1]
    cells = best(lambda: [row[name].to_numpy() for name in row], 200)
    assert best(lambda: fitted._encode(row, fitted), 200) < 6 * cells
    for case in (csr_columns, csr_numbers):
        encoder, chunk = case(10**5)
        encoder.partial_fit(chunk)
        row = chunk[:1]
        assert best(lambda encoder=encoder, row=row: encoder._encode(row, encoder), 200) < cells / 4


# --- what it learns -------------------------------------------------------------------------------


def draw_chunk(random, table):
    """Return a few rows of text, numbers and flags, each perhaps with gaps."""
    n = random.integers(1, 6)
    texts = random.choice(["a", "b", "c", "d", "e", "f", None], n).tolist()
    numbers = [None if random.random() < 0.1 else float(x) for x in random.integers(0, 4, n)]
    flags = random.choice([True, False, None], n, p=[0.5, 0.4, 0.1]).tolist()
    columns = {"s": texts, "n": numbers, "b": flags}
    if table is pd.DataFrame:  # a column of gaps alone has no type
        return pd.DataFrame(columns).astype({"s": "string", "n": "float64", "b": "boolean"})
    if "polars" in table.__module__:
        import polars as pl

        return pl.DataFrame(columns, {"s": pl.String, "n": pl.Float64, "b": pl.Boolean})
    import pyarrow as pa

    return table(columns, pa.schema([("s", pa.string()), ("n", pa.float64()), ("b", pa.bool_())]))


@pytest.mark.filterwarnings("ignore:the first call of partial_fit:UserWarning")
@pytest.mark.parametrize("seed", range(5))
def test_copies_do_not_share_growth(table, seed):
    """Any tree of copies: each is what its own chunks make of it, in one encoder."""
    random = np.random.default_rng(seed)
    first = draw_chunk(random, table)
    tree = [(TableEncoder().partial_fit(first), [first])]
    for _ in range(15):
        encoder, chunks = tree[random.integers(len(tree))]
        grown, chunk = copy.copy(encoder), draw_chunk(random, table)
        grown.partial_fit(chunk)
        tree.append((grown, [*chunks, chunk]))
    for encoder, chunks in tree:
        alone = TableEncoder()
        for chunk in chunks:
            alone.partial_fit(chunk)
        same(encoder, alone)
        for _, others in tree[::4]:
            left, right = encoder.transform(others[-1]), alone.transform(others[-1])
            assert (left != right).nnz == 0
            assert left.shape == right.shape


def test_sparse_copies_do_not_share_growth():
    first = TableEncoder().fit(sparse.csr_matrix([[2.0, 0, 0]]))
    one, other = copy.copy(first), copy.copy(first)
    one.partial_fit(sparse.csr_matrix([[9.0, 3.0, 0]]))
    other.partial_fit(sparse.csr_matrix([[9.0, 5.0, 7.0, 11.0]]))
    X = sparse.csr_matrix([[2.0, 15.0, 7.0]])
    assert first.transform(X).data.tolist() == [1, 15, 7]
    assert one.transform(X).data.tolist() == [1, 5, 7]
    assert other.n_features_out_ == 4
    assert other._scales.values.tolist() == [2, 5, 7, 11]


def test_chunks_know_what_a_fit_of_all_rows_knows(table):
    """The same categories, if in another order: so the same features of each row, by name."""
    random = np.random.default_rng(0)
    chunks = []
    for _ in range(10):
        values = random.integers(0, 60, 30)
        chunks.append({"s": [f"v{v}" for v in values], "z": (values % 2).tolist()})
    chunks[-1]["s"][3] = None
    everything = {name: [x for chunk in chunks for x in chunk[name]] for name in ("s", "z")}
    whole, grown, parts = TableEncoder().fit(table(everything)), TableEncoder(), []
    for chunk in chunks:
        encode = grown._grow_encode if parts else grown._fit_encode
        parts.append(as_scipy(encode(table(chunk), None, grown)))
    names = grown.get_feature_names_out().tolist()
    expected = whole.get_feature_names_out().tolist()
    assert sorted(names) == sorted(expected)
    order = [names.index(name) for name in expected]
    X = grown.transform(table(everything))
    assert (X[:, order] != whole.transform(table(everything))).nnz == 0
    for part in parts:
        part.resize(part.shape[0], X.shape[1])
    assert (sparse.vstack(parts) != X).nnz == 0
    assert (grown.fields_[order] == whole.fields_).all()


def test_sparse_chunks_of_ones_know_what_a_fit_of_all_rows_knows():
    X = (sparse.random(200, 500, density=0.01, format="csr", random_state=0) != 0).astype("f4")
    grown = TableEncoder()
    for begin in range(0, 200, 50):
        grown.partial_fit(X[begin : begin + 50])
    same(grown, TableEncoder().fit(X))


# --- failures -------------------------------------------------------------------------------------


def test_a_failed_chunk_changes_nothing(table):
    """The first column has grown before the second turns out to be wrong."""
    rows = {"s": ["a", "b"], "n": [1.0, 2.0]}
    encoder, never_failed = (TableEncoder().fit(table(rows)) for _ in range(2))
    wrong = table({"s": ["x", "y"], "n": ["text", "text"]})
    for learn in (encoder.partial_fit, lambda X: encoder._grow_encode(X, None, encoder)):
        before = dict(vars(encoder))
        with pytest.raises(TypeError, match="'n' held numbers"):
            learn(wrong)
        assert vars(encoder) == before
        same(encoder, never_failed)
        assert encoder.transform(table({"s": ["x"], "n": [1.5]})).nnz == 0
    more = table({"s": ["y", "z"], "n": [None, 2.0]})
    same(encoder.partial_fit(more), never_failed.partial_fit(more))


@pytest.mark.filterwarnings("ignore:column .x0. held nothing but 0 and 1:UserWarning")
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_what_cannot_be_encoded_is_not_learned(form):
    """A new column can be learned, but the value of another is too large for float32."""
    encoder = TableEncoder().fit(form(np.array([[1.0], [0]])))
    before, owner = dict(vars(encoder)), copy.copy(encoder)
    far = form(np.array([[1e300, 7.0], [1, 0]]))
    with pytest.raises(ValueError, match=r"too (far|large)"):
        encoder._grow_encode(far, None, owner)
    assert vars(encoder) == vars(owner) == before
