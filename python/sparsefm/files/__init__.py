"""Sparse text files: libsvm, libFM and libffm, plain or compressed; and files of rows."""

from sparsefm.files.converting import convert
from sparsefm.files.reading import SparseData, read

__all__ = ["SparseData", "convert", "read"]
