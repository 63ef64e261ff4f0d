"""The command line: ``sparsefm demo``, ``sparsefm doctor``."""

from sparsefm.cli.main import main

__all__ = ["main"]
