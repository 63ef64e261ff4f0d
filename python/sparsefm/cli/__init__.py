"""The command line: ``sparsefm demo``."""

from sparsefm.cli.main import main

__all__ = ["main"]
