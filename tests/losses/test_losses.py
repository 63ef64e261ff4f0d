"""The losses: values, slopes, constants and links; the labels that two-class losses take."""

import numpy as np
import pytest
import reference

import sparsefm as fm
from sparsefm import losses
from sparsefm.losses import LOSSES, Huber, find_loss, sigmoid

TYPES = {"float32": 1e-6, "float64": 1e-14}
BINARY = ["logistic", "hinge"]
POINTWISE = [name for name, loss in LOSSES.items() if not loss.is_of_all_classes]
# Where a float32 squares to infinity, so does the squared loss.
FAR = [800.0, 1e15, 1e30]


def pairs(loss, scores, dtype):
    """Return targets and scores: each score with each target."""
    targets = [0, 1] if loss in BINARY else [-3.5, 0, 0.25, 100]
    grid = np.meshgrid(np.asarray(targets, dtype), np.asarray(scores, dtype))
    return [np.ascontiguousarray(part.ravel()) for part in grid]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("loss", POINTWISE)
def test_values_and_slopes_are_those_of_the_reference(loss, dtype):
    near = np.concatenate([np.linspace(-40, 40, 1001), [0, -0.0, 1, -1, 1e-30, -1e-30]])
    far = [s for size in FAR[: 2 if loss == "squared" else 3] for s in (size, -size)]
    y, s = pairs(loss, np.concatenate([near, far]), dtype)
    for name in ("value", "slope"):
        actual = getattr(LOSSES[loss](), f"{name}s")(y, s)
        assert actual.dtype == dtype
        with np.errstate(under="ignore"):
            expected = getattr(reference.LOSSES[loss], name)(y.astype(float), s.astype(float))
        # Relative to the number itself, so that the tail of a logistic slope keeps its digits.
        tolerance = TYPES[dtype] * np.abs(expected) + np.finfo(dtype).tiny
        assert (np.abs(actual - expected) <= tolerance).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("loss", POINTWISE)
def test_finite_far_out(loss, dtype):
    scores = [800, -800] if (loss, dtype) == ("squared", "float32") else [*FAR, *np.negative(FAR)]
    y, s = pairs(loss, scores, dtype)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(LOSSES[loss]().values(y, s)).all()
        assert np.isfinite(LOSSES[loss]().slopes(y, s)).all()
        assert np.isfinite(LOSSES[loss]().predict(s)).all()
    if loss in BINARY:  # right or wrong is all that is left
        assert set(np.unique(LOSSES[loss]().slopes(y, s))) == {-1, 0, 1}


@pytest.mark.parametrize("loss", POINTWISE)
def test_slopes_are_finite_differences(loss):
    y, s = pairs(loss, np.linspace(-5, 5, 40), "float64")  # none is near a kink
    step = 1e-5
    ends = [LOSSES[loss]().values(y, s + shift) for shift in (step, -step)]
    differences = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(LOSSES[loss]().slopes(y, s), differences, rtol=1e-7, atol=1e-8)


def test_hinge_is_flat_at_its_kink():
    y, s = np.array([1.0, 0.0]), np.array([1.0, -1.0])
    assert LOSSES["hinge"]().slopes(y, s).tolist() == [0, 0]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.77, 0.99])
@pytest.mark.parametrize("loss", [loss for loss in POINTWISE if loss != "huber"])
def test_constant_is_of_least_mean_loss(loss, share):
    y = (np.arange(100) < 100 * share).astype(float)
    y = y if loss in BINARY else 7 * y - 2

    def mean_loss(constant):
        return LOSSES[loss]().values(y, np.full(100, constant)).mean()

    constant = LOSSES[loss]().constant(float(y.mean()))
    others = [mean_loss(constant + shift) for shift in (-2, -0.1, -1e-4, 1e-4, 0.1, 2)]
    assert mean_loss(constant) <= min(others) + 1e-14
    assert loss == "hinge" or mean_loss(constant) < min(others)
    # Where training starts when nothing tells the rows apart.
    task = LOSSES[loss].task
    model = fm.train(np.zeros((100, 1)), y, task=task, loss=loss, epochs=1, batch_size=100, rank=0)
    assert model.w0 == pytest.approx(constant, abs=0.011)  # one step of 0.01


