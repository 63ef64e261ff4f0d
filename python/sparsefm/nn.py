"""The layers of the specification, stateless: forward, backward and one Adam step.

They compute in the type of the parameters: float32 if `w` and `V` both are, else float64.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.data.validation import (
    as_array,
    as_vector,
    cast,
    check_integer,
    check_parameters,
    check_real,
)
from sparsefm.model import score_rows
from sparsefm.threads import resolve_threads


def forward(X: Any, w0: Any, w: Any, V: Any, *, n_threads: int | None = None) -> npt.NDArray[Any]:
    r"""Return the scores of a factorization machine.

    .. math::

        s(x) = w_0 + \sum_i w_i x_i
             + \tfrac12 \sum_f \Big[ \big(\sum_i v_{if} x_i\big)^2 - \sum_i v_{if}^2 x_i^2 \Big]

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n, d)
    w0 : float
    w : array-like of shape (d,)
    V : array-like of shape (d, k)
        The rank k may be 0.
    n_threads : int, optional
        Default: every core that the process may use. The result does not depend on it.

    Returns
    -------
    s : ndarray of shape (n,)

    Raises
    ------
    ValueError, TypeError
        If shapes do not match, or a number is not finite.
    """
    bias, linear, factors = check_parameters(w0, w, V)
    matrix = _rows_for(X, factors)
    return score_rows(matrix, bias, linear, factors, resolve_threads(n_threads))


def _rows_for(X: Any, V: npt.NDArray[Any]) -> _core.Csr:
    """Return the rows of X, which must have the features of V."""
    matrix = as_csr(X, V.dtype)
    if matrix.n_features != len(V):
        raise ValueError(
            f"X has {matrix.n_features} features, but {len(V)} are expected: w and V have so many"
        )
    return matrix


def backward(
    X: Any, slopes: Any, w0: Any, w: Any, V: Any, *, n_threads: int | None = None
) -> tuple[float, npt.NDArray[Any], npt.NDArray[Any]]:
    r"""Return the gradient of a loss with respect to the parameters.

    With S = X V and the slopes :math:`g = \partial L / \partial s`,

    .. math::

        \partial w_0 = \sum_r g_r, \quad \partial w = X^T g, \quad
        \partial V = X^T (g \circ S) - \big((X \circ X)^T g\big) \circ V.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n, d)
    slopes : array-like of shape (n,)
        dL/ds of each row, including weights and the division by n, if any.
    w0, w, V
        As for `forward`.
    n_threads : int, optional

    Returns
    -------
    dw0 : float
    dw : ndarray of shape (d,)
    dV : ndarray of shape (d, k)
    """
    _, linear, factors = check_parameters(w0, w, V)
    matrix = _rows_for(X, factors)
    g = as_vector(slopes, matrix.n_rows, factors.dtype, "slopes")
    dw, dV = _core.backward(matrix, g, linear, factors, resolve_threads(n_threads))
    return float(np.sum(g, dtype=np.float64)), dw, dV


def adam_update(
    theta: npt.NDArray[Any],
    grad: Any,
    m: npt.NDArray[Any],
    v: npt.NDArray[Any],
    t: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None:
    r"""Make one dense Adam step, in place.

    .. math::

        m = \beta_1 m + (1 - \beta_1) g, \quad v = \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta = \theta - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
                 \frac{m}{\sqrt{v} + \epsilon}

    Parameters
    ----------
    theta, m, v : C-contiguous ndarrays of one shape and dtype, float32 or float64
        Parameters and their moments, changed in place.
    grad : array-like of that shape
    t : int
        Number of the step, from 1.
    lr, beta1, beta2, epsilon : float
        The defaults are those of the specification; `sparsefm.Adam` has others.
    """
    for name, array in (("theta", theta), ("m", m), ("v", v)):
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            raise TypeError(f"{name} must be an array of float32 or float64, got {array!r:.80}")
        if array.shape != theta.shape or array.dtype != theta.dtype:
            raise ValueError(f"{name} must have theta's shape {theta.shape} and {theta.dtype}")
        if not array.flags.carray:
            raise ValueError(
                f"{name} is changed in place: must be C-contiguous, aligned, writeable"
            )
    if np.may_share_memory(theta, m) or np.may_share_memory(theta, v) or np.may_share_memory(m, v):
        raise ValueError("theta, m and v must be arrays of their own, not share memory")
    if not (np.isfinite(m).all() and np.isfinite(v).all() and (v >= 0).all()):
        raise ValueError("m and v must be finite, and v not negative")
    gradient = as_array(grad, "grad")
    if gradient.shape != theta.shape:
        raise ValueError(f"grad must have theta's shape {theta.shape}, got {gradient.shape}")
    if gradient.dtype.kind not in "fiub":
        raise TypeError(f"grad must hold real numbers, got dtype {gradient.dtype}")
    if not np.isfinite(gradient).all():
        raise ValueError("grad must be finite")
    gradient = np.require(cast(gradient, theta.dtype, "grad"), requirements=["C", "A"])
    t = min(check_integer(t, "t", 1), 2**53)  # beta**t is zero long before
    check_real(lr, "lr")
    check_real(epsilon, "epsilon", least=float(np.finfo(theta.dtype).tiny))
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if check_real(beta, name) >= 1:
            raise ValueError(f"{name} must be less than 1, got {beta}")
    flat = [array.reshape(-1) for array in (theta, gradient, m, v)]
    _core.adam_update(flat[0], flat[1], flat[2], flat[3], t, lr, beta1, beta2, epsilon)
