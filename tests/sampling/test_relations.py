"""Relations: features that depend on an entity of the row only, drawn from sums over entities."""

import numpy as np
import pytest
from gibbs_core import core, needs_core
from gibbs_problems import STATE, copied, problem
from gibbs_reference import Gibbs
from scipy import sparse

import sparsefm as fm
from sparsefm import _core
from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.sampling import design, relations
from sparsefm.sampling.relations import split

pytestmark = needs_core


def related(loss="squared", rank=3, weighted=True, rows=300, seed=0, users=30, **settings):
    """Draw a problem twice: with all features in the rows, and with two relations.

    Fields 0 and 1 (one-hot; lists of any values) belong to a user, fields 2 and 3 (one-hot;
    a number) to an item, and fields 4 and 5 (one-hot; a number) to the row.
    """
    rng = np.random.default_rng(seed)
    items = 5
    lists = rng.normal(size=(users, 6)) * (rng.random((users, 6)) < 0.4)
    of_users = np.hstack([np.eye(users), lists])
    of_items = np.hstack([np.eye(3)[rng.integers(0, 3, items)], rng.normal(size=(items, 1))])
    sizes = [users, 6, 3, 1, 4, 1]
    fields = np.repeat(np.arange(6), sizes).astype(np.int32)
    d = len(fields)
    Z_users, Z_items = np.zeros((users, d)), np.zeros((items, d))
    Z_users[:, : users + 6] = of_users
    Z_items[:, users + 6 : users + 10] = of_items
    user = rng.integers(0, users, rows).astype(np.int32)
    user[user == 3] = 4  # one has no rows
    item = rng.integers(0, items, rows).astype(np.int32)
    own = np.zeros((rows, d))
    own[:, -5:-1] = np.eye(4)[rng.integers(0, 4, rows)]
    own[:, -1] = rng.normal(size=rows)
    given = problem(loss, rank, rows, weighted, seed, **settings)
    shape = (6, rank + 1)
    given |= {
        "X": own + Z_users[user] + Z_items[item],
        "fields": fields,
        "w": rng.normal(size=d),
        "V": 0.7 * rng.normal(size=(d, rank)),
        "means": 0.5 * rng.normal(size=shape),
        "precisions": rng.uniform(0.5, 2, shape),
    }
    return given, {**given, "X": own, "relations": ((Z_users, user), (Z_items, item))}


def swept(given, sweeps, threads=1, dtype=np.float64):
    arrays = copied(given)
    for name in ("w0", "w", "V"):
        arrays[name] = arrays[name].astype(dtype)
    sampler = core(**arrays)
    squares = [sampler.sweep(t, threads) for t in range(sweeps)]
    return {name: arrays[name] for name in STATE} | {"squares": np.array(squares)}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rank", [0, 1, 3, 8, 17])
@pytest.mark.parametrize("loss", ["squared", "probit"])
def test_the_chain_is_the_one_of_rows_that_have_all_features(loss, rank, weighted):
    expanded, relational = related(loss, rank, weighted)
    expected, found = swept(expanded, 6), swept(relational, 6)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-8, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("loss", ["squared", "probit"])
def test_the_chain_is_that_of_the_reference(loss):
    expanded, relational = related(loss)
    expected = copied(expanded)
    sampler = Gibbs(**expected, seed=0, chain=0)
    for t in range(3):
        sampler.sweep(t)
    found = swept(relational, 3)
    for name in STATE:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-8, atol=1e-8)


