"""From tables, arrays and sparse matrices to one sparse matrix of features."""

from sparsefm.encoding.encoder import TableEncoder

__all__ = ["TableEncoder"]
