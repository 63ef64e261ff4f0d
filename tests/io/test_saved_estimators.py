"""Fitted estimators in files: the same predictions, training that goes on, and hostile bytes."""

import contextlib
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import sparsefm as fm

pd = pytest.importorskip("pandas")
pytest.importorskip("safetensors")
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
QUICK = {"rank": 2, "solver": fm.Adam(), "epochs": 2}
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


@pytest.mark.parametrize("optimizer_state", [False, True])
def test_everything_comes_back(fitted, optimizer_state, tmp_path):
    estimator, X, _ = fitted
    estimator.save(tmp_path / "file", optimizer_state=optimizer_state)
    again = fm.load(tmp_path / "file")
    for name, expected in outputs(estimator, X).items():
        found = getattr(again, name)(X)
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    assert repr(again) == repr(estimator)
    for name in ("history_", "search_", "n_iter_", "best_epoch_", "n_features_in_"):
        assert getattr(again, name) == getattr(estimator, name)
    assert list(again.get_feature_names_out()) == list(estimator.get_feature_names_out())
    target = estimator.classes_[0] if estimator.V_.ndim == 3 else None
    one, other = (model.interactions(target=target) for model in (estimator, again))
    assert {k: list(v) for k, v in one.items()} == {k: list(v) for k, v in other.items()}


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
            loaded = fm.load(path)
        except fm.FileFormatError as error:
            refused += str(path) in str(error)
            continue
        with contextlib.suppress(ValueError, TypeError):  # another name of a column, say
            loaded.predict(X)
    assert refused > 100


def test_the_encoder_must_fit(fitted, tmp_path):
    estimator, _, _ = fitted
    wrong = pickle.loads(pickle.dumps(estimator))
    other = fm.FMRegressor(**QUICK).fit(TABLE[["flag"]], TARGET)
    wrong.encoder_ = other.encoder_
    wrong.save(tmp_path / "file")
    with pytest.raises(fm.FileFormatError, match="encoder"):
        fm.load(tmp_path / "file")
