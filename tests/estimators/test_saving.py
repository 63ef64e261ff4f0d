"""Fitted estimators in files: the same predictions, training that goes on, and hostile bytes."""

import contextlib
import json
import os
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import sparsefm as fm
from sparsefm.io.file import read_file, write_file
from sparsefm.io.reader import add_prefix
from sparsefm.io.strings import strings_to_arrays

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "letter": RNG.choice(list("abcdé"), 300),
        "number": np.where(RNG.random(300) < 0.1, np.nan, RNG.normal(50, 20, 300)),
        "flag": RNG.random(300) < 0.5,
    }
)
TARGET = (TABLE["letter"] == "a") * 2.0 + TABLE["number"].fillna(0) / 20
QUICK = {"rank": 2, "solver": fm.Adam(), "epochs": 2, "search": None}
ESTIMATORS = {
    "regressor": (fm.FMRegressor(), TARGET),
    "two classes": (fm.FMClassifier(**QUICK), np.where(TARGET > 3, "late", "in time")),
    "four classes": (
        fm.FMClassifier(**QUICK, class_weight={0: 1.0, 1: 2.0, 2: 1.0, 3: 1.0}, dtype="float64"),
        np.digitize(TARGET, [2, 3, 4]),
    ),
    "hinge, hashed, binned": (
        fm.FMClassifier(
            **QUICK,
            loss="hinge",
            encoder=fm.TableEncoder(numeric="bin", n_bins=4, hashed={"letter": 3}),
        ),
        TARGET > 3,
    ),
    "sparse": (fm.FMRegressor(**QUICK), TARGET),
}


@pytest.fixture(scope="module", params=ESTIMATORS)
def fitted(request):
    estimator, y = ESTIMATORS[request.param]
    X = TABLE if request.param != "sparse" else sp.csr_matrix(2 * np.eye(300, 7))
    return estimator.fit(X, y), X, y


def outputs(estimator, X):
    names = ("predict", "decision_function", "predict_proba", "predict_log_proba")
    return {name: getattr(estimator, name)(X) for name in names if hasattr(estimator, name)}


def insight(estimator, X=None):
    """Return what the methods that look at rows say, as lists."""
    target = estimator.classes_[0] if estimator.V_.ndim == 3 else None
    pairs = estimator.interactions(X=X, target=target)
    fields = estimator.field_interactions(X=X, target=target)
    return {name: list(column) for name, column in pairs.items()}, fields.tolist()


@pytest.mark.parametrize("training_rows", [False, True])
@pytest.mark.parametrize("optimizer_state", [False, True])
def test_everything_comes_back(fitted, optimizer_state, training_rows, tmp_path):
    estimator, X, _ = fitted
    estimator.save(tmp_path / "file", optimizer_state, training_rows)
    again = fm.load(tmp_path / "file")
    for name, expected in outputs(estimator, X).items():
        found = getattr(again, name)(X)
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    assert repr(again) == repr(estimator)
    for name in ("history_", "search_", "n_iter_", "best_epoch_", "n_features_in_"):
        assert getattr(again, name, None) == getattr(estimator, name, None)
    assert hasattr(again, "search_") is (estimator.search is not None)
    assert list(again.get_feature_names_out()) == list(estimator.get_feature_names_out())
    assert insight(again, X) == insight(estimator, X)


# --- training rows --------------------------------------------------------------------------------


def test_training_rows_are_saved_on_request(fitted, tmp_path):
    estimator, X, y = fitted
    estimator.save(tmp_path / "with", training_rows=True)
    estimator.save(tmp_path / "without")
    names = {name: read_file(tmp_path / name)[1].keys() for name in ("with", "without")}
    sample = {"sample.data", "sample.indices", "sample.indptr"}
    assert names["with"] - names["without"] == sample
    assert insight(fm.load(tmp_path / "with")) == insight(estimator)
    without = fm.load(tmp_path / "without")
    message = r"training rows were not saved.*pass X=, or save it with training_rows=True"
    for call in (without.interactions, without.field_interactions):
        with pytest.raises(ValueError, match=message):
            call(**({"target": estimator.classes_[0]} if estimator.V_.ndim == 3 else {}))
    with pytest.raises(ValueError, match=r"^training_rows=True, but this estimator has none"):
        without.save(tmp_path / "again", training_rows=True)
    assert sorted(os.listdir(tmp_path)) == ["with", "without"]
    without.save(tmp_path / "again")
    insight(without.partial_fit(X, y))  # which has rows of its own


