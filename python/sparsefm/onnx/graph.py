"""An ONNX graph in the making: operators on values, which have names."""

from typing import Any

import numpy as np
import numpy.typing as npt

# Old enough for runtimes of 2023: those of onnx 1.12.
OPERATORS, LEARNING_OPERATORS, FILE_FORMAT = 17, 2, 8
LEARNING = "ai.onnx.ml"
PREFIX = "sparsefm."  # of the names of all values but inputs and outputs
MOST_BYTES = 2**31 - 2**20  # a file of protobuf has less than 2 GiB


class Graph:
    """Nodes, constants, inputs and outputs of a graph.

    Methods take values by their names. An array or a number in the place of one becomes a constant:
    Python's integers are int64, its floats float64.
    """

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError:
            raise ImportError(
                'export needs the package onnx: pip install "sparsefm[onnx]"'
            ) from None
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._bytes = 0

    def input(self, name: str, dtype: npt.DTypeLike, shape: tuple[str, ...], doc: str = "") -> str:
        """Add an input, described by `doc`; its lengths have names, for they may be any."""
        if name in {known.name for known in self._inputs}:
            raise ValueError(
                f"column {name!r} has the name of another input of the graph: rename it, and fit"
            )
        self._inputs.append(self._info(name, dtype, shape, doc))
        return name

    def output(self, name: str, value: str, dtype: npt.DTypeLike, shape: tuple[Any, ...]) -> None:
        """Name a value as an output."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._info(name, dtype, shape))

    def constant(self, array: npt.ArrayLike) -> str:
        """Add a constant."""
        array = np.asarray(array, np.int64 if isinstance(array, int) else None)
        self._bytes += array.nbytes
        if self._bytes > MOST_BYTES:
            raise ValueError(
                "the model is too large for an ONNX file, which holds less than 2 GiB: train with "
                "a smaller rank or fewer features"
            )
        name = f"{PREFIX}constant.{len(self._constants)}"
        if array.dtype.kind in "UO":
            texts = [str(text).encode() for text in array.ravel()]
            kind = self._onnx.TensorProto.STRING
            tensor = self._onnx.helper.make_tensor(name, kind, array.shape, texts)
        else:
            tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._constants.append(tensor)
        return name

    def add(
        self,
        operator: str,
        *inputs: str | float | npt.NDArray[Any],
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node, and return the name of its one output."""
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        name = f"{PREFIX}{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, names, [name], domain=domain, **attributes)
        self._nodes.append(node)
        return name

    def cast(self, value: str, dtype: npt.DTypeLike) -> str:
        """Convert a value."""
        return self.add("Cast", value, to=self._type(dtype))

    def sum(self, value: str, axis: int) -> str:
        """Add up along an axis, which is gone then."""
        return self.add("ReduceSum", value, np.array([axis]), keepdims=0)

    def unsqueeze(self, value: str, axis: int) -> str:
        """Add an axis of length 1."""
        return self.add("Unsqueeze", value, np.array([axis]))

    def finished(self, version: str) -> bytes:
        """Return the file."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "sparsefm", self._inputs, self._outputs, self._constants
        )
        sets = [
            helper.make_opsetid("", OPERATORS),
            helper.make_opsetid(LEARNING, LEARNING_OPERATORS),
        ]
        model = helper.make_model(graph, opset_imports=sets, ir_version=FILE_FORMAT)
        model.producer_name, model.producer_version = "sparsefm", version
        self._onnx.checker.check_model(model)
        return model.SerializeToString()  # type: ignore[no-any-return]

    def _info(self, name: str, dtype: npt.DTypeLike, shape: tuple[Any, ...], doc: str = "") -> Any:
        return self._onnx.helper.make_tensor_value_info(name, self._type(dtype), shape, doc)

    def _type(self, dtype: npt.DTypeLike) -> int:
        if np.dtype(dtype).kind in "UO":
            return int(self._onnx.TensorProto.STRING)
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def refused(name: str, why: str) -> ValueError:
    """Return the error that a column cannot be expressed."""
    return ValueError(f"column {name!r} cannot be exported to ONNX: {why}")


def is_utf8(text: str) -> bool:
    """Return whether text has an encoding that other programs read."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
