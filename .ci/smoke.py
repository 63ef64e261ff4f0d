"""Try an installed sparsefm, without its sources: ``python smoke.py STEP...``, in that order.

``train`` trains on 1, 2 and 4 threads, which must give the same bits; ``sklearn`` and ``torch``
run threads of their own; after ``fork`` the child does what follows. ``papers`` looks for the
licenses and the bill of materials.
"""

import faulthandler
import json
import os
import sys
import threading
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import scipy.sparse as sp

X = sp.random(4000, 500, density=0.04, format="csr", random_state=0)
y = X @ np.linspace(-1, 1, X.shape[1])


def train():
    """Train and predict."""
    import sparsefm as fm

    results = []
    for n_threads in (1, 2, 4):
        model = fm.train(X, y, rank=16, epochs=3, batch_size=2000, n_threads=n_threads)
        assert model.history[-1].train_loss < model.history[0].train_loss
        predicted = fm.predict(X, model, n_threads=n_threads)
        results.append((model.w0, model.w.tobytes(), model.V.tobytes(), predicted.tobytes()))
    assert results == results[:1] * 3


def sklearn():
    """Run scikit-learn's OpenMP."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    HistGradientBoostingRegressor(max_iter=5).fit(X.toarray(), y)


def torch():
    """Run PyTorch's OpenMP."""
    import torch

    assert torch.randn(2_000_000).exp().sum() > 0


def fork():
    """Go on as the child; the parent ends with the child's exit status."""
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: the process has threads
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
    limit_time()


def papers():
    """See that the licenses came along, and a bill that names what was compiled in and added."""
    installed = metadata.distribution("sparsefm")
    paths = {file.as_posix(): file.locate() for file in installed.files}
    for name in ("LICENSE", "LICENSES-BUNDLED.md"):
        assert any(path.endswith(f".dist-info/licenses/{name}") for path in paths), name
    bills = {
        path.rpartition("/")[2]: json.loads(place.read_text("utf-8"))
        for path, place in paths.items()
        if ".dist-info/sboms/" in path
    }
    own = bills["sparsefm.cdx.json"]
    assert own["metadata"]["component"]["version"] == installed.version
    versions = {part["name"]: part["version"] for part in own["components"]}
    assert set(versions) == {"Eigen", "pybind11"}
    assert all(version[:1].isdigit() for version in versions.values()), versions
    added = {
        path.split("/")[1].split("-")[0] for path in paths if path.startswith("sparsefm.libs/")
    }
    named = [part["name"] for bill in bills.values() for part in bill["components"]]
    assert all(any(name in part for part in named) for name in added), (added, named)


def limit_time():
    """End a process that waits for threads; a fork's child needs a watchdog of its own."""

    def end():
        faulthandler.dump_traceback()
        os._exit(1)

    watchdog = threading.Timer(60, end)
    watchdog.daemon = True
    watchdog.start()


def runtimes():
    """Return the names of the OpenMP libraries in this process."""
    from threadpoolctl import threadpool_info

    libraries = threadpool_info()
    return sorted(Path(lib["filepath"]).name for lib in libraries if lib["user_api"] == "openmp")


STEPS = {step.__name__: step for step in (train, sklearn, torch, fork, papers)}


if __name__ == "__main__":
    limit_time()
    for step in sys.argv[1:]:
        STEPS[step]()
    level = getattr(sys.modules.get("sparsefm._core"), "isa", "not imported")
    print(f"{' '.join(sys.argv[1:])}: {level}, {', '.join(runtimes()) or 'no OpenMP'}")