def test_no_row_of_the_training_data_is_in_the_file(tmp_path):
    X = sp.csr_matrix(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    estimator = fm.FMRegressor(**QUICK).fit(X, np.arange(50.0))
    rows = [estimator._sample[i].data.tobytes() for i in range(50)]
    for training_rows in (False, True):
        estimator.save(tmp_path / "file", True, training_rows)
        content = (tmp_path / "file").read_bytes()
        assert any(row in content for row in rows) == training_rows


# --- training that goes on ------------------------------------------------------------------------


def test_training_goes_on_as_if_nothing_had_happened(fitted, tmp_path):
    estimator, X, y = fitted
    estimator.save(tmp_path / "file", optimizer_state=True)
    one = pickle.loads(pickle.dumps(estimator)).partial_fit(X, y)
    other = fm.load(tmp_path / "file").partial_fit(X, y)
    np.testing.assert_array_equal(one.V_, other.V_)
    np.testing.assert_array_equal(one.w_, other.w_)


def test_without_the_optimizer_s_state_a_file_is_smaller_and_training_starts_its_moments_anew(
    fitted, tmp_path
):
    estimator, X, y = fitted
    sizes = []
    for optimizer_state in (False, True):
        estimator.save(tmp_path / "file", optimizer_state=optimizer_state)
        sizes.append((tmp_path / "file").stat().st_size)
        fm.load(tmp_path / "file").partial_fit(X, y)
    assert sizes[0] < sizes[1]


def test_a_checkpoint_of_the_first_pass_loads(tmp_path):
    checkpoint = fm.Checkpoint(tmp_path / "file")
    estimator = fm.FMRegressor(**QUICK, callbacks=[checkpoint]).partial_fit(TABLE, TARGET)
    again = fm.load(tmp_path / "file")
    assert again.history_ == estimator.history_
    assert (again.n_iter_, again.best_epoch_) == (1, 1)
    assert again.predict(TABLE).tolist() == estimator.predict(TABLE).tolist()


# --- parameters -----------------------------------------------------------------------------------


def test_parameters_that_cannot_be_saved_are_named(tmp_path):
    encoder = fm.TableEncoder(n_bins=5, dtype=np.float32)
    estimator = fm.FMRegressor(**QUICK, encoder=encoder, scoring=lambda *_: 0.0).fit(TABLE, TARGET)
    with pytest.warns(UserWarning, match=r"^(scoring|encoder__dtype)=<") as caught:
        estimator.save(tmp_path / "file")
    assert [warning.filename for warning in caught] == [__file__] * 2
    again = fm.load(tmp_path / "file")
    assert (again.scoring, again.encoder.n_bins, again.encoder.dtype) == (None, 5, "float32")
    assert again.predict(TABLE).tolist() == estimator.predict(TABLE).tolist()


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"rank": -1}, "rank"),
        ({"encoder": fm.TableEncoder(n_bins=0)}, "n_bins"),
        ({"validation_fraction": "half"}, "validation_fraction"),
        ({"epochs": []}, "epochs"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, wrong, name):
    estimator = fm.FMRegressor(**QUICK).fit(TABLE, TARGET).set_params(**wrong)
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        estimator.save(tmp_path / "file")
    assert not os.listdir(tmp_path)


def test_a_metric_of_another_version_of_scikit_learn_loads(tmp_path):
    estimator = fm.FMRegressor(**QUICK).fit(TABLE, TARGET)
    estimator.save(tmp_path / "file")
    header, arrays = read_file(tmp_path / "file")
    header["parameters"]["scoring"] = "neg_error_of_tomorrow"
    write_file(tmp_path / "file", header, arrays)
    again = fm.load(tmp_path / "file")
    assert again.predict(TABLE).tolist() == estimator.predict(TABLE).tolist()


