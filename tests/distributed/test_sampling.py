"""Samplers on rows in parts, all in this process: the model is that of one machine, to the bit."""

import numpy as np
import pytest
from sklearn.base import clone
from tables_in_parts import FEATURES, pa, parts_of, table

import sparsefm as fm
from sparsefm.distributed import copied_chains, gathering, settings
from sparsefm.distributed.columns import Columns
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.parts import LocalTables

pytest.importorskip("narwhals")

GIBBS = {"rank": 2, "solver": fm.Gibbs(chains=3, burn_in=2), "epochs": 6}
SIZES = (1, 0, 150, 249)


def fitted(estimator, whole, columns, sizes=SIZES, n_partitions=2, resume=None):
    tables = LocalTables(parts_of(whole, sizes))
    return fit(estimator, tables, columns, n_partitions=n_partitions, resume=resume)


def X_of(whole):
    return whole.select(list(FEATURES))


def with_classes(whole, kind):
    """Return a table whose column "late" has classes of a kind, and an estimator of them."""
    codes = np.digitize(whole["y"].to_numpy(), [-0.5, 0.5])
    if kind == "numbers":
        return whole.set_column(5, "late", whole["y"]), fm.FMRegressor(**GIBBS)
    if kind == "two":
        return whole, fm.FMClassifier(**GIBBS)
    if kind == "ordered":
        whole = whole.set_column(5, "late", pa.array(codes))
        return whole, fm.FMClassifier(loss="ordinal", **GIBBS)
    return whole.set_column(5, "late", pa.array(np.array(list("abc"))[codes])), fm.FMClassifier(
        **GIBBS
    )


def assert_same(one, other):
    """Check that two estimators have the same samples, figures, and rows to go on with."""
    for mine, others in zip(one._models, other._models, strict=True):
        assert mine.progress.data == others.progress.data
        for sample, also in zip(mine.samples, others.samples, strict=True):
            for name in ("w0", "w", "V", "noise", "cuts"):
                assert np.array_equal(getattr(sample, name), getattr(also, name))
    figures = [
        {name: values for name, values in model.history_.items() if name != "seconds"}
        for model in (one, other)
    ]
    assert repr(figures[0]) == repr(figures[1])  # NaN is not equal to itself


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("kind", ["numbers", "two", "three", "ordered"])
def test_samples_are_those_of_one_machine(kind, weight):
    whole, estimator = with_classes(table(), kind)
    expected = clone(estimator)
    weights = None if weight is None else whole["w"].to_numpy()
    expected.fit(X_of(whole), whole["late"], weights)
    assert_same(fitted(estimator, whole, Columns(FEATURES, "late", weight)), expected)
    assert estimator.best_params_["solver"] == GIBBS["solver"]
    assert np.array_equal(estimator.predict(X_of(whole)), expected.predict(X_of(whole)))


@pytest.mark.parametrize("n_partitions", [1, 3, 50])
@pytest.mark.parametrize("room", [1, 1 << 28])
def test_tasks_and_what_they_send_at_a_time_change_nothing(n_partitions, room, monkeypatch):
    monkeypatch.setattr(copied_chains, "BYTES_OF_ROUND", room)  # a sweep, or all of them
    whole = table()
    expected = fm.FMRegressor(**GIBBS).fit(X_of(whole), whole["y"])
    found = fitted(
        fm.FMRegressor(**GIBBS), whole, Columns(FEATURES, "y"), n_partitions=n_partitions
    )
    assert_same(found, expected)


@pytest.mark.parametrize("numeric", ["bin", "spline"])
def test_the_order_of_rows_does_not_depend_on_the_encoding(numeric):
    whole = table()
    options = GIBBS | {"encoder": fm.TableEncoder(numeric=numeric)}
    expected = fm.FMRegressor(**options).fit(X_of(whole), whole["y"])
    assert_same(fitted(fm.FMRegressor(**options), whole, Columns(FEATURES, "y")), expected)


@pytest.mark.parametrize("class_weight", [None, {"yes": 2, "no": 1}])
@pytest.mark.parametrize("weight", [None, "w"])
def test_validation_rows_and_a_metric(class_weight, weight):
    whole = table()
    held_out = pa.array(whole["v"].to_numpy())
    training, others = whole.filter(pa.compute.invert(held_out)), whole.filter(held_out)
    options = GIBBS | {"scoring": "auc", "class_weight": class_weight}
    expected = fm.FMClassifier(**options)
    weights = [None if weight is None else one[weight].to_numpy() for one in (training, others)]
    held_out = X_of(others), others["late"], weights[1]
    expected.fit(X_of(training), training["late"], weights[0], eval_set=held_out)
    found = fitted(
        fm.FMClassifier(**options), whole, Columns(FEATURES, "late", weight, validation="v")
    )
    assert_same(found, expected)
    assert len(found.history_["auc"]) == 6


