"""Sparse text to matrices, tables to tables of PyArrow, and rows that stay in files."""

from sparsefm.files.converting import convert
from sparsefm.files.reading import SparseData, read
from sparsefm.files.tables import read_table
from sparsefm.files.texts import SparseText

__all__ = ["SparseData", "SparseText", "convert", "read", "read_table"]
