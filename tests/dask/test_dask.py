"""Estimators on a Dask cluster: in this process, and, slowly, in several of which one dies."""

import os
import time
from collections import Counter

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import sparsefm as fm
from sparsefm.distributed import copied_chains, settings
from sparsefm.distributed.columns import Columns
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.parts import LocalTables
from sparsefm.distributed.settings import Rounds

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

from sparsefm.dask import DaskFMClassifier, DaskFMRegressor, engine  # noqa: E402
from sparsefm.dask.engine import DaskTables  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

FAST = {"rank": 2, "solver": fm.AdaGrad(learning_rate=0.2), "epochs": 2, "search": None}
OWN = {"n_partitions": 3, "rounds": Rounds(per_epoch=2)}


@pytest.fixture(autouse=True)
def _few_rows_are_enough(monkeypatch):
    monkeypatch.setattr(settings, "LEAST_ROWS", 1)


@pytest.fixture(scope="module")
def client():
    """Return a client of two workers that are threads of this process."""
    quiet = {"dashboard_address": ":0", "processes": False}
    with distributed.Client(n_workers=2, threads_per_worker=1, **quiet) as found:
        yield found


def frame(n=300, seed=0):
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"a": rng.integers(0, 5, n).astype(str), "x": rng.normal(size=n)})
    found["y"] = found.x * (found.a.astype(int) % 2) + 0.1 * rng.normal(size=n)
    found["late"] = np.where(found.y > 0, "yes", "no")
    found["w"] = rng.integers(1, 3, n) * 1.0
    return found