def many(weighted):
    """Draw rows of a few frequent items and of many users, one of them frequent."""
    _, given = related(weighted=weighted, rows=30_000, rank=9, users=1400)
    (Z_users, user), of_items = given["relations"]
    user[::4] = 11
    return {**given, "relations": ((Z_users, user), of_items)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
def test_threads_do_not_change_a_bit(weighted, dtype):
    given = many(weighted)
    expected = swept(given, 2, dtype=dtype)
    for threads in (2, 3, 4):
        found = swept(given, 2, threads, dtype)
        for name, array in expected.items():
            assert np.array_equal(found[name], array), name


def test_float32_is_near():
    expanded, relational = related(rows=2000)
    expected = swept(expanded, 2)
    for given in (expanded, relational):
        found = swept(given, 2, dtype=np.float32)
        np.testing.assert_allclose(found["V"], expected["V"], atol=2e-3)


def test_sums_that_lose_their_digits_in_float32_are_gathered_again():
    """Two columns of V are the same, so all that tells them apart is a small precision."""
    expanded, relational = related(rank=2, rows=400)
    results = []
    for given, dtype in [(expanded, "float64"), (relational, "float64"), (relational, "float32")]:
        given["V"][:, 1] = given["V"][:, 0]
        given["precisions"][:] = 1e-4
        given["settings"] = given["settings"]._replace(sample=False)
        results.append(swept({**given, "alpha": np.full(1, 1e3)}, 1, dtype=np.dtype(dtype)))
    for found in results[1:]:
        np.testing.assert_allclose(found["V"], results[0]["V"], rtol=0.02, atol=0.02)


# --- finding them -------------------------------------------------------------------------------


def expanded_again(X, relations):
    total = X
    for relation in relations:
        total = total + as_scipy(relation.X)[relation.entities]
    return total.toarray()


def table(rows=20_000, users=20, items=10):
    """Draw rows of a user, the user's age and numbers, an item, its tags, and the hour."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, users, rows), rng.integers(0, items, rows)
    parts = [
        np.eye(users)[user],
        np.eye(4)[rng.integers(0, 4, users)][user],
        rng.normal(size=(users, 4))[user],
        np.eye(items)[item],
        ((rng.random((items, 12)) < 0.4) * 0.5)[item],
        np.eye(24)[rng.integers(0, 24, rows)],
    ]
    fields = np.repeat(np.arange(6, dtype=np.int32), [part.shape[1] for part in parts])
    return np.hstack(parts), fields


def split_dense(X, fields, rank=3, dtype="float64"):
    """Return the rest and the relations, and the fields of each of these."""
    matrix = as_csr(sparse.csr_array(X), np.dtype(dtype))
    rest, relations = split(matrix, fields, fields.max() + 1, rank, np.dtype(dtype))
    assert relations or rest is matrix
    return rest, relations, [set(fields[relation.X.indices]) for relation in relations]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dependent_fields_become_relations(dtype):
    X, fields = table()
    rest, relations, of = split_dense(X, fields, dtype=dtype)
    assert of == [{0, 1, 2}, {3, 4}]
    assert [relation.X.n_rows for relation in relations] == [20, 10]
    assert set(fields[rest.indices]) == {5}
    assert all(relation.X.values.dtype == dtype for relation in relations)
    np.testing.assert_array_equal(expanded_again(as_scipy(rest), relations), X.astype(dtype))


def test_one_row_that_differs_is_enough():
    X, fields = table()
    X[12_345, fields == 1] = np.roll(X[12_345, fields == 1], 1)
    X[77, np.flatnonzero(fields == 2)[:3]] = 1e-9
    assert split_dense(X, fields)[2] == [{3, 4}]


def test_rows_without_a_key_are_an_entity():
    X, fields = table()
    X[::7, fields <= 1] = 0
    X[::7, fields == 2] = 0.5
    _, relations, of = split_dense(X, fields)
    assert of == [{0, 1, 2}, {3, 4}]
    assert [relation.X.n_rows for relation in relations] == [21, 10]
    X[0, fields == 2] = 0.25  # they do not agree
    assert split_dense(X, fields)[2] == [{3, 4}]


def test_a_key_with_two_features_in_a_row_is_none():
    X, fields = table()
    X[5, :2] = 1
    assert split_dense(X, fields)[2] == [{3, 4}]


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_few_rows_have_no_relations(rows):
    assert split_dense(*table(rows))[2] == []


def test_the_sums_of_entities_do_not_take_much_memory():
    X, fields = table()  # 1,000 rows of a user, 2,000 of an item
    assert split_dense(X, fields, rank=499)[2] == [{0, 1, 2}, {3, 4}]
    assert split_dense(X, fields, rank=500)[2] == [{3, 4}]
    assert split_dense(X, fields, rank=1000)[2] == []


@pytest.mark.parametrize(("others", "expected"), [(1, [{0, 1}]), (3, [])])
def test_relations_that_save_little_are_none(others, expected):
    rng = np.random.default_rng(0)
    user = rng.integers(0, 20, 40_000)
    parts = [np.eye(20)[user], np.eye(5)[rng.integers(0, 5, 20)][user]]
    parts += [np.eye(50)[rng.integers(0, 50, 40_000)] for _ in range(others)]
    fields = np.repeat(np.arange(2 + others, dtype=np.int32), [20, 5, *[50] * others])
    assert split_dense(np.hstack(parts), fields)[2] == expected  # one entry of 3, or of 5


def test_a_field_comes_to_one_relation():
    rng = np.random.default_rng(0)
    user = rng.integers(0, 40, 40_000)
    city = rng.integers(0, 5, 40)[user]
    blocks = [np.eye(5)[city], np.eye(40)[user], rng.normal(size=(5, 3))[city]]
    fields = np.repeat(np.arange(3, dtype=np.int32), [5, 40, 3])
    assert split_dense(np.hstack(blocks), fields)[2] == [{0, 1, 2}]


def test_entities_must_not_cost_more_than_they_save():
    assert split_dense(*table(rows=2000, users=60))[2] == [{3, 4}]


def test_each_relation_saves_a_tenth():
    X, fields = table()
    rng = np.random.default_rng(1)
    pair = np.eye(3)[rng.integers(0, 3, len(X))]
    X = np.hstack([X, pair, pair])  # the last saves one entry of 14
    fields = np.append(fields, np.repeat([6, 7], 3)).astype(np.int32)
    assert split_dense(X, fields)[2] == [{0, 1, 2}, {3, 4}]


def test_there_is_a_budget(monkeypatch):
    monkeypatch.setattr(relations, "MOST_PASSES", 0)
    assert split_dense(*table())[2] == []


def test_what_takes_long_to_find_is_not_looked_for():
    """A column that is almost constant depends on all others, until its last row."""
    rng = np.random.default_rng(0)
    X = np.eye(2)[rng.integers(0, 2, (500, 300))].reshape(500, 600)
    fields = np.repeat(np.arange(300, dtype=np.int32), 2)
    X[:-1, :60] = np.tile([1.0, 0.0], 30)
    matrix = as_csr(sparse.csr_array(X), np.float64)
    entries = np.full(300, 500)
    budget, found = _core.dependence(299, matrix, fields, entries, 15_001, 10**9)
    assert found is None
    assert budget > 10**9 - 20_000  # other columns are soon found to differ
    budget, found = _core.dependence(299, matrix, fields, entries, 15_000, 10**9)
    assert found is None
    assert budget < 10**9 - 200_000
    budget, found = _core.dependence(299, matrix, fields, entries, 15_000, 50_000)
    assert found is None
    assert -1000 < budget < 0


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_a_table_with_relations_has_the_chain_of_its_rows(task, monkeypatch):
    """Relations come first, as their fields do here: with and without them it is one chain."""
    rng = np.random.default_rng(1)
    X, fields = table()
    X = X[:: len(X) // 4000]
    monkeypatch.setattr(relations, "ENTITY_COST", 1)  # of so few rows
    truth = X @ rng.normal(size=X.shape[1]) + (X @ rng.normal(size=(X.shape[1], 2))).prod(axis=1)
    y = truth + rng.normal(size=4000)
    y = y if task == "regression" else (y > 0).astype(int)
    options = {"task": task, "rank": 3, "epochs": 60, "fields": fields, "dtype": "float64"}
    found = fm.train(X, y, solver=fm.Gibbs(), **options).score(X)
    monkeypatch.setattr(design, "split", lambda X, *_: (X, ()))
    expected = fm.train(X, y, solver=fm.Gibbs(), **options).score(X)
    assert not np.array_equal(found, expected)  # there are relations, and sums are rounded
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


# --- bad input ----------------------------------------------------------------------------------


def test_relations_are_checked():
    _, given = related()
    (Z_users, user), (Z_items, item) = given["relations"]
    with pytest.raises(ValueError, match="no row of the relation"):
        core(**given | {"relations": ((Z_users, user), (Z_items[:3], item))})
    with pytest.raises(ValueError, match="other features"):
        core(**given | {"relations": ((Z_users[:, 1:], user),)})
    with pytest.raises(ValueError, match="in X and in a relation"):
        core(**given | {"relations": ((Z_users, user), (Z_users, user))})
    with pytest.raises(ValueError, match="in X and in a relation"):
        core(**given | {"X": Z_users[user]})
    with pytest.raises(ValueError, match="entities"):
        core(**given | {"relations": ((Z_users, user[:5]),)})
