"""Dense Adam of the library's own layers: every step moves every parameter, in any dtype."""

import numpy as np

import sparsefm as fm


def dense_adam(X, y, init, size, dtype, *, learning_rate, beta1, beta2, epsilon):
    """Train for one epoch with logistic loss, on batches of `size` consecutive rows.

    Returns w0 of shape (1,), w and V, in that dtype.
    """
    X, y = X.astype(dtype), y.astype(dtype)
    parameters = [np.array(p, dtype, ndmin=1) for p in init]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    for t, begin in enumerate(range(0, len(y), size), start=1):
        rows = slice(begin, begin + size)
        scores = fm.nn.forward(X[rows], *parameters, n_threads=1)
        slopes = (1 / (1 + np.exp(-scores)) - y[rows]) / dtype(len(scores))
        gradients = fm.nn.backward(X[rows], slopes, *parameters, n_threads=1)
        for p, gradient, (m, v) in zip(parameters, gradients, moments, strict=True):
            gradient = np.array(gradient, dtype, ndmin=1)
            fm.nn.adam_update(p, gradient, m, v, t, learning_rate, beta1, beta2, epsilon)
    assert {p.dtype for p in parameters} == {np.dtype(dtype)}
    return parameters