def test_callbacks_are_not_saved(tmp_path):
    callback = fm.EarlyStopping("train_loss")
    estimator = fm.FMRegressor(**QUICK, callbacks=[callback]).fit(TABLE, TARGET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.save(tmp_path / "file")
    assert fm.load(tmp_path / "file").callbacks == ()


def test_estimators_refused(fitted, tmp_path):
    estimator, X, _ = fitted

    class FMRegressor(fm.FMRegressor):  # of the same name
        pass

    with pytest.raises(ValueError, match="not fitted"):
        type(estimator)().save(tmp_path / "file")
    with pytest.raises(TypeError, match=r"subclass FMRegressor: fit one of those, or .*pickle"):
        FMRegressor(**QUICK).fit(X, TARGET).save(tmp_path / "file")
    for option in ("optimizer_state", "training_rows"):
        with pytest.raises(TypeError, match=f"^{option} must be True or False"):
            estimator.save(tmp_path / "file", **{option: "yes"})
    assert not os.listdir(tmp_path)


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:X has feature names")
def test_a_damaged_file_is_an_error_that_names_it(fitted, tmp_path):
    estimator, X, _ = fitted
    path = tmp_path / "file"
    estimator.save(path, optimizer_state=True)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    n_header = 8 + int.from_bytes(whole[:8], "little")
    refused = 0
    for trial in range(300):
        damaged = bytearray(whole)
        within = n_header if trial % 4 else len(whole)  # the header has most to say
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(8, within)] = random.integers(256)
        path.write_bytes(damaged)
        try:
            loaded = fm.load(path, checksum=False)
        except fm.FileFormatError as error:
            refused += str(path) in str(error)
            continue
        with contextlib.suppress(ValueError, TypeError):  # another name of a column, say
            loaded.predict(X)
    assert refused > 100


THREE_CLASSES = add_prefix("classes.", strings_to_arrays("abc", "text"))


def damaged(path, change):
    """Change the header and the arrays of a file; return what `load` says."""
    header, arrays = read_file(path)
    header = json.loads(json.dumps(header))
    del header["format_version"]
    change(header, arrays)
    changed = path.with_name("changed")
    write_file(changed, header, arrays)
    with pytest.raises(fm.FileFormatError) as caught:
        fm.load(changed)
    return str(caught.value)


