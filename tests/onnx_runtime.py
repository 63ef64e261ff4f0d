"""What ONNX Runtime makes of exported models, compared with what the models say."""

import numpy as np
import onnxruntime

import sparsefm as fm


def run(path, feed):
    """Return the outputs by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def assert_like(found, model, X):
    """Compare all that ONNX Runtime says with what the model says."""
    close = {"rtol": 1e-5, "atol": 1e-5}
    if isinstance(model, fm.FMRegressor):
        np.testing.assert_allclose(found["predictions"], model.predict(X), **close)
    elif isinstance(model, fm.FMClassifier):
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), **close)
        np.testing.assert_allclose(found["scores"], model.decision_function(X), **close)
        assert_labels(found["label"], model.predict(X), model.decision_function(X))
    elif model.task == "regression":
        np.testing.assert_allclose(found["predictions"], model.predict(X), **close)
    elif model.loss == "hinge":
        assert found.keys() == {"scores", "label"}
        np.testing.assert_allclose(found["scores"], model.predict(X), **close)
        assert_labels(found["label"], (model.predict(X) >= 0) * 1, model.predict(X))
    else:
        predicted = model.predict(X)
        shown = found["probabilities"] if predicted.ndim == 2 else found["probabilities"][:, 1]
        np.testing.assert_allclose(shown, predicted, **close)
        np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, **close)
        np.testing.assert_array_equal(found["label"], found["probabilities"].argmax(axis=1))


def assert_labels(found, expected, scores):
    """Labels are the same where scores are not nearly the same."""
    ranked = np.sort(scores, axis=1) if scores.ndim == 2 else np.stack([0 * scores, scores], 1)
    clear = np.abs(ranked[:, -1] - ranked[:, -2]) > 1e-4
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(found[clear], expected[clear])
    assert found.dtype == expected.dtype or found.dtype == object
