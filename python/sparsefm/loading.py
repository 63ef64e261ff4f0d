"""`load`: from a file to an object of the class that saved it."""

from importlib import import_module
from typing import Any

from sparsefm.data.validation import check_flag
from sparsefm.errors import FileFormatError
from sparsefm.files.cache import KIND as ROWS
from sparsefm.io.file import read_file
from sparsefm.io.reader import Reader, naming
from sparsefm.io.replacing import FilePath, name_of
from sparsefm.io.values import shown
from sparsefm.training.checkpoint import TRAINING

# The module of each class that a file may hold; scikit-learn is imported only for its estimators.
CLASSES = {
    "model": ("sparsefm.model", "Model"),
    "field-aware model": ("sparsefm.field_aware_model", "FieldAwareModel"),
    "field-weighted model": ("sparsefm.field_model", "FieldWeightedModel"),
    "sampled model": ("sparsefm.sampling", "SampledModel"),
    "FMRegressor": ("sparsefm.estimators", "FMRegressor"),
    "FMClassifier": ("sparsefm.estimators", "FMClassifier"),
}


def load(path: FilePath, *, mmap: bool = False, checksum: bool | None = None) -> Any:
    """Load a model or an estimator that `save` or a `Checkpoint` wrote.

    On the same kind of processor the predictions are the same, to the bit. Loading a file that you
    do not trust is safe: nothing in it is executed, and everything is checked.

    Parameters
    ----------
    path : str or path-like
    mmap : bool
        Map the file into memory instead of reading it: opening takes a moment, whatever its size,
        and processes that load the same file share the parameters, which are read-only. Their
        sizes, types and places are checked, but not their values, unless `checksum` is True. An
        estimator copies what it trains, when it trains, and for a moment what it saves. Copied at
        once are parameters of 16 bits, those of softmax loss and those saved with the state of the
        optimizer. The file must not be changed or cut off while it is in use, or the process may
        die; `save` replaces files, and so never does that.
    checksum : bool, optional
        Check that the content is what was written, which reads all of it. Without, a damaged file
        can load, with other numbers. Files of before there was a checksum load without. Default:
        True, but False with `mmap`.

    Returns
    -------
    Model, FieldWeightedModel, FieldAwareModel, SampledModel, FMRegressor or FMClassifier

    Raises
    ------
    FileFormatError
        If the file is damaged, from a newer version or of another format. It is a ValueError, and
        names the file and what is wrong.
    OSError
        If the file cannot be read, such as `FileNotFoundError`.
    MemoryError
        If there is not enough memory for the arrays of the file.
    """
    name = name_of(path)
    mmap = check_flag(mmap, "mmap")
    checksum = not mmap if checksum is None else check_flag(checksum, "checksum")
    with naming(name):
        content = read_file(name, mapped=mmap, verify=checksum)
        reader = Reader(*content, unread=mmap and not checksum, path=name)
        if reader.has_entry(TRAINING):  # which is for `resume` alone
            reader.skip(TRAINING)
        loaded = _class_of(reader.entry("kind", str))._from_file(reader)
        reader.check_all_read()
    return loaded


def _class_of(kind: str) -> Any:
    if kind == ROWS:
        raise FileFormatError("holds rows of data and no model: read it with sparsefm.read")
    if kind not in CLASSES:
        raise FileFormatError(f"holds a {shown(kind)}, which is unknown here")
    module, name = CLASSES[kind]
    return getattr(import_module(module), name)
