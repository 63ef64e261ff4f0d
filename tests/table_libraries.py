"""What makes a table of a dict of columns, for each of the libraries that is installed."""

import contextlib

LIBRARIES = {}
for library, make in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")):
    with contextlib.suppress(ImportError):
        LIBRARIES[library] = getattr(__import__(library), make)
