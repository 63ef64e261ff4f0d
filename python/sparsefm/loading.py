"""`load`: from a file to an object of the class that saved it."""

import os
from importlib import import_module
from typing import Any

from sparsefm.errors import FileFormatError
from sparsefm.io.file import FilePath, read_file
from sparsefm.io.reader import Reader

# The module of each class that a file may hold; scikit-learn is imported only for its estimators.
CLASSES = {
    "model": ("sparsefm.model", "Model"),
    "sampled model": ("sparsefm.sampling", "SampledModel"),
    "FMRegressor": ("sparsefm.estimators", "FMRegressor"),
    "FMClassifier": ("sparsefm.estimators", "FMClassifier"),
}

# What reading may raise if a file is intact but its content is unexpected.
CONTENT_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


def load(path: FilePath) -> Any:
    """Load a model or an estimator that `save` wrote.

    On the same kind of processor the predictions are the same, to the bit. Loading a file that you
    do not trust is safe: nothing in it is executed, and everything is checked.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Model, SampledModel, FMRegressor or FMClassifier

    Raises
    ------
    FileFormatError
        If the file is damaged, from a newer version or of another format. It is a ValueError, and
        names the file and what is wrong.
    OSError
        If the file cannot be read, such as `FileNotFoundError`.
    ImportError
        If safetensors is not installed.
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
