"""sparsefm against Apache SystemDS 3.4.0, number by number (golden/README.md says which)."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from golden import ADAM, AS_IS, FIXED, REPORTED_L2, golden
from reference import LOSSES, sigmoid
from scipy import sparse

import sparsefm as fm

FORMS = {"dense": np.asarray, "csr": sparse.csr_matrix}
RATES = (ADAM["learning_rate"], ADAM["beta1"], ADAM["beta2"], ADAM["epsilon"])


def assert_close(actual, expected):
    """Absolute, so that a gradient near zero may be off by no more than a loss near 17."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10)


# --- the layers in the scripts' own loop --------------------------------------------------------


class Replay:
    """A recorded run again, with the loop of the DML scripts around `fm.nn`.

    `outputs` collects what SystemDS wrote, under the same names.
    """

    def __init__(self, name, form):
        case = golden(name)
        self.is_binary = case.is_binary
        self.loss = LOSSES["logistic" if case.is_binary else "squared"]
        self.training = (FORMS[form](case.X), case.y)
        self.validation = (FORMS[form](case.X_val), case.y_val)
        # 0-d to 2-d: adam_update takes an array of any shape.
        self.parameters = {
            key: np.array(start) for key, start in zip(("w0", "W", "V"), case.init, strict=True)
        }
        self.moments = {
            key: (np.zeros_like(theta), np.zeros_like(theta))
            for key, theta in self.parameters.items()
        }
        self.outputs = {"loss": []}
        for step in case.steps():
            self.take(step)
        self.finish()

    def score(self, X):
        w0, w, V = self.parameters.values()
        return fm.nn.forward(X, float(w0), w, V)

    def accuracy(self, y, s):
        """Share of correct classes or, as the regression script has it, the RMSE."""
        return np.mean((s >= 0) == (y >= 0.5)) if self.is_binary else np.sqrt(np.mean((s - y) ** 2))

    def evaluate(self, y, s):
        return [np.mean(self.loss.value(y, s)), self.accuracy(y, s)]

    def take(self, step):
        X, y = (part[step.rows] for part in self.training)
        out = self.score(X)
        dout = self.loss.slope(y, out) / len(y)
        data_loss, accuracy = self.evaluate(y, out)
        l2 = 0.5 * REPORTED_L2 * sum((theta**2).sum() for theta in self.parameters.values())
        rows = (step.rows.start + 1, step.rows.stop)
        self.outputs["loss"].append(
            (step.number, step.epoch, step.iteration, *rows, step.t, data_loss, l2)
        )
        self.last_loss = data_loss
        if step.iteration % 100 == 0:
            # The scripts add the penalty only where they print.
            self.last_loss = data_loss + l2
            y_val = self.validation[1]
            validated = self.evaluate(y_val, self.score(self.validation[0]))
            line = (step.epoch, step.iteration, self.last_loss, accuracy, *validated)
            self.outputs.setdefault("printed", []).append(line)

        w0, w, V = self.parameters.values()
        dw0, dW, dV = fm.nn.backward(X, dout, float(w0), w, V)
        for (key, theta), grad in zip(self.parameters.items(), (dw0, dW, dV), strict=True):
            fm.nn.adam_update(theta, np.asarray(grad), *self.moments[key], step.t, *RATES)
        if step.number == 1:
            first = {"out": out, "dout": dout, "dw0": dw0, "dW": dW, "dV": dV, **self.parameters}
            self.outputs |= {f"step1_{key}": np.array(value) for key, value in first.items()}

    def finish(self):
        X, y = self.training
        s = self.score(X)
        evaluation = self.evaluate(y, s)
        final = {**self.parameters, "score": s, "eval": evaluation}
        if self.is_binary:
            final["prob"] = sigmoid(s)
            # The binary script's train() also returns the last loss that it computed.
            evaluation.append(self.last_loss)
        self.outputs |= {f"final_{key}": value for key, value in final.items()}


@cache
def replayed(name, form):
    """Run a case once for all its tests; a fixture would run again for each file."""
    return Replay(name, form).outputs


REPLAYS = [(name, form) for name in AS_IS + FIXED for form in FORMS]
FILES = [(*run, file) for run in REPLAYS for file in golden(run[0]).recorded]


@pytest.mark.parametrize(("name", "form", "file"), FILES)
def test_layers(name, form, file):
    assert_close(replayed(name, form)[file], golden(name).recorded[file])


@pytest.mark.parametrize(("name", "form"), REPLAYS)
def test_no_recorded_file_is_left_out(name, form):
    assert replayed(name, form).keys() == golden(name).recorded.keys()


# --- train() ------------------------------------------------------------------------------------


@pytest.fixture(
    scope="module",
    params=[(name, form, n) for name in FIXED for form in FORMS for n in (1, 2)],
    ids=lambda param: "{}-{}-threads{}".format(*param),
)
def trained(request):
    name, form, n_threads = request.param
    case = golden(name)
    X = FORMS[form](case.X)
    solver = fm.Adam(**ADAM, l2_linear=0.0, l2_factors=0.0, updates="exact")
    model = fm.train(
        X,
        case.y,
        task="binary" if case.is_binary else "regression",
        rank=4,
        solver=solver,
        epochs=case.epochs,
        batch_size=10,
        shuffle=False,
        init=case.init,
        n_threads=n_threads,
        dtype="float64",
    )
    return SimpleNamespace(case=case, X=X, model=model)


def test_trained_parameters(trained):
    recorded = trained.case.recorded
    assert isinstance(trained.model.w0, float)
    assert_close(trained.model.w0, recorded["final_w0"])
    assert_close(trained.model.w, recorded["final_W"])
    assert_close(trained.model.V, recorded["final_V"])


def test_trained_predictions(trained):
    model, recorded = trained.model, trained.case.recorded
    scores = fm.nn.forward(trained.X, model.w0, model.w, model.V)
    assert_close(scores, recorded["final_score"])
    predicted = recorded["final_prob" if trained.case.is_binary else "final_score"]
    assert_close(fm.predict(trained.X, model), predicted)


@cache
def epoch_losses(name):
    """Average the recorded losses of an epoch's batches, weighted by their rows."""
    case = golden(name)
    _, epochs, _, first, last, _, losses, _ = case.recorded["loss"].T
    rows = last - first + 1
    return [
        np.average(losses[epochs == epoch], weights=rows[epochs == epoch])
        for epoch in range(1, case.epochs + 1)
    ]


def test_trained_history(trained):
    train_losses = [record.train_loss for record in trained.model.history]
    assert_close(train_losses, epoch_losses(trained.case.name))
