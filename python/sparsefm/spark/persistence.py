"""Spark's estimators and models in folders of Spark's file systems.

Parameters are where `pyspark.ml` has them, in ``metadata``; settings that are objects as
`sparsefm.io.values` writes them. A fitted model is beside it, in a file that `sparsefm.load` reads.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter

from sparsefm import load
from sparsefm.io.values import from_json, parameters_to_json

MODEL = "model.safetensors"


class Writer(DefaultParamsWriter):  # type: ignore[misc]
    """Writes parameters, and the estimator of a model."""

    def saveImpl(self, path: str) -> None:
        """Write to a folder."""
        given = {p.name: value for p, value in self.instance._paramMap.items()}
        callbacks = given.pop("callbacks", ())
        stored, skipped = parameters_to_json(given)
        for lost in [*skipped, *(["callbacks"] if callbacks else [])]:
            warnings.warn(
                f"{lost} cannot be saved: what is loaded has the default", UserWarning, stacklevel=4
            )
        self.saveMetadata(self.instance, path, self.sc, paramMap=stored)
        estimator = getattr(self.instance, "estimator", None)
        if estimator is not None:
            with tempfile.TemporaryDirectory() as folder:
                local = Path(folder, MODEL)
                estimator.save(local)
                files, target = _files(self.sc, f"{path}/{MODEL}")
                source = self.sc._jvm.org.apache.hadoop.fs.Path(local.as_uri())
                files.copyFromLocalFile(False, True, source, target)


class Reader(DefaultParamsReader):  # type: ignore[misc]
    """Reads what `Writer` wrote."""

    def load(self, path: str) -> Any:
        """Return the estimator or model of a folder."""
        metadata = self.loadMetadata(path, self.sc)
        metadata["paramMap"] = {n: from_json(v) for n, v in metadata["paramMap"].items()}
        files, source = _files(self.sc, f"{path}/{MODEL}")
        if files.exists(source):
            with tempfile.TemporaryDirectory() as folder:
                local = Path(folder, MODEL)
                target = self.sc._jvm.org.apache.hadoop.fs.Path(local.as_uri())
                files.copyToLocalFile(False, source, target, True)
                instance = self.cls(load(local))
        else:
            instance = self.cls()
        instance._resetUid(metadata["uid"])
        self.getAndSetParams(instance, metadata)
        return instance


def _files(context: Any, path: str) -> tuple[Any, Any]:
    """Return the file system of a path, and the path, as Hadoop has them."""
    found = context._jvm.org.apache.hadoop.fs.Path(path)
    return found.getFileSystem(context._jsc.hadoopConfiguration()), found