@pytest.mark.parametrize("dtype", TYPES)
def test_links(dtype):
    s = np.asarray([-1e30, -800, -100, -1, -1e-8, 0, 1e-8, 1, 100, 800, 1e30], dtype)
    for loss in ("squared", "huber", "hinge"):
        assert LOSSES[loss]().predict(s).tolist() == s.tolist()
    p = LOSSES["logistic"]().predict(s)
    assert p.dtype == dtype
    np.testing.assert_allclose(p, reference.sigmoid(s.astype(float)), rtol=TYPES[dtype], atol=1e-37)
    assert (p[0], p[5], p[-1]) == (0, 0.5, 1)
    assert (np.diff(p) >= 0).all()
    np.testing.assert_allclose(p + sigmoid(-s), 1, rtol=TYPES[dtype])


def test_slope_of_logistic_loss_is_probability_less_target():
    y, s = pairs("logistic", np.linspace(-20, 20, 81), "float64")
    slopes = LOSSES["logistic"]().slopes(y, s)
    np.testing.assert_allclose(slopes, sigmoid(s) - y, rtol=0, atol=1e-15)


def test_which_loss():
    assert find_loss("regression", None).name == "squared"
    assert find_loss("binary", None).name == "logistic"
    assert find_loss("ordinal", None).name == "ordinal"
    assert losses.check_loss(("binary", "ordinal"), "ordinal") == losses.Ordinal()
    with pytest.raises(ValueError, match="of task 'binary' or 'ordinal'"):
        losses.check_loss(("binary", "ordinal"), "squared")
    found = [losses.check_loss(loss.task, name).name for name, loss in LOSSES.items()]
    assert found == list(LOSSES)
    with pytest.raises(ValueError, match="task must be one of"):
        find_loss("classes", "softmax")
    for task, wrong in (("regression", "hinge"), ("binary", "squared"), ("binary", "log")):
        with pytest.raises(ValueError, match="loss") as error:
            find_loss(task, wrong)
        for name, loss in LOSSES.items():
            assert (f"'{name}'" in str(error.value)) == (loss.task == task or name == wrong)


@pytest.mark.parametrize("delta", [0.1, 1.35, 50.0])
def test_huber_has_a_parameter(delta):
    y, s = pairs("huber", np.linspace(-60, 160, 441), "float64")
    error = np.abs(s - y)
    expected = np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))
    np.testing.assert_allclose(Huber(delta=delta).values(y, s), expected, rtol=1e-14)
    slopes = Huber(delta=delta).slopes(y, s)
    np.testing.assert_allclose(slopes, np.clip(s - y, -delta, delta), rtol=1e-14)


def test_parameters_of_losses_are_checked():
    for delta in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="delta"):
            Huber(delta=delta)
    with pytest.raises(TypeError, match="delta"):
        Huber(delta="wide")
    assert find_loss("regression", Huber(delta=3)) == Huber(delta=3.0)
    with pytest.raises(ValueError, match="loss"):
        find_loss("binary", Huber())


def test_outliers_do_not_rule_with_huber_loss():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=2000)
    y[:100] += 200
    settings = {"rank": 0, "epochs": 60, "batch_size": 64, "seed": 0}
    errors = {}
    for loss in ("squared", Huber(delta=0.5)):
        model = fm.train(X, y, loss=loss, **settings)
        errors[model.loss] = np.abs(model.w - [1.0, -2.0, 0.5]).max()
    assert errors["huber"] < 0.1 < errors["squared"]


# --- labels -------------------------------------------------------------------------------------

CLASSES = np.arange(10) % 3 == 1
X = np.random.default_rng(0).normal(size=(10, 4))