def locally(estimator, whole, sizes, target, **roles):
    """Return the estimator as the same rows in this process make it."""
    ends = np.cumsum(sizes)
    parts = [whole.iloc[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    tables = [pa.Table.from_pandas(part, preserve_index=False) for part in parts]
    columns = Columns(("a", "x"), target, **roles)
    return fit(estimator, LocalTables(tables), columns, rounds=OWN["rounds"], n_partitions=3)


def test_joins_in_the_order_of_a_tree(client):
    parts = [pa.table({"n": [k] * (k % 3)}) for k in range(70)]
    futures = client.scatter(parts)
    each, join = (lambda table: str(table["n"][0])), (lambda parts: f"({' '.join(parts)})")
    expected = LocalTables(parts).reduce(each, join)
    assert DaskTables(client, futures).reduce(each, join) == expected
    assert expected.startswith("((")


def test_a_regressor_is_that_of_the_same_parts_here(client):
    whole = frame()
    rows = dd.from_pandas(whole, npartitions=3)
    sizes = [len(part) for part in rows.partitions]
    model = DaskFMRegressor(**FAST, **OWN).fit(rows[["a", "x"]], rows.y, sample_weight=rows.w)
    expected = locally(fm.FMRegressor(**FAST), whole, sizes, "y", weight="w")
    found = model.predict(rows[["a", "x"]])
    assert isinstance(found, dd.Series)
    assert np.array_equal(found.compute(), expected.predict(whole[["a", "x"]]))
    assert found.compute().index.equals(whole.index)
    assert found.dtype == float
    assert model.history_["train_loss"] == expected.history_["train_loss"]
    r2 = expected.score(whole[["a", "x"]], whole.y)
    assert model.score(rows[["a", "x"]], rows.y) == pytest.approx(r2)
    assert np.array_equal(model.predict(whole[["a", "x"]]), found.compute())  # here


def test_a_classifier(client):
    whole = frame()
    rows = dd.from_pandas(whole, npartitions=3)
    X = rows[["a", "x"]]
    held_out = dd.from_pandas(frame(seed=1), npartitions=2)
    model = DaskFMClassifier(**FAST, **OWN)
    model.fit(X, rows.late, eval_set=(held_out[["a", "x"]], held_out.late))
    assert len(model.history_["val_loss"]) == 2
    local = model.estimator_
    assert type(local) is fm.FMClassifier
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        lazy = getattr(model, method)(X)
        assert np.array_equal(lazy.compute(), getattr(local, method)(whole[["a", "x"]])), method
        assert lazy._meta.ndim == lazy.compute().ndim
    assert model.predict_proba(X).columns.tolist() == ["no", "yes"] == model.classes_.tolist()
    assert model.score(X, rows.late) == local.score(whole[["a", "x"]], whole.late)


def test_arrays_dense_and_sparse(client):
    rng = np.random.default_rng(0)
    X = sparse.random(300, 20, 0.3, "csr", random_state=0)
    y = np.asarray(X.sum(axis=1)).ravel() + 0.01 * rng.normal(size=300)
    dense = da.from_array(X.toarray(), chunks=(100, 7))
    for rows in (dense, dense.rechunk((100, 20)).map_blocks(sparse.csr_matrix)):
        longer = FAST | {"epochs": 6, "random_state": 0}
        model = DaskFMRegressor(**longer, **OWN).fit(rows, da.from_array(y, chunks=100))
        found = model.predict(rows)
        assert isinstance(found, da.Array)
        values = found.compute()
        kind = np.asarray if rows is dense else sparse.csr_matrix
        assert np.array_equal(values, model.estimator_.predict(kind(X.toarray())))
        assert not hasattr(model.estimator_, "feature_names_in_")
        assert model.score(rows, da.from_array(y, chunks=100)) > 0.6
    labels = da.from_array(y > np.median(y), chunks=100)
    model = DaskFMClassifier(**FAST, **OWN).fit(dense, labels)
    assert (
        model.predict_proba(dense).compute().shape == (300, 2) == model.predict_proba(dense).shape
    )


def test_partitions_without_rows(client):
    whole = frame()
    rows = dd.from_pandas(whole, npartitions=3)
    model = DaskFMClassifier(**FAST, **OWN).fit(rows[["a", "x"]], rows.late)
    part = rows.map_partitions(lambda own: own[own.index < 120])  # one partition is empty
    few = part[["a", "x"]]
    for method in ("predict", "predict_proba", "decision_function"):
        found = getattr(model, method)(few)
        expected = getattr(model.estimator_, method)(whole[["a", "x"]][:120])
        assert np.array_equal(found.compute(), expected)
        last = found.partitions[2].compute()
        assert len(last) == 0
        assert type(last) is type(found.compute())
    again = DaskFMClassifier(**FAST, **OWN).fit(few, part.late)
    assert again.predict(few).compute().shape == (120,)


def test_rows_of_another_order_are_refused(client):
    rows = dd.from_pandas(frame(), npartitions=3)
    turned = rows.y.map_partitions(lambda part: part[::-1])
    with pytest.raises(ValueError, match="X and y have rows of another index"):
        DaskFMRegressor(**FAST, **OWN).fit(rows[["a", "x"]], turned)


def test_validation_rows_of_other_columns_are_refused(client):
    rows = dd.from_pandas(frame(), npartitions=3)
    X, array = rows[["a", "x"]], da.ones((300, 4), chunks=(100, 4))
    for other in (rows[["a"]], rows[["a", "x", "w"]], array):
        with pytest.raises(ValueError, match="X of eval_set has other columns than X"):
            DaskFMRegressor(**FAST, **OWN).fit(X, rows.y, eval_set=(other, rows.y))
    with pytest.raises(ValueError, match="other columns"):
        DaskFMRegressor(**FAST, **OWN).fit(array, rows.y, eval_set=(array[:, :3], rows.y))
    ones = rows.w.map_partitions(np.ones_like)
    weighted = DaskFMRegressor(**FAST, **OWN).fit(X, rows.y, ones, eval_set=[(X, rows.y)])
    plain = DaskFMRegressor(**FAST, **OWN).fit(X, rows.y, eval_set=(X, rows.y, ones))
    assert weighted.history_["val_loss"] == plain.history_["val_loss"]


def test_parameters_are_those_of_the_estimator():
    model = DaskFMRegressor(rank=3, solver=fm.AdaGrad(), n_partitions=5)
    assert model.get_params()["rank"] == 3
    assert model.get_params()["n_partitions"] == 5
    copied = clone(model).set_params(rank=4, n_partitions=6, solver__learning_rate=0.5)
    assert (copied.rank, copied.n_partitions, copied.solver.learning_rate) == (4, 6, 0.5)
    assert (model.rank, model.n_partitions) == (3, 5)
    with pytest.raises(TypeError, match="ranks"):
        DaskFMRegressor(ranks=3)
    with pytest.raises(ValueError, match="ranks"):
        model.set_params(ranks=3)
    assert "DaskFMRegressor(" in repr(model)


def test_mistakes_are_told(client):
    whole = frame()
    rows = dd.from_pandas(whole, npartitions=3)
    X = rows[["a", "x"]]
    model = DaskFMRegressor(**FAST, **OWN)
    with pytest.raises(TypeError, match="X must be a Dask DataFrame"):
        model.fit(whole[["a", "x"]], rows.y)
    with pytest.raises(ValueError, match="X has 3 partitions, but y has 2"):
        model.fit(X, rows.y.repartition(npartitions=2))
    with pytest.raises(TypeError, match="eval_set must be"):
        model.fit(X, rows.y, eval_set={"valid": (X, rows.y)})
    with pytest.raises(ValueError, match="y, the target, has 1 rows without a value"):
        model.fit(X, rows.y.map_partitions(lambda own: own.mask(own.index == 7)))
    with pytest.raises(ValueError, match="n_partitions must be at least 1"):
        clone(model).set_params(n_partitions=0).fit(X, rows.y)
    with pytest.raises(ValueError, match="1 epochs leave none after a burn-in of 5"):
        DaskFMRegressor(solver=fm.Gibbs(), epochs=1).fit(X, rows.y)
    with pytest.raises(ValueError, match=r"is not fitted|isn't fitted"):
        model.predict(X)


def test_without_a_cluster(monkeypatch):
    def none():
        raise ValueError("No global client found and no address provided")

    monkeypatch.setattr(distributed, "get_client", none)
    rows = dd.from_pandas(frame(), npartitions=2)
    with pytest.raises(ValueError, match=r"no Dask cluster: create one with .*distributed.Client"):
        DaskFMRegressor(**FAST).fit(rows[["a", "x"]], rows.y)


def assert_same_samples(one, other):
    for mine, others in zip(one._models, other._models, strict=True):
        for sample, also in zip(mine.samples, others.samples, strict=True):
            assert np.array_equal(sample.V, also.V)


SAMPLER = {"rank": 2, "solver": fm.Gibbs(chains=3, burn_in=1), "epochs": 4}


def test_samples_are_those_of_one_machine(client):
    whole, others = frame(), frame(seed=1)
    rows, held_out = (dd.from_pandas(one, npartitions=3) for one in (whole, others))
    X = ["a", "x"]
    model = DaskFMClassifier(**SAMPLER, n_partitions=2)
    model.fit(rows[X], rows.late, rows.w, eval_set=(held_out[X], held_out.late))
    expected = fm.FMClassifier(**SAMPLER)
    expected.fit(whole[X], whole.late, whole.w, eval_set=(others[X], others.late))
    assert_same_samples(model.estimator_, expected)
    assert model.history_["val_loss"] == expected.history_["val_loss"]
    found = model.predict_proba(rows[X]).compute()
    assert np.array_equal(found, expected.predict_proba(whole[X]))


def test_rows_that_are_held_out_and_a_metric(client):
    whole = frame()
    rows = dd.from_pandas(whole, npartitions=3)
    given = FAST | {"validation_fraction": 0.3, "scoring": "mae"}
    model = DaskFMRegressor(**given, **OWN).fit(rows[["a", "x"]], rows.y)
    expected = locally(fm.FMRegressor(**given), whole, [100, 100, 100], "y")
    assert model.history_["mae"] == expected.history_["mae"]
    X = whole[["a", "x"]]
    assert np.array_equal(model.estimator_.predict(X), expected.predict(X))


class Killer:
    """A callback that kills a worker process after an epoch."""

    def __init__(self, client):
        self.client, self.killed = client, Counter()

    def __call__(self, epoch):
        if epoch.epoch in (1, 2):
            pids = sorted(self.client.run(os.getpid).values())
            os.kill(pids[0], 9)
            self.killed["workers"] += 1
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("small", [0, 1 << 30])
def test_a_worker_that_dies_changes_nothing(small, monkeypatch):
    monkeypatch.setattr(engine, "SMALL", small)  # what is larger is a task of its own
    whole = frame()
    options = FAST | {"epochs": 4}
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        rows = dd.from_pandas(whole, npartitions=3)
        killer = Killer(client)
        model = DaskFMRegressor(**options, **OWN, callbacks=[killer])
        model.fit(rows[["a", "x"]], rows.y)
        assert killer.killed["workers"] == 2
    expected = locally(fm.FMRegressor(**options), whole, [100, 100, 100], "y")
    X = whole[["a", "x"]]
    assert np.array_equal(model.estimator_.predict(X), expected.predict(X))


@pytest.mark.slow
def test_a_worker_that_dies_changes_no_samples(monkeypatch):
    monkeypatch.setattr(copied_chains, "BYTES_OF_ROUND", 1)  # a sweep at a time
    whole = frame()
    X = ["a", "x"]
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        rows = dd.from_pandas(whole, npartitions=3)
        killer = Killer(client)
        model = DaskFMRegressor(**SAMPLER, n_partitions=2, callbacks=[killer])
        model.fit(rows[X], rows.y)
        assert killer.killed["workers"] == 2
    assert_same_samples(model.estimator_, fm.FMRegressor(**SAMPLER).fit(whole[X], whole.y))
