"""Machines with fields of modern-fm, in ``python -m bench fields``; in another Python if need be.

So this module imports only NumPy and SciPy.
"""

import time

import numpy as np
import scipy.sparse as sp

ITERATIONS = 1, 3  # what is measured is the difference, without checks and preparation


def measure_modern_fm(
    threads: int, n_fields: int, size: int, columns: str, batch: int, variant: str, rank: int
) -> dict[str, float]:
    """Return the time of an epoch of AdaGrad.

    Parameters
    ----------
    threads, n_fields, batch, rank : int
    size : int
        Features of a field.
    columns : str
        Path of the columns of one-hot rows, and their targets.
    variant : {"fwfm", "ffm"}
    """
    import modern_fm

    kind = {"fwfm": modern_fm.FwFMClassifier, "ffm": modern_fm.FFMClassifier}[variant]
    with np.load(columns) as found:
        hot, y = found["columns"], found["y"]
    indptr = np.arange(0, hot.size + 1, n_fields, dtype=np.int32)
    shape = len(hot), n_fields * size
    X = sp.csr_matrix((np.ones(hot.size, np.float32), hot.ravel(), indptr), shape)
    fields = np.repeat(np.arange(n_fields), size)
    seconds = []
    for iterations in ITERATIONS:
        model = kind(
            n_factors=rank, batch_size=batch, max_iter=iterations, n_jobs=threads, random_state=0
        )
        started = time.perf_counter()
        model.fit(X, y, field_ids=fields)
        seconds.append(time.perf_counter() - started)
    return {"seconds": (seconds[1] - seconds[0]) / (ITERATIONS[1] - ITERATIONS[0])}