def test_least_squares_stop_early():
    whole = table()
    held_out = pa.array(whole["v"].to_numpy())
    training, others = whole.filter(pa.compute.invert(held_out)), whole.filter(held_out)
    options = {"rank": 4, "solver": fm.ALS(l2_factors=0.01), "epochs": 30, "patience": 2}
    expected = fm.FMRegressor(**options)
    expected.fit(X_of(training), training["y"], eval_set=(X_of(others), others["y"]))
    found = fitted(fm.FMRegressor(**options), whole, Columns(FEATURES, "y", validation="v"))
    assert found.best_epoch_ == expected.best_epoch_ < found.n_iter_ < 30
    assert np.array_equal(found.predict(X_of(whole)), expected.predict(X_of(whole)))


def test_goes_on_from_a_checkpoint(tmp_path):
    whole, columns = table(), Columns(FEATURES, "y", validation="v")
    expected = fitted(fm.FMRegressor(**GIBBS), whole, columns)

    class PowerCutError(Exception):
        pass

    def cut(epoch):
        if epoch.epoch == 4:
            raise PowerCutError

    path = tmp_path / "run"
    options = GIBBS | {"random_state": 0}
    model = fm.FMRegressor(**options, callbacks=[fm.Checkpoint(path), cut])
    with pytest.raises(PowerCutError):
        fitted(model, whole, columns, resume=path)
    resumed = fitted(fm.FMRegressor(**options), whole, columns, SIZES[::-1], resume=path)
    assert_same(resumed, expected)


def test_a_model_goes_on_where_it_is():
    """Its samples came from a cluster, and it goes on with the same rows here."""
    whole = table()
    options = GIBBS | {"epochs": 3}
    found = fitted(fm.FMRegressor(**options), whole, Columns(FEATURES, "y"))
    expected = fm.FMRegressor(**options).fit(X_of(whole), whole["y"])
    for model in (found, expected):
        model.set_params(warm_start=True).fit(X_of(whole), whole["y"])
    assert_same(found, expected)


def test_ordered_classes_with_open_settings(brief_search):
    whole, _ = with_classes(table(), "ordered")
    columns = Columns(FEATURES, "late")
    found = fitted(fm.FMClassifier(loss="ordinal"), whole, columns)
    assert set(found.search_["solver"]) == {str(fm.Gibbs(samples=60))}
    assert found.score(X_of(whole), whole["late"]) > 0.8
    again = fitted(fm.FMClassifier(**found.best_params_, loss="ordinal"), whole, columns, [400])
    assert np.array_equal(found.predict_proba(X_of(whole)), again.predict_proba(X_of(whole)))
    without = fm.FMClassifier(loss="ordinal", rank=2, epochs=7, search=None)
    fitted(without, whole, columns)
    assert without.best_params_["solver"] == fm.Gibbs()


def test_what_does_not_fit_into_a_task_is_refused_before_it_is_sent(monkeypatch):
    monkeypatch.setattr(gathering, "MOST_BYTES", 20_000)
    monkeypatch.setattr(LocalTables, "divide", None)
    whole = table()
    with pytest.raises(ValueError, match=r"solver=Gibbs\(\) needs all rows in each .* 400 rows"):
        fitted(fm.FMRegressor(**GIBBS), whole, Columns(FEATURES, "y"))
    options = {"solver": fm.AdaGrad(), "rank": 1, "epochs": 1, "scoring": "r2"}
    monkeypatch.setattr(gathering, "MOST_BYTES", 2_000)
    with pytest.raises(ValueError, match="scoring='r2' needs all validation rows"):
        fitted(fm.FMRegressor(**options), whole, Columns(FEATURES, "y", validation="v"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 2}, "2 epochs leave none after a burn-in of 2"),
        ({"epochs": (4, 4)}, "Gibbs has no stages"),
        ({"batch_size": 64}, "Gibbs has no batches"),
        ({"init": "uniform"}, "Gibbs starts from a normal distribution"),
        ({"warm_start": True}, "warm_start is not supported"),
    ],
)
def test_mistakes_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        fitted(fm.FMRegressor(**GIBBS | options), table(), Columns(FEATURES, "y"))


# --- optimizers, whose rows are divided -----------------------------------------------------------

FAST = {"rank": 2, "solver": fm.AdaGrad(learning_rate=0.2), "epochs": 3, "search": None}


@pytest.fixture
def _few_rows_are_enough(monkeypatch):
    monkeypatch.setattr(settings, "LEAST_ROWS", 1)


