"""Estimators that are fitted on rows in parts, all in this process."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from tables_in_parts import FEATURES, pa, parts_of, table

import sparsefm as fm
from sparsefm.distributed import fitting, settings
from sparsefm.distributed.columns import Columns, as_vectors
from sparsefm.distributed.encoded import Cut
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.parts import LocalTables
from sparsefm.distributed.settings import Rounds
from sparsefm.estimators import views
from sparsefm.evaluation import RankingScorer
from sparsefm.tuning.numbers import NumericChoice

pytest.importorskip("narwhals")

FAST = {"rank": 2, "solver": fm.AdaGrad(learning_rate=0.2), "epochs": 3, "search": None}
COLUMNS = Columns(FEATURES, "y", validation="v")


@pytest.fixture(autouse=True)
def _few_rows_are_enough(monkeypatch):
    monkeypatch.setattr(settings, "LEAST_ROWS", 1)


def fitted(estimator, whole, columns, sizes=(400,), n_partitions=3, rounds=4, resume=None):
    tables = LocalTables(parts_of(whole, sizes))
    chosen = Rounds(per_epoch=rounds)
    return fit(estimator, tables, columns, rounds=chosen, n_partitions=n_partitions, resume=resume)


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


def test_weights_of_lists():
    whole = table()
    tags = whole["tags"].to_pylist()
    amounts = [
        None if own is None else [len(tag) + k * 0.5 for k, tag in enumerate(own)] for own in tags
    ]
    whole = whole.append_column("amounts", pa.array(amounts, pa.list_(pa.float64())))
    encoder = fm.TableEncoder(list_weights={"tags": "amounts"}, hashed={"city": 4})
    columns = Columns((*FEATURES, "amounts"), "y")
    options = {"encoder": encoder, "rank": 2, "solver": fm.Gibbs(burn_in=1), "epochs": 3}
    model = fitted(fm.FMRegressor(**options), whole, columns, [100, 300])
    X = whole.select([*FEATURES, "amounts"])
    expected = fm.FMRegressor(**options).fit(X, whole["y"])
    assert np.array_equal(model.predict(X), expected.predict(X))


def test_another_fit_leaves_nothing_of_the_first(brief_search):
    whole = table()
    model = fitted(fm.FMRegressor(), whole, Columns(FEATURES, "y"))
    assert model.search_["rows"]
    model.set_params(**FAST)
    numbers = pa.table({"x0": np.arange(400.0), "y": whole["y"]})
    fitted(model, numbers, Columns(("x0",), "y", are_named=False))
    assert not hasattr(model, "search_")
    assert not hasattr(model, "feature_names_in_")


def test_columns_are_named_by_position_too():
    whole = pa.table({"x": np.arange(40.0), "id": np.arange(40) % 4, "y": np.arange(40.0)})
    for key in (1, "id"):
        estimator = fm.FMRegressor(**FAST, encoder=fm.TableEncoder(categorical=[key]))
        model = fitted(estimator, whole, Columns(("x", "id"), "y"), [40])
        assert model.encoder_.n_features_out_ == 5
    for key in (7, "none"):
        estimator = fm.FMRegressor(**FAST, encoder=fm.TableEncoder(categorical=[key]))
        with pytest.raises(ValueError, match="categorical names"):
            fitted(estimator, whole, Columns(("x", "id"), "y"), [40])


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
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 150)
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
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 150)
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


@pytest.mark.parametrize("numeric", ["standardize", "bin"])
def test_settings_are_chosen_without_rows_that_are_held_out(numeric, monkeypatch, brief_search):
    """Also if another encoding is chosen, which makes some rows equal."""
    monkeypatch.setattr(views, "CHOICES", (NumericChoice(numeric, 8),))
    chosen_on, cuts, choose = [], [], fitting._Fit._choose
    monkeypatch.setattr(
        fitting._Fit, "_choose", lambda self, rows: chosen_on.append(rows) or choose(self, rows)
    )
    monkeypatch.setattr(fitting, "Cut", lambda *given: cuts.append(given[0]) or Cut(*given))
    whole = table()
    fitted(fm.FMRegressor(validation_fraction=0.5), whole, Columns(FEATURES, "y"), [150, 250])
    [sample], [encoder] = chosen_on, cuts
    training, validation = encoder.parts(whole)
    assert 160 < len(validation.rows) < 240
    expected = whole["y"].to_numpy()[training.rows]  # no target is there twice
    assert sorted(sample["y"].to_pylist()) == sorted(expected)


def test_a_saved_model_and_explanations(tmp_path):
    whole = table()
    model = fitted(fm.FMRegressor(**FAST), whole, Columns(FEATURES, "y"), [200, 200])
    X = whole.select(list(FEATURES))
    model.save(tmp_path / "model")
    assert np.array_equal(fm.load(tmp_path / "model").predict(X), model.predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert len(model.interactions(top=3)["weight"]) == 3


@pytest.mark.parametrize("fraction", [None, 0.3])
def test_goes_on_from_a_checkpoint(fraction, tmp_path, brief_search):
    whole, columns = table(), COLUMNS if fraction is None else Columns(FEATURES, "y")
    options = {"epochs": 4, "validation_fraction": fraction}
    expected = fitted(fm.FMRegressor(**options), whole, columns)

    class PowerCutError(Exception):
        pass

    def cut(epoch):
        if epoch.epoch == 2:
            raise PowerCutError

    path = tmp_path / "run"
    checkpoint = fm.Checkpoint(path)
    with pytest.raises(PowerCutError):
        fitted(fm.FMRegressor(**options, callbacks=[checkpoint, cut]), whole, columns, resume=path)
    resumed = fitted(fm.FMRegressor(**options, callbacks=[checkpoint]), whole, columns, resume=path)
    X = whole.select(list(FEATURES))
    assert resumed.history_["val_loss"] == expected.history_["val_loss"]
    assert np.array_equal(resumed.predict(X), expected.predict(X))


KILLED = """
import os, signal, sys
from test_fitting import COLUMNS, FAST, fitted, fm, settings, table

