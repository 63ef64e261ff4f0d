"""`load`: from a file to an object of the class that wrote it."""

import os
from importlib import import_module
from typing import Any

from sparsefm.errors import FileFormatError
from sparsefm.io.file import FilePath, read_file
from sparsefm.io.reader import Reader

# The module of each class that a file may hold; scikit-learn is imported only for its estimators.
CLASSES = {
    "model": ("sparsefm.model", "Model"),
    "FMRegressor": ("sparsefm.estimators", "FMRegressor"),
    "FMClassifier": ("sparsefm.estimators", "FMClassifier"),
}

# What reading may raise where a file is intact, but holds something unforeseen.
CONTENT_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


def load(path: FilePath) -> Any:
    """Return what `Model.save` or an estimator's `save` wrote.

    Predictions are the same bits as before, on the same kind of processor. A file needs no trust:
    nothing in it is executed, and everything is checked.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Model, FMRegressor or FMClassifier

    Raises
    ------
    FileFormatError
        If the file is damaged, from a newer version or something else altogether. It is a
        ValueError, and names the file and what is wrong.
    OSError
        If it cannot be read, such as `FileNotFoundError`.
    ImportError
        Without safetensors.
    """
    name = os.fspath(path)
    try:
        reader = Reader(*read_file(path))
        loaded = _class_of(reader.entry("kind", str))._from_file(reader)
        reader.check_all_read()
    except ValueError as error:
        raise FileFormatError(f"{name}: {error}") from error
    except CONTENT_ERRORS as error:
        raise FileFormatError(f"{name}: {type(error).__name__}: {error}") from error
    return loaded


def _class_of(kind: str) -> Any:
    if kind not in CLASSES:
        raise FileFormatError(f"holds a {kind!r:.40}, which is unknown here")
    module, name = CLASSES[kind]
    return getattr(import_module(module), name)