def classify(y, *validation, loss="logistic", **settings):
    settings = {"epochs": 2, "batch_size": 4, "n_threads": 1, **settings}
    return fm.train(X, y, *validation, task="binary", loss=loss, **settings)


@pytest.mark.parametrize("loss", BINARY)
@pytest.mark.parametrize(
    ("negative", "dtype"),
    [(0, "?"), (0, "u8")]
    + [(no, to) for no in (0, -1) for to in ("i1", "i8", "f2", "f4", "f8", "O")],
)
def test_labels(negative, dtype, loss):
    y = np.where(CLASSES, 1, negative).astype(dtype)
    before = y.copy()
    model, expected = (classify(labels, X, labels, loss=loss) for labels in (y, CLASSES))
    assert (model.V.tobytes(), model.w0) == (expected.V.tobytes(), expected.w0)
    assert model.history[-1].metrics == expected.history[-1].metrics
    assert y.tolist() == before.tolist()


@pytest.mark.parametrize("loss", BINARY)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (CLASSES + 1, "must hold .* 0 and 1, or -1 and 1; found 1, 2"),
        (np.arange(10) % 3, "found 0, 1, 2"),
        (np.arange(10) % 3 - 1, "found -1, 0, 1"),
        (CLASSES * 0.5, "found 0, 0.5"),
        (np.linspace(0, 1, 10), "found 0, .*, ..."),
        (np.zeros(10), "two classes"),
        (np.ones(10), "two classes"),
        (-np.ones(10), "two classes"),
    ],
)
def test_labels_refused(y, message, loss):
    with pytest.raises(ValueError, match=rf"^y must hold .*{message}|^y {message}"):
        classify(y, loss=loss)


def test_labels_of_validation_may_be_of_one_class():
    for label in (0, 1, -1):
        metrics = classify(CLASSES, X, np.full(10, label)).history[-1].metrics
        assert np.isnan(metrics["auc"])
    with pytest.raises(ValueError, match=r"^y_val must hold .* found 1, 2"):
        classify(CLASSES, X, CLASSES + 1)


def test_classes_count_only_where_weights_are_positive():
    with pytest.raises(ValueError, match=r"^y must hold two classes"):
        classify(CLASSES, sample_weight=1.0 - CLASSES)


def test_text_labels_are_refused():
    for y in (np.where(CLASSES, "1", "0"), np.where(CLASSES, "yes", "no").astype(object)):
        with pytest.raises(TypeError, match=r"^y must hold real numbers"):
            classify(y)


def test_where_a_constant_starts():
    """At the log odds; an absent class tells nothing, as it may be there in other rows."""
    logistic = losses.Logistic()
    assert logistic.constant(0.75) == pytest.approx(np.log(3))
    assert logistic.constant(0.0) == logistic.constant(1.0) == logistic.constant(0.5) == 0
    assert -40 < logistic.constant(1e-300) < -30
    assert [losses.Hinge().constant(mean) for mean in (0.0, 0.4, 0.5, 0.7)] == [-1, -1, 0, 1]
    assert losses.Squared().constant(2.5) == 2.5


def test_ordered_classes_have_the_logarithms_of_probabilities():
    chances = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    y, loss = np.arange(50) % 4, losses.Ordinal()
    logs = np.log(chances).astype(np.float32)
    np.testing.assert_allclose(loss.predict(logs), chances, rtol=1e-5)
    expected = -np.log(chances[np.arange(50), y])
    np.testing.assert_allclose(loss.values(y.astype(np.float32), logs), expected, rtol=1e-5)
    (of_output,) = loss.of_outputs(logs)
    assert of_output is logs
    np.testing.assert_allclose(np.exp(loss.log_probabilities(logs)).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(loss.log_probabilities(logs), logs, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="no slopes"):
        loss.slopes(y, logs)


def test_losses_without_probabilities():
    for name, loss in LOSSES.items():
        assert loss.has_probabilities == (name in ("logistic", "softmax", "ordinal"))
    with pytest.raises(AttributeError, match="hinge"):
        losses.Hinge().log_probabilities(np.zeros((3, 1)))
