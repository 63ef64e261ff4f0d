"""Values under the mask of a masked array are never used: whoever gets them says so."""

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm

RNG = np.random.default_rng(0)
X, NUMBERS = RNG.normal(size=(30, 3)), RNG.normal(size=30)
LABELS = np.where(NUMBERS > 0, 1, 0)
FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 1, "search": None}


def masked(values, row=4):
    """Hide something behind nonsense."""
    hidden = np.ma.masked_array(np.array(values, float), mask=np.zeros(np.shape(values), bool))
    hidden[row] = -9999.0
    hidden[(row, 0)[: hidden.ndim]] = np.ma.masked
    return hidden


def several_rows(values):
    return [masked(values)[row] for row in range(len(values))]


def sparse_with_mask(values):
    matrix = sparse.csr_matrix(values)
    matrix.data = np.ma.masked_array(matrix.data, mask=np.arange(matrix.nnz) == 4)
    return matrix


REGRESSOR = fm.FMRegressor(**FAST).fit(X, NUMBERS)
CLASSIFIER = fm.FMClassifier(**FAST).fit(X, LABELS)
ENCODER = fm.TableEncoder().fit(X)
MODEL = fm.train(X, NUMBERS, epochs=1)
WEIGHTS = np.ones(30)

OF_X = {
    "train": lambda X: fm.train(X, NUMBERS),
    "X_val": lambda X_val: fm.train(X, NUMBERS, X_val, NUMBERS),
    "predict": lambda X: fm.predict(X, MODEL),
    "fit": lambda X: fm.FMRegressor(**FAST).fit(X, NUMBERS),
    "eval_set": lambda X_val: fm.FMRegressor(**FAST).fit(X, NUMBERS, eval_set=(X_val, NUMBERS)),
    "partial_fit": lambda X: fm.FMClassifier(**FAST).partial_fit(X, LABELS),
    "more partial_fit": lambda X: REGRESSOR.partial_fit(X, NUMBERS),
    "predict of a regressor": REGRESSOR.predict,
    "probabilities": CLASSIFIER.predict_proba,
    "score": lambda X: CLASSIFIER.score(X, LABELS),
    "explain": REGRESSOR.explain,
    "fit of an encoder": lambda X: fm.TableEncoder().fit(X),
    "partial_fit of an encoder": lambda X: fm.TableEncoder().fit(X).partial_fit(X),
    "transform": ENCODER.transform,
    "fit_transform": lambda X: fm.TableEncoder().fit_transform(X),
}
OF_Y = {
    "train": lambda y: fm.train(X, y),
    "y_val": lambda y: fm.train(X, NUMBERS, X, y),
    "regressor": lambda y: fm.FMRegressor(**FAST).fit(X, y),
    "classifier": lambda y: fm.FMClassifier(**FAST).fit(X, y),
    "partial_fit": lambda y: fm.FMClassifier(**FAST).partial_fit(X, y),
    "eval_set": lambda y: fm.FMClassifier(**FAST).fit(X, LABELS, eval_set=(X, y)),
}
OF_WEIGHTS = {
    "train": lambda w: fm.train(X, NUMBERS, sample_weight=w),
    "fit": lambda w: fm.FMRegressor(**FAST).fit(X, NUMBERS, w),
    "partial_fit": lambda w: fm.FMRegressor(**FAST).partial_fit(X, NUMBERS, w),
    "encoder": lambda w: fm.TableEncoder().fit(X, sample_weight=w),
}


@pytest.mark.parametrize("form", [masked, several_rows])
@pytest.mark.parametrize("call", OF_X.values(), ids=OF_X)
def test_features(call, form):
    with pytest.raises(TypeError, match=r"^X\w* is a masked array, .* in row 4: .*leave such rows"):
        call(form(X))


@pytest.mark.parametrize("call", OF_X.values(), ids=OF_X)
def test_values_of_sparse_matrices(call):
    with pytest.raises(TypeError, match="is a masked array"):
        call(sparse_with_mask(X))


@pytest.mark.parametrize("call", OF_Y.values(), ids=OF_Y)
def test_targets(call):
    with pytest.raises(TypeError, match=r"^y\w*( of eval_set)? is a masked array, .* in row 7:"):
        call(masked(LABELS, 7))


@pytest.mark.parametrize("call", OF_WEIGHTS.values(), ids=OF_WEIGHTS)
def test_weights(call):
    with pytest.raises(TypeError, match=r"sample_weight is a masked array, .* in row 7:"):
        call(masked(WEIGHTS, 7))


def test_a_mask_that_masks_nothing_is_no_obstacle():
    whole = [np.ma.masked_array(part) for part in (X, NUMBERS, WEIGHTS)]
    fitted = fm.FMRegressor(**FAST).fit(*whole)
    expected = fm.FMRegressor(**FAST).fit(X, NUMBERS, WEIGHTS).predict(X)
    assert np.array_equal(fitted.predict(whole[0]), expected)
    assert np.array_equal(fm.train(whole[0], whole[1], epochs=1).w, MODEL.w)


def test_the_remedy_makes_missing_values_of_them():
    fitted = fm.FMRegressor(**FAST).fit(masked(X).filled(np.nan), NUMBERS)
    assert list(fitted.get_feature_names_out()) == ["x0", "x0=missing", "x1", "x2"]