def replace(name, change):
    """Return a change of one array."""
    return lambda header, arrays: arrays.update({name: change(arrays[name])})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, a: h["parameters"].update(more=1), "parameter 'more' unknown to FMClassifier"),
        *(
            (lambda h, a, wrong=wrong: h["parameters"].update(wrong), f"cannot be: {message}")
            for wrong, message in (
                ({"rank": "many"}, "rank must be an integer"),
                ({"rank": -1}, "rank must be at least 0"),
                ({"solver": [1]}, "solver must be"),
                ({"encoder": "none"}, "encoder must be a sparsefm.TableEncoder"),
                ({"encoder": {"encoder": {"n_bins": 0}}}, "n_bins must be at least 2"),
                ({"dtype": "int8"}, "dtype must be"),
                ({"validation_fraction": 1.5}, "validation_fraction must be less than 1"),
                ({"class_weight": [[1]]}, "class_weight must be 'balanced'"),
                ({"class_weight": {"dict": [[0, "x"]]}}, "class_weight of 0 must be a number"),
                ({"scoring": 3}, "scoring must be a name"),
                ({"epochs": {"tuple": [1, 0]}}, "epochs must be at least 1"),
                ({"random_state": [1]}, "random_state must be an integer"),
                ({"loss": "absolute"}, "loss"),
            )
        ),
        (lambda h, a: h.update(parameters=[]), "parameters must be of type dict"),
        (lambda h, a: h.update(records=[1]), "damaged records"),
        (lambda h, a: h["records"]["dict"].append(["more", 1]), "damaged records"),
        (lambda h, a: h["records"]["dict"].pop(0), "damaged records"),
        (lambda h, a: h["settings"].update(rank=-1), "rank must be at least 0"),
        (lambda h, a: h["settings"].update(rank=3), "machine.0.V must have shape"),
        (lambda h, a: h["settings"].update(batch_size=0), "batch_size must be at least 1"),
        (lambda h, a: h["settings"].update(solver=None), "damaged settings"),
        (lambda h, a: h["settings"].pop("solver"), "damaged settings"),
        (lambda h, a: h.update(loss="absolute"), "unknown loss 'absolute'"),
        (lambda h, a: h.update(machines=0), "machines must be at least 1"),
        (
            lambda h, a: h.update(machines=2),
            "has no array 'machine.1.w'",
        ),
        (lambda h, a: h.update(machines=2**70), "has no array 'machine.1.w'"),
        (lambda h, a: h.update(steps=-1), "steps must be at least 0"),
        (lambda h, a: h.update(seed=-1), "seed must be at least 0"),
        (lambda h, a: h.update(cooling=0.0), "cooling must be greater than 0"),
        (lambda h, a: h.pop("encoder"), "has no encoder"),
        (lambda h, a: h.update(encoder=7), "encoder must be a JSON object"),
        (replace("machine.0.w", lambda x: x[1:]), "machine.0.V must have shape"),
        (replace("machine.0.w", lambda x: x * np.inf), "machine.0.w holds"),
        (replace("machine.0.V", lambda x: x * np.nan), "machine.0.V holds nan at row 0"),
        (replace("machine.0.w0", lambda x: x * np.nan), "machine.0.w0 holds nan"),
        (replace("machine.0.V", lambda x: x.astype("f8")), "machine.0.V must be of float32"),
        (replace("machine.0.moments.bias", lambda x: x * np.nan), "moments.bias holds nan"),
        (replace("machine.0.moments.scalars", lambda x: x * np.nan), "moments.scalars holds nan"),
        (replace("machine.0.moments.factors", lambda x: x[:, :1]), "moments.factors must have sh"),
        (lambda h, a: a.pop("machine.0.moments.bias"), "do not belong to it: 'machine.0.moments"),
        (replace("sample.indices", lambda x: x + 10**6), "damaged training rows"),
        (replace("sample.indptr", lambda x: x[::-1]), "damaged training rows"),
        (replace("sample.data", lambda x: x * np.nan), "damaged training rows"),
        (lambda h, a: a.pop("sample.indptr"), "do not belong to it: 'sample.data'"),
        (lambda h, a: a.pop("sample.data"), "has no array 'sample.data'"),
        (replace("classes.text", lambda x: 0 * x), "two or more, in ascending order"),
        (lambda h, a: a.update(THREE_CLASSES), "needs 3 models for its target, not 1"),
        (lambda h, a: a.pop("classes.text"), "has no array 'classes.text'"),
        (lambda h, a: a.update(more=np.ones(1)), "do not belong to it: 'more'"),
    ],
)
def test_damage_is_described(tmp_path, change, message):
    y = np.where(TARGET > 3, "late", "in time").astype(object)
    estimator = fm.FMClassifier(**QUICK).fit(TABLE, y)
    estimator.save(tmp_path / "file", optimizer_state=True, training_rows=True)
    assert message in damaged(tmp_path / "file", change)


def test_a_damaged_target_is_described(tmp_path):
    fm.FMRegressor(**QUICK).fit(TABLE, TARGET).save(tmp_path / "file")
    for change, message in (
        ({"std": 0.0}, "target.std must be greater than 0"),
        ({"std": None}, "target.std must be of type float"),
        ({"mean": -1.5}, "target.mean must be at least -1"),
        ({"exponent": 1101}, "target.exponent must be at least -1100 and at most 1100"),
        ({"levels": 3}, "target.levels must be of type list"),
        ({"levels": [2.0, 1.0]}, "damaged levels"),
        ({"levels": [1.0, "a"]}, "damaged levels"),
        ({"levels": [1.0, None]}, "damaged levels"),
        ({"levels": [[1.0], [1.0, 2.0]]}, "damaged levels"),
    ):
        answer = damaged(tmp_path / "file", lambda h, a, new=change: h["target"].update(new))
        assert message in answer


def test_one_type_throughout(tmp_path):
    fm.FMRegressor(**QUICK).fit(TABLE, TARGET).save(tmp_path / "file")

    def double(header, arrays):
        for name in ("w", "V", "w0"):
            arrays[f"machine.0.{name}"] = arrays[f"machine.0.{name}"].astype(np.float64)

    assert "encoder that does not fit" in damaged(tmp_path / "file", double)


def test_the_encoder_must_fit(fitted, tmp_path):
    estimator, _, _ = fitted
    wrong = pickle.loads(pickle.dumps(estimator))
    other = fm.FMRegressor(**QUICK).fit(TABLE[["flag"]], TARGET)
    wrong.encoder_ = other.encoder_
    wrong.save(tmp_path / "file")
    with pytest.raises(fm.FileFormatError, match="encoder"):
        fm.load(tmp_path / "file")
