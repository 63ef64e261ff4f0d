"""Several sets of validation rows, by name and with weights."""

import numpy as np
import pytest
from estimating import QUICK, assert_same, both_parts, overfitting, products, targets
from scipy import sparse

import sparsefm as fm

GIBBS = {"rank": 2, "solver": fm.Gibbs(), "epochs": 12}
SETTINGS = pytest.mark.parametrize("settings", [QUICK, GIBBS], ids=["Adam", "Gibbs"])


@SETTINGS
@pytest.mark.parametrize("names", [["valid_0", "valid_1"], ["train", "later weeks"]])
def test_all_sets_are_recorded_and_the_last_decides(kind, settings, names):
    train, held_out = both_parts(kind)
    given = [train, held_out]
    if names[0] == "train":
        given = dict(zip(names, given, strict=True))
    several = kind(**settings).fit(*train, eval_set=given)
    single = kind(**settings).fit(*train, eval_set=held_out)
    other = kind(**settings).fit(*train, eval_set=train)
    assert_same(several, single, held_out[0])
    assert several.best_epoch_ == single.best_epoch_
    for column, values in single.history_.items():
        if column == "seconds":
            continue
        assert several.history_[column] == pytest.approx(values, nan_ok=True), column
        if column not in ("epoch", "train_loss", "r_hat", "ess"):
            short = column.removeprefix("val_")
            first, last = (several.history_[f"{name}/{short}"] for name in names)
            assert last == values
            if other.n_iter_ == several.n_iter_:
                assert first == pytest.approx(other.history_[column])
    n_named = sum("/" in column for column in several.history_)
    assert n_named == 2 * sum(column not in NOT_OF_SETS for column in single.history_)
    assert "valid" not in str(single.history_.keys())


NOT_OF_SETS = ("epoch", "train_loss", "seconds", "r_hat", "ess")


def test_the_last_set_stops_training(kind):
    train, held_out = both_parts(kind)
    stopped = overfitting(kind).fit(*train, eval_set=[train, held_out])
    assert stopped.best_epoch_ == np.argmin(stopped.history_["valid_1/loss"]) + 1 < stopped.n_iter_
    free = overfitting(kind).fit(*train, eval_set=[held_out, train])
    assert free.best_epoch_ == np.argmin(free.history_["valid_1/loss"]) + 1 != stopped.best_epoch_


def test_a_set_of_several_can_be_monitored(kind):
    train, held_out = both_parts(kind)
    stopping = fm.EarlyStopping("valid_0/loss", patience=5, greater_is_better=False)
    model = overfitting(kind, callbacks=[stopping]).fit(*train, eval_set=[held_out, train])
    assert_same(model, overfitting(kind).fit(*train, eval_set=[train, held_out]), train[0])


@SETTINGS
def test_a_weight_counts_as_repetition(kind, settings):
    train, (X, y) = both_parts(kind)
    weights = np.arange(len(y)) % 3
    weighted = kind(**settings).fit(*train, eval_set=(X, y, weights))
    repeated = kind(**settings).fit(
        *train, eval_set=(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    )
    several = kind(**settings).fit(*train, eval_set={"plain": (X, y), "weighted": (X, y, weights)})
    for column in repeated.history_.keys() - {"seconds"}:
        expected = pytest.approx(repeated.history_[column], rel=1e-5, nan_ok=True)
        assert weighted.history_[column] == expected
        assert several.history_[column] == expected
    assert several.history_["plain/loss"] != several.history_["weighted/loss"]


def test_more_than_two_classes_sparse_rows_and_a_metric_of_ones_own(kind):
    X, y = products(200)
    y = y if kind is fm.FMRegressor else np.digitize(y, [-0.5, 0.5])
    scoring = "mae" if kind is fm.FMRegressor else "balanced_accuracy"
    matrix = sparse.csr_matrix(X)
    parts = {"first": (matrix[:50], y[:50]), "ones": (matrix[50:90] != 0, y[50:90])}
    model = kind(scoring=scoring, **QUICK).fit(matrix, y, eval_set=parts)
    for name, part in parts.items():
        alone = kind(scoring=scoring, patience=99, **QUICK).fit(matrix, y, eval_set=part)
        found = np.array(model.history_[f"{name}/{scoring}"])
        assert found == pytest.approx(alone.history_[scoring][: len(found)])


def test_sets_are_used_by_the_search(kind):
    train, held_out = both_parts(kind)
    several = kind().fit(*train, eval_set=[train, held_out])
    assert_same(several, kind().fit(*train, eval_set=held_out), train[0])


def test_lists_of_rows_are_no_sets():
    X, y = [[1.0, 2.0], [3.0, 4.0]] * 10, [0.5, 1.5] * 10
    for X_val, y_val in ((X, y), ([[1, 2], [3, 4]], [0, 1]), ([[1, 2], [3, 4], [5, 6]], [0, 1, 2])):
        for given in ((X_val, y_val), [X_val, y_val], [(X_val, y_val)]):
            model = fm.FMRegressor(**QUICK).fit(X, y, eval_set=given)
            assert not any("/" in column for column in model.history_)
            assert "val_loss" in model.history_
        model = fm.FMRegressor(**QUICK).fit(X, y, eval_set=[(X_val, y_val), (X, y)])
        assert len(model.history_["valid_0/rmse"]) == model.n_iter_


def test_what_is_no_set_is_an_error_that_says_so(kind):
    (X, y), (X_val, y_val) = both_parts(kind)
    for wrong in (
        X_val,
        3,
        "train",
        [],
        {},
        (X_val,),
        (X_val, None),
        {"a": X_val},
        {1: (X_val, y_val)},
        {"": (X_val, y_val)},
        [(X_val, y_val), X_val],
        (X_val, y_val, y_val, y_val),
    ):
        with pytest.raises((TypeError, ValueError), match="eval_set"):
            kind(**QUICK).fit(X, y, eval_set=wrong)
    for weights in (y_val[:3], -np.ones(len(y_val)), np.zeros(len(y_val))):
        with pytest.raises((TypeError, ValueError), match="sample_weight of eval_set"):
            kind(**QUICK).fit(X, y, eval_set=(X_val, y_val, weights))


def test_files_keep_the_names(tmp_path):
    X, y = products()
    model = fm.FMRegressor(**QUICK).fit(X, y, eval_set={"train": (X, y), "later": (X, -y)})
    model.save(tmp_path / "model")
    assert fm.load(tmp_path / "model").history_ == model.history_
    assert targets(fm.FMRegressor, y) is y
