"""The strength of pairs of fields: interactions of features, summed up by field."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.interaction import Interaction

Array = npt.NDArray[Any]

MAX_FIELDS = 2000  # more would take too long
NUMBERS_AT_ONCE = 1 << 22  # bounds temporary arrays: 32 MiB each


def field_strengths(V: Array, X: sp.csr_matrix, interaction: Interaction) -> Array:
    r"""Return how much the interactions of pairs of fields change the scores of `X`.

    Field a contributes the vector :math:`u_a = \sum_{i \in a} x_i v_i` to a row, and the pairs of
    features of fields a and b add :math:`\langle u_a, u_b \rangle` to its score. With b as in the
    average row this depends on a alone, so linear weights could express it. So both are centred:

    .. math::

        \mathrm{strength}(a, b) = \mathrm{std}_{\mathrm{rows}}
        \langle u_a - \bar u_a, u_b - \bar u_b \rangle, \quad a \ne b,

    times :math:`|r_{ab}|` if pairs of fields have weights.

    Parameters
    ----------
    V : ndarray of shape (d, k)
    X : csr_matrix of float64, shape (n, d)
    interaction : Interaction
        With F fields.

    Returns
    -------
    ndarray of float64, shape (F, F)
        Symmetric, in units of the score. The diagonal is zero: pairs within a field, which one-hot
        fields do not have, are left out.

    Notes
    -----
    If two fields are independent, centring removes everything that depends on one of them alone. If
    they are not, such as a day and its month, one field alone may explain a part of the strength.
    """
    fields, n_fields = interaction.fields, interaction.n_fields
    check_fields(n_fields)
    V = np.asarray(V, np.float64)
    n_rows, rank = X.shape[0], V.shape[1]
    if n_rows == 0 or rank == 0:
        return np.zeros((n_fields, n_fields))
    average = sp.csr_matrix(X.mean(axis=0))
    center = sums_by_field(average, V, fields, n_fields)
    step = max(1, NUMBERS_AT_ONCE // (n_fields * max(rank, n_fields)))
    total, square = np.zeros((2, n_fields, n_fields))
    for begin in range(0, n_rows, step):
        u = sums_by_field(X[begin : begin + step], V, fields, n_fields) - center
        products = interaction.products(u)
        total += products.sum(axis=0)
        square += np.einsum("nab,nab->ab", products, products)
    strength: Array = np.sqrt(np.maximum(square / n_rows - (total / n_rows) ** 2, 0))
    np.fill_diagonal(strength, 0)
    return strength


def check_fields(n_fields: int) -> None:
    """Refuse too many fields."""
    if n_fields > MAX_FIELDS:
        raise ValueError(
            f"the model has {n_fields:,} fields, one for each input column, and {MAX_FIELDS:,} are "
            "the most that can be compared: fit a table whose columns are fields, or see "
            "interactions() for pairs of features"
        )


def sums_by_field(X: sp.csr_matrix, V: Array, fields: Array, n_fields: int) -> Array:
    """Return the sum of x_i v_i over the features of each field, shape (n, F, k)."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    places = rows * n_fields + fields[X.indices]
    shape = (X.shape[0] * n_fields, X.shape[1])
    sums = sp.csr_matrix((X.data, (places, X.indices)), shape) @ V
    return np.asarray(sums).reshape(X.shape[0], n_fields, V.shape[1])
