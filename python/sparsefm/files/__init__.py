"""Sparse text files: libsvm, libFM and libffm, plain or compressed, to matrices."""

from sparsefm.files.reading import SparseData, read

__all__ = ["SparseData", "read"]
