"""Estimators that are fitted on rows in parts, all in this process."""

import datetime
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import sparsefm as fm
from sparsefm.data.csr import as_scipy
from sparsefm.distributed import counts, fitting
from sparsefm.distributed import sample as sample_module
from sparsefm.distributed.columns import Columns, as_vectors
from sparsefm.distributed.counts import VALUE, WEIGHT, Counting, thinned
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.parts import LocalTables
from sparsefm.distributed.settings import Rounds
from sparsefm.encoding.counted import fit_counted, fit_counted_matrix

pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")

FAST = {"rank": 2, "solver": fm.AdaGrad(learning_rate=0.2), "epochs": 3, "search": None}
FEATURES = ("city", "tags", "x", "day")


@pytest.fixture(autouse=True)
def _few_rows_are_enough(monkeypatch):
    monkeypatch.setattr(fitting, "ROWS_OF_A_ROUND", 1)


def table(n=400, seed=0):
    """Draw rows of four kinds of columns with targets, weights and validation rows."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 7, n)
    x = rng.normal(size=n)
    tags = [[f"t{k}" for k in rng.integers(0, 5, rng.integers(0, 4))] for _ in range(n)]
    first = datetime.datetime(2026, 1, 1)
    y = np.sin(city) + x * (city % 2) + 0.1 * rng.normal(size=n)
    return pa.table(
        {
            "city": [None if k == 6 else f"c{k}" for k in city],
            "tags": [None if k == 0 else own for k, own in zip(city, tags, strict=True)],
            "x": np.where(rng.random(n) < 0.05, np.nan, x),
            "day": [first + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9000, n)],
            "y": y,
            "late": np.where(y > 0.2, "yes", "no"),
            "w": rng.integers(0, 3, n) * 0.5,
            "v": rng.random(n) < 0.2,
        }
    )


def parts_of(whole, sizes):
    ends = np.cumsum(sizes)
    assert ends[-1] == whole.num_rows
    return [whole.slice(end - size, size) for end, size in zip(ends, sizes, strict=True)]


def fitted(estimator, whole, columns, sizes=(400,), n_partitions=3, rounds=4, resume=None):
    tables = LocalTables(parts_of(whole, sizes))
    settings = Rounds(per_epoch=rounds)
    return fit(
        estimator, tables, columns, rounds=settings, n_partitions=n_partitions, resume=resume
    )


def counted(whole, columns, sizes, exact=()):
    counting = Counting(columns, frozenset(exact), classes=False)
    return LocalTables(parts_of(whole, sizes)).reduce(counting.of, counting.joined)


def of_columns(found, columns):
    """Return what `fit_counted` takes."""
    pairs = zip(columns.features, found.features, strict=True)
    return {name: (one[VALUE], one[WEIGHT].to_numpy()) for name, one in pairs}


# --- encoders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[400], [1, 0, 150, 249], [40] * 10])
@pytest.mark.parametrize("numeric", ["standardize", "log", "spline", "bin"])
@pytest.mark.parametrize("weight", [None, "w"])
def test_an_encoder_learns_the_same_from_counts(sizes, numeric, weight):
    whole, columns = table(), Columns(FEATURES, "y", weight)
    encoder = fm.TableEncoder(numeric=numeric, hashed={"city": 5})
    X = whole.select(list(FEATURES))
    expected = fm.TableEncoder(numeric=numeric, hashed={"city": 5})
    expected.fit(X, sample_weight=None if weight is None else whole["w"].to_numpy())
    fit_counted(encoder, of_columns(counted(whole, columns, sizes, ["city"]), columns))
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


# --- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[400], [1, 0, 150, 249], [40] * 10])
def test_parts_change_nothing(sizes):
    """Also a part of one row, and an empty one."""
    whole, columns = table(), Columns(FEATURES, "y", validation="v")
    expected = fitted(fm.FMRegressor(**FAST), whole, columns)
    again = fitted(fm.FMRegressor(**FAST), whole, columns, sizes)
    X = whole.select(list(FEATURES))
    assert np.array_equal(again.predict(X), expected.predict(X))
    assert again.history_["val_loss"] == expected.history_["val_loss"]


@pytest.mark.parametrize("kind", ["regressor", "logistic", "hinge", "softmax", "rest"])
def test_learns_as_one_machine_does(kind):
    whole = table(3000)
    X = whole.select(list(FEATURES))
    target = "y" if kind == "regressor" else "late"
    if kind in ("softmax", "rest"):
        names = np.array(["a", "b", "c"])
        codes = np.digitize(whole["y"].to_numpy(), [-0.5, 0.5])
        whole = whole.set_column(5, "late", pa.array(names[codes]))
    options = FAST | {"epochs": 8}
    if kind == "regressor":
        estimator = fm.FMRegressor(**options)
    else:
        loss = {"rest": "logistic"}.get(kind, kind)
        estimator = fm.FMClassifier(loss=loss, **options)
    alone = clone(estimator).fit(X, whole[target])
    fitted(estimator, whole, Columns(FEATURES, target), [1000, 2000])
    assert estimator.score(X, whole[target]) > alone.score(X, whole[target]) - 0.02
    assert estimator.score(X, whole[target]) > (0.8 if kind == "regressor" else 0.85)


def test_vectors_and_arrays():
    rng = np.random.default_rng(0)
    X = sparse.random(600, 30, 0.2, "csr", random_state=0)
    y = np.asarray(X.sum(axis=1)).ravel() + 0.01 * rng.normal(size=600)
    whole = pa.table({"v": as_vectors(X), "y": y})
    model = fitted(fm.FMRegressor(**FAST), whole, Columns(("v",), "y", is_vector=True), [200, 400])
    assert model.score(X, y) > 0.7
    dense = X.toarray()[:, :3]
    whole = pa.table({**{f"x{k}": dense[:, k] for k in range(3)}, "y": y})
    model = fitted(
        fm.FMRegressor(**FAST), whole, Columns(("x0", "x1", "x2"), "y", are_named=False), [200, 400]
    )
    assert not hasattr(model, "feature_names_in_")
    assert np.isfinite(model.predict(dense)).all()


def test_weights_count_as_rows_do():
    whole = table()
    counted_rows = np.repeat(np.arange(400), (2 * whole["w"].to_numpy()).astype(int))
    weighted = fitted(fm.FMRegressor(**FAST), whole, Columns(FEATURES, "y", "w"))
    repeated = whole.take(counted_rows)
    again = fitted(fm.FMRegressor(**FAST), repeated, Columns(FEATURES, "y"), [len(counted_rows)])
    X = whole.select(list(FEATURES))
    assert weighted._target == again._target
    one, other = (model.encoder_.transform(X).toarray() for model in (weighted, again))
    assert np.array_equal(one, other)
    difference = np.std(weighted.predict(X) - again.predict(X))
    assert difference < 0.3 * np.std(again.predict(X))  # other batches


def test_balanced_classes_have_equal_weight():
    whole = table()
    late = np.where(whole["y"].to_numpy() > 1, "yes", "no")
    whole = whole.set_column(5, "late", pa.array(late))
    options = FAST | {"class_weight": "balanced", "rank": 0}
    model = fitted(fm.FMClassifier(**options), whole, Columns(FEATURES, "late"), [100, 300])
    X = whole.select(list(FEATURES))
    alone = fm.FMClassifier(**options).fit(X, late)
    shares = [np.mean(one.predict_proba(X)[:, 1]) for one in (model, alone)]
    assert shares[0] == pytest.approx(shares[1], abs=0.05)
    assert shares[0] > 1.5 * np.mean(late == "yes")


def test_settings_are_chosen_on_a_sample(monkeypatch, brief_search):
    monkeypatch.setattr(sample_module, "SAMPLE_ROWS", 150)
    whole, columns = table(), Columns(FEATURES, "y")
    model = fitted(fm.FMRegressor(), whole, columns, [150, 250])
    assert 0 < max(model.search_["rows"]) <= 150
    assert not any(solver.startswith("Adam(") for solver in model.search_["solver"])
    assert sum(solver.startswith("AdaGrad(") for solver in model.search_["solver"]) > 1
    again = fitted(fm.FMRegressor(), whole, columns, [40] * 10)
    X = whole.select(list(FEATURES))
    assert np.array_equal(model.predict(X), again.predict(X))
    assert model.describe().count("\n") >= 4


def test_a_sample_is_the_same_in_any_parts(monkeypatch):
    monkeypatch.setattr(sample_module, "SAMPLE_ROWS", 150)
    seen = []

    def choose(self, sample):
        seen.append(sample.to_pylist())
        raise RuntimeError("seen")

    monkeypatch.setattr(fitting._Fit, "_choose", choose)
    for sizes in ([400], [1, 0, 150, 249], [40] * 10):
        rows = table().take(np.random.default_rng(len(sizes)).permutation(400))
        with pytest.raises(RuntimeError, match="seen"):
            fitted(fm.FMRegressor(), rows, Columns(FEATURES, "y"), sizes)
    assert len(seen[0]) == 150
    assert repr(seen[0]) == repr(seen[1]) == repr(seen[2])  # NaN is not equal to itself


def test_a_saved_model_and_explanations(tmp_path):
    whole = table()
    model = fitted(fm.FMRegressor(**FAST), whole, Columns(FEATURES, "y"), [200, 200])
    X = whole.select(list(FEATURES))
    model.save(tmp_path / "model")
    assert np.array_equal(fm.load(tmp_path / "model").predict(X), model.predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert len(model.interactions(top=3)["weight"]) == 3


def test_goes_on_from_a_checkpoint(tmp_path, brief_search):
    whole, columns = table(), Columns(FEATURES, "y", validation="v")
    expected = fitted(fm.FMRegressor(epochs=4), whole, columns)

    class PowerCutError(Exception):
        pass

    def cut(epoch):
        if epoch.epoch == 2:
            raise PowerCutError

    path = tmp_path / "run"
    checkpoint = fm.Checkpoint(path)
    with pytest.raises(PowerCutError):
        fitted(fm.FMRegressor(epochs=4, callbacks=[checkpoint, cut]), whole, columns, resume=path)
    resumed = fitted(fm.FMRegressor(epochs=4, callbacks=[checkpoint]), whole, columns, resume=path)
    X = whole.select(list(FEATURES))
    assert resumed.history_["val_loss"] == expected.history_["val_loss"]
    assert np.array_equal(resumed.predict(X), expected.predict(X))


def test_validation_rows_teach_nothing():
    whole = table()
    held_out = whole["v"].to_numpy()
    strange = np.where(held_out, "new", np.array(whole["city"].to_pylist(), object))
    whole = whole.set_column(0, "city", pa.array(list(strange), pa.string()))
    options = FAST | {"early_stopping": False}
    model = fitted(fm.FMRegressor(**options), whole, Columns(FEATURES, "y", validation="v"))
    rest = whole.filter(pa.array(~held_out))
    expected = fitted(fm.FMRegressor(**options), rest, Columns(FEATURES, "y"), [rest.num_rows])
    X = rest.select(list(FEATURES))
    assert np.array_equal(model.predict(X), expected.predict(X))
    mistakes = (
        model.predict(whole.select(list(FEATURES)))[held_out] - whole["y"].to_numpy()[held_out]
    )
    assert model.history_["val_loss"][-1] == pytest.approx(np.mean(mistakes**2), rel=1e-5)


def test_many_partitions_of_few_rows(monkeypatch):
    monkeypatch.undo()
    whole, columns = table(4000), Columns(FEATURES, "y")
    X = whole.select(list(FEATURES))
    model = fitted(fm.FMRegressor(**FAST), whole, columns, [20] * 200, 10_000, rounds=8)
    few = fitted(fm.FMRegressor(**FAST), whole, columns, [4000], 5, rounds=8)  # of 100 rows a round
    assert np.array_equal(model.predict(X), few.predict(X))
    alone = fm.FMRegressor(**FAST).fit(X, whole["y"]).score(X, whole["y"])
    assert model.score(X, whole["y"]) > alone - 0.05


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    whole, columns = table(), Columns(FEATURES, "y")
    model = fitted(fm.FMRegressor(**FAST), whole, columns)
    before = model.predict(whole.select(list(FEATURES)))
    model.set_params(epochs=1)
    broken = whole.set_column(4, "y", pa.array([None] + [1.0] * 399))
    with pytest.raises(ValueError, match="1 rows without a value"):
        fitted(model, broken, columns)

    def stop(epoch):
        raise RuntimeError("enough")

    model.set_params(callbacks=[stop])
    with pytest.raises(RuntimeError, match="enough"):
        fitted(model, whole.slice(0, 300), columns, [300])
    assert np.array_equal(model.predict(whole.select(list(FEATURES))), before)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warm_start": True}, "warm_start is not supported"),
        ({"validation_fraction": 0.2}, "validation_fraction is not supported"),
        ({"scoring": "r2"}, "scoring is not supported"),
        ({"solver": fm.Adam()}, "solver must be AdaGrad"),
        ({"solver": fm.Gibbs()}, "solver must be AdaGrad"),
    ],
)
def test_what_is_not_supported_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fitted(fm.FMRegressor(**options), table(), Columns(FEATURES, "y"))


def test_tables_that_cannot_be_trained_on():
    whole, columns = table(), Columns(FEATURES, "y")
    others = whole.slice(200).set_column(0, "city", pa.array(np.arange(200.0)))
    with pytest.raises(TypeError, match="'city' holds double in one partition and string"):
        fit(
            fm.FMRegressor(**FAST),
            LocalTables([whole.slice(0, 200), others]),
            columns,
            n_partitions=2,
        )
    with pytest.raises(ValueError, match="no rows"):
        fit(fm.FMRegressor(**FAST), LocalTables([whole.slice(0, 0)]), columns, n_partitions=2)
    nothing = whole.set_column(6, "w", pa.array(np.zeros(400)))
    with pytest.raises(ValueError, match="no rows"):
        fitted(fm.FMRegressor(**FAST), nothing, Columns(FEATURES, "y", "w"))
    negative = whole.set_column(6, "w", pa.array(np.full(400, -1.0)))
    with pytest.raises(ValueError, match="negative"):
        fitted(fm.FMRegressor(**FAST), negative, Columns(FEATURES, "y", "w"))
    never = whole.set_column(7, "v", pa.array(np.zeros(400, bool)))
    with pytest.raises(ValueError, match="true in no row"):
        fitted(fm.FMRegressor(**FAST), never, Columns(FEATURES, "y", validation="v"))
    with pytest.raises(ValueError, match="must have true or false"):
        fitted(fm.FMRegressor(**FAST), whole, Columns(FEATURES, "y", validation="w"))
    with pytest.raises(ValueError, match="given twice"):
        Columns(("y", "x"), "y")
    with pytest.raises(ValueError, match="only one class"):
        fitted(
            fm.FMClassifier(**FAST),
            whole.set_column(5, "late", pa.array(["a"] * 400)),
            Columns(FEATURES, "late"),
        )
    new = pa.concat_tables(
        [whole.slice(0, 399), whole.slice(399).set_column(5, "late", pa.array(["?"]))]
    )
    new = new.set_column(7, "v", pa.array([False] * 399 + [True]))
    with pytest.raises(ValueError, match=r"y holds the class '\?'"):
        fitted(fm.FMClassifier(**FAST), new, Columns(FEATURES, "late", validation="v"))
    sizes = pa.concat_tables(
        [
            pa.table({"v": as_vectors(sparse.eye(k).tocsr()), "y": np.arange(float(k))})
            for k in (3, 4)
        ]
    )
    with pytest.raises(ValueError, match=r"sizes 3 and 4|different sizes"):
        fitted(fm.FMRegressor(**FAST), sizes, Columns(("v",), "y", is_vector=True), [3, 4])
