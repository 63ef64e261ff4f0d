"""Sparse text to matrices, tables to tables of PyArrow, and rows that stay in files."""

from sparsefm.files.converting import convert
from sparsefm.files.reading import SparseData, read
from sparsefm.files.tables import read_table

__all__ = ["SparseData", "convert", "read", "read_table"]
