"""``sparsefm doctor``: what a bug report needs, and whether this copy works.

``python -m sparsefm.cli.doctor`` does the same without click.
"""

import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import sparsefm as fm
from sparsefm.versions import show_versions


def run() -> bool:
    """Print versions and limits, and try what sparsefm does; return whether it works."""
    show_versions()
    started = time.perf_counter()
    failed = self_check()
    seconds = time.perf_counter() - started
    verdict = f"FAILED: {', '.join(failed)}" if failed else "OK"
    print(f"{'self check':>17}: {verdict} ({seconds:.1f} s)")
    for name, error in failed.items():
        print(f"\n{name}:\n{error}", end="")
    return not failed


def self_check() -> dict[str, str]:
    """Try what sparsefm does, on tiny data; return what failed, with its traceback."""
    failed = {}
    for check in CHECKS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check()
        except Exception:  # whatever it is, it belongs into the report
            failed[check.__name__.strip("_").replace("_", " ")] = traceback.format_exc()
    return failed


def _data() -> tuple[sp.csr_matrix, np.ndarray]:
    X = sp.random(200, 20, density=0.3, format="csr", random_state=0)
    return X, np.asarray(X @ np.linspace(-1, 1, 20))


def _model(n_threads: int | None = None) -> fm.Model:
    X, y = _data()
    model = fm.train(X, y, rank=4, epochs=5, solver=fm.Adam(), n_threads=n_threads)
    assert isinstance(model, fm.Model)
    return model


def _train() -> None:
    """Make the loss smaller."""
    history = _model().history
    assert history[-1].train_loss < history[0].train_loss, "the loss did not fall"


def _threads() -> None:
    """Train the same bits on one thread and on two."""
    one, two = _model(1), _model(2)
    assert one.V.tobytes() == two.V.tobytes(), "two threads give other bits than one"


def _save_load_predict() -> None:
    """Predict the same bits with a loaded model."""
    model = _model()
    X, _ = _data()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        loaded = fm.load(path)
    expected, found = fm.predict(X, model), fm.predict(X, loaded)
    assert np.isfinite(expected).all(), "a prediction is not finite"
    assert expected.tobytes() == found.tobytes(), "the loaded model predicts something else"


def _sampling() -> None:
    """Average a few samples."""
    X, y = _data()
    model = fm.train(X, y, rank=2, epochs=5, solver=fm.Gibbs(burn_in=1))
    assert np.isfinite(fm.predict(X, model)).all(), "a prediction is not finite"


def _estimator() -> None:
    """Fit an estimator, with the installed scikit-learn."""
    X, y = _data()
    model = fm.FMClassifier(solver=fm.Adam(), rank=2, epochs=2).fit(X, y > 0)
    assert np.isfinite(model.predict_proba(X)).all(), "a probability is not finite"


CHECKS: tuple[Callable[[], None], ...] = (
    _train,
    _threads,
    _save_load_predict,
    _sampling,
    _estimator,
)


if __name__ == "__main__":
    sys.exit(not run())
