"""The core's Gibbs sampler, taking what the reference's takes."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sparsefm import _core
from sparsefm.data.csr import as_csr

needs_core = pytest.mark.skipif(
    not hasattr(_core, "Gibbs"), reason="the extension was built without a Gibbs sampler"
)


def core(
    X, y, weights, fields, settings, w0, w, V, alpha, means, precisions, cuts,
    seed=0, chain=0, relations=(),
):  # fmt: skip
    """Make the core's sampler: arguments as for `gibbs_reference.Gibbs`, arithmetic as of V.

    Relations are pairs of a dense matrix and the number of its row that each row of X has.
    """
    constants = {**settings._asdict(), "sample": float(settings.sample)}
    described = SimpleNamespace(core_name=constants.pop("loss"), core_constants=constants)
    y = y.astype(V.dtype)
    weights = None if weights is None else weights.astype(V.dtype)
    return _core.Gibbs(
        as_csr(sparse.csr_array(X), V.dtype),
        y,
        weights,
        np.ascontiguousarray(fields, dtype=np.int32),
        described,
        w0,
        w,
        V,
        alpha,
        means,
        precisions,
        cuts,
        seed,
        chain,
        tuple((with_all_values(Z, V.dtype), entities) for Z, entities in relations),
    )


def with_all_values(dense, dtype):
    """Return a matrix with an array of values, even if they are all one."""
    matrix = sparse.csr_array(dense)
    values = matrix.data.astype(dtype)
    return _core.Csr(matrix.indptr, matrix.indices.astype(np.int32), values, dense.shape[1], "Z")


class InFloat32:
    """The core's sampler in float32, of parameters in float64."""

    def __init__(self, w0, w, V, **given):
        self.wide = w0, w, V
        self.narrow = [parameter.astype(np.float32) for parameter in self.wide]
        self.sampler = core(w0=self.narrow[0], w=self.narrow[1], V=self.narrow[2], **given)

    def sweep(self, t, threads):
        self.sampler.sweep(t, threads)
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            wide[:] = narrow
