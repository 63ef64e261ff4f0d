"""Models in the ONNX format, for prediction without Python."""

from sparsefm.onnx.exporting import export

__all__ = ["export"]