def kill(epoch):
    if epoch.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

settings.LEAST_ROWS = 1
callbacks = [fm.Checkpoint(sys.argv[1]), kill]
fitted(fm.FMRegressor(**FAST, random_state=0, callbacks=callbacks), table(), COLUMNS)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_goes_on_where_a_killed_process_was(tmp_path):
    path, whole = tmp_path / "run", table()
    known = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    here = os.environ | {"PYTHONPATH": known}
    died = subprocess.run([sys.executable, "-c", KILLED, path], env=here, check=False)
    assert died.returncode == -signal.SIGKILL
    seen = []
    count = {"callbacks": [lambda epoch: seen.append(epoch.epoch)]}
    resumed = fitted(fm.FMRegressor(**FAST, random_state=0, **count), whole, COLUMNS, resume=path)
    assert seen == [2, 3]  # the process died before it had saved its second epoch
    expected = fitted(fm.FMRegressor(**FAST, random_state=0), whole, COLUMNS)
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
    few = fitted(fm.FMRegressor(**FAST), whole, columns, [4000], 2, rounds=8)  # of 1,600 or more
    assert np.array_equal(model.predict(X), few.predict(X))
    alone = fm.FMRegressor(**FAST).fit(X, whole["y"]).score(X, whole["y"])
    assert model.score(X, whole["y"]) > alone - 0.05


def test_partitions_and_rounds_that_are_left_open(monkeypatch):
    monkeypatch.setattr(settings, "MANY_ROWS", 1000)
    whole, columns, found = table(4000), Columns(FEATURES, "y"), []
    monkeypatch.setattr(fitting, "Cut", lambda *given: found.append(given[1:]) or Cut(*given))

    def of(**given):
        tables = LocalTables(parts_of(whole, [4000]))
        return fit(fm.FMRegressor(**FAST, random_state=0), tables, columns, **given)

    models = [of(n_workers=8), of(n_partitions=4, rounds=Rounds(per_epoch=62)), of(n_workers=1)]
    assert found == [(4, 62), (4, 62), (1, 1)]
    X = whole.select(list(FEATURES))
    assert np.array_equal(models[0].predict(X), models[1].predict(X))
    with pytest.raises(TypeError, match=r"rounds must be like Rounds\(per_epoch=16\), got 16"):
        of(rounds=16)


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
        ({"solver": fm.Adam(updates="exact")}, "use updates='lazy'"),
        ({"scoring": RankingScorer("ndcg@5", "city")}, "RankingScorer is not supported where rows"),
    ],
)
def test_what_is_not_supported_is_refused_before_rows_are_read(options, message):
    with pytest.raises(ValueError, match=message):
        fit(fm.FMRegressor(**options), None, Columns(FEATURES, "y"))


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
