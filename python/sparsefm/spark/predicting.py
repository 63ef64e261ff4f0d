"""Predictions as columns of a DataFrame."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from pyspark.sql.functions import struct
from pyspark.sql.types import StructType

from sparsefm.data.csr import as_scipy
from sparsefm.distributed.columns import as_matrix
from sparsefm.estimators.encoded import Encoded
from sparsefm.spark.frames import plain

# What was sent already, by what a fit makes anew: it stays with the workers as long as that.
_known: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()


def predicted(
    frame: Any, names: tuple[str, ...], is_vector: bool, estimator: Any, returns: dict[str, str]
) -> Any:
    """Return a column of structs, of what is predicted for each row.

    Parameters
    ----------
    frame : DataFrame
    names : tuple of str
        Of the columns of features.
    is_vector : bool
        Whether it is one column, of vectors.
    estimator : FMRegressor or FMClassifier
        Fitted.
    returns : dict of str to str
        The methods of the estimator that are called, and the type of what each returns.
    """
    sent = _sent(estimator, frame.sparkSession.sparkContext)
    given = plain(frame, names)

    def predict(features: Any) -> Any:
        import pyarrow as pa

        if is_vector:
            X = as_matrix(pa.chunked_array([features]), names[0])
        else:
            X = pa.Table.from_arrays(features.flatten(), list(names))
        owner = sent.value
        rows = Encoded(as_scipy(owner._encode(X)))  # once for all methods
        found = [_as_arrow(getattr(owner, method)(rows), kind) for method, kind in returns.items()]
        return pa.StructArray.from_arrays(found, list(returns))

    kinds = ", ".join(f"{method} {kind}" for method, kind in returns.items())
    argument = given[0] if is_vector else struct(*given)
    return _on_arrow(predict, frame.select(argument.alias("features")).schema, kinds)(argument)


def _sent(estimator: Any, context: Any) -> Any:
    """Return an estimator as a broadcast, which each process unpacks once."""
    own, sent = _known.get(estimator._learner, (None, None))
    if own is not context:
        lean = copy.copy(estimator)
        lean._sample, lean.callbacks, lean.n_threads = None, (), 1
        sent = context.broadcast(lean)
        _known[estimator._learner] = context, sent
    return sent


def _as_arrow(values: Any, kind: str) -> Any:
    """Return predictions as an Arrow array of a type of Spark."""
    import pyarrow as pa

    if kind == "double":
        return pa.array(values.astype(np.float64))
    if kind == "string":
        return pa.array([str(value) for value in values.tolist()])
    rows = np.column_stack([-values, values]) if values.ndim == 1 else values  # of two classes
    ends = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(ends, pa.array(np.ravel(rows).astype(np.float64)))


def _on_arrow(predict: Callable[[Any], Any], schema: StructType, kind: str) -> Any:
    """Return a function of columns, of one that takes an Arrow array of structs."""
    try:
        from pyspark.sql.functions import arrow_udf
    except ImportError:  # before Spark 4.1
        return _on_pandas(predict, schema, kind)
    import pyarrow as pa

    def run(features: pa.Array) -> pa.Array:
        return predict(features)

    run.__annotations__ = {"features": pa.Array, "return": pa.Array}
    return arrow_udf(run, kind)


def _on_pandas(predict: Callable[[Any], Any], schema: StructType, kind: str) -> Any:
    """Return the same by way of pandas, which all versions of Spark know."""
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql.functions import pandas_udf
    from pyspark.sql.pandas.types import to_arrow_schema

    (whole,) = to_arrow_schema(schema)
    fields = pa.schema(list(whole.type))

    def run(features: pd.DataFrame) -> pd.DataFrame:
        table = pa.RecordBatch.from_pandas(features, fields, preserve_index=False)
        found = predict(pa.StructArray.from_arrays(table.columns, fields=list(fields)))
        return pa.RecordBatch.from_struct_array(found).to_pandas()

    run.__annotations__ = {"features": pd.DataFrame, "return": pd.DataFrame}
    return pandas_udf(run, kind)