def test_equal_rows_are_held_out_together(monkeypatch):
    whole, seen = table(), []
    collect = gathering.validation_rows
    monkeypatch.setattr(
        "sparsefm.distributed.fitting.validation_rows",
        lambda *given: seen.append(collect(*given)) or seen[-1],
    )
    for rows in (whole, pa.concat_tables([whole, whole])):
        model = fm.FMRegressor(**GIBBS, validation_fraction=0.25)
        fitted(model, rows, Columns(FEATURES, "y"), [rows.num_rows])
    assert np.array_equal(np.tile(seen[0].y, 2), seen[1].y)


@pytest.mark.usefixtures("_few_rows_are_enough")
@pytest.mark.parametrize("solver", [FAST["solver"], GIBBS["solver"]])
def test_rows_are_held_out_by_content(solver):
    whole = table(500)
    options = FAST | {"solver": solver, "validation_fraction": 0.25, "early_stopping": False}
    seen = []
    for sizes in ([500], [7, 0, 493], [50] * 10):
        rows = whole.take(np.random.default_rng(len(sizes)).permutation(500))
        seen.append(fitted(fm.FMRegressor(**options), rows, Columns(FEATURES, "y"), sizes))
        predicted = seen[-1].predict(X_of(whole))
        assert np.array_equal(predicted, seen[0].predict(X_of(whole)))
        assert seen[-1].history_["val_loss"] == pytest.approx(seen[0].history_["val_loss"])
    other = fm.FMRegressor(**options, random_state=1)
    fitted(other, whole, Columns(FEATURES, "y"), [500])
    assert other.history_["val_loss"] != pytest.approx(seen[0].history_["val_loss"], rel=1e-3)


@pytest.mark.usefixtures("_few_rows_are_enough")
def test_as_many_rows_are_held_out_as_are_asked_for(monkeypatch):
    found = []
    keep = gathering.check_held_out
    monkeypatch.setattr(
        "sparsefm.distributed.fitting.check_held_out",
        lambda *given: found.append(given[2].weight) or keep(*given),
    )
    for fraction in (0.1, 0.5):
        model = fm.FMRegressor(**FAST, validation_fraction=fraction)
        fitted(model, table(), Columns(FEATURES, "y"))
        assert found.pop() == pytest.approx(400 * (1 - fraction), abs=40)
    few = fm.FMRegressor(**FAST, validation_fraction=1e-6)
    with pytest.raises(ValueError, match="holds out no row"):
        fitted(few, table(), Columns(FEATURES, "y"))
    few.set_params(**GIBBS)
    with pytest.raises(ValueError, match="holds out no row"):
        fitted(few, table(), Columns(FEATURES, "y"))
    with pytest.raises(ValueError, match="validation_fraction must be less than 1"):
        fitted(fm.FMRegressor(**FAST, validation_fraction=2.0), table(), Columns(FEATURES, "y"))
    whole = table()
    some = np.array(whole["late"].to_pylist())
    for others, options in (
        (some, FAST),
        (some, FAST | {"loss": "logistic"}),
        (some, GIBBS),
        ("often", FAST),
        ("often", GIBBS),
        ("usual", FAST),
    ):
        classes = np.where(np.arange(400) == 7, "rare", others)
        whole = whole.set_column(5, "late", pa.array(classes))
        for fraction, message in ((0.9, "all rows of a class"), (1 - 1e-9, "no row is left")):
            model = fm.FMClassifier(**options, validation_fraction=fraction, random_state=3)
            with pytest.raises(ValueError, match=message):
                fitted(model, whole, Columns(FEATURES, "late"))


@pytest.mark.usefixtures("_few_rows_are_enough")
def test_training_stops_by_a_metric():
    whole, columns = table(2000), Columns(FEATURES, "late", validation="v")
    options = FAST | {"epochs": 20, "solver": fm.AdaGrad(learning_rate=1.0), "patience": 2}
    model = fm.FMClassifier(**options, scoring="roc_auc")
    fitted(model, whole, columns, [2000], 3)
    found = model.history_["roc_auc"]
    assert model.best_epoch_ == 1 + int(np.argmax(found))
    assert len(found) == model.n_iter_ < 20
    held_out = whole.filter(pa.array(whole["v"].to_numpy()))
    scores = model.decision_function(X_of(held_out))
    from sklearn.metrics import roc_auc_score

    assert max(found) == pytest.approx(roc_auc_score(held_out["late"].to_numpy(), scores))
    plain = fm.FMClassifier(**options | {"early_stopping": False})
    fitted(plain, whole, columns, [2000], 3)
    n = model.n_iter_
    assert model.history_["val_loss"] == pytest.approx(plain.history_["val_loss"][:n])


def test_validation_rows_without_weight():
    whole = table()
    weights = np.where(whole["v"].to_numpy(), 0.0, 1.0)
    whole = whole.set_column(6, "w", pa.array(weights))
    with pytest.raises(ValueError, match="the weights of validation rows must hold a positive"):
        fitted(fm.FMRegressor(**GIBBS), whole, Columns(FEATURES, "y", "w", "v"))
