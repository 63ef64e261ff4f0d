"""Files of rows: sparse text (libsvm, libFM, libffm) to matrices, tables to tables of PyArrow."""

from sparsefm.files.reading import SparseData, read
from sparsefm.files.tables import read_table

__all__ = ["SparseData", "read", "read_table"]
