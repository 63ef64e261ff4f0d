"""How Sphinx makes a site of these pages: ``sphinx-build -W --keep-going docs build/docs``."""

from importlib.metadata import version as installed

project = "sparsefm"
author = "The sparsefm developers"
copyright = author
version = release = installed("sparsefm")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Docstrings name code in single backticks: a link if it is public, else just code.
default_role = "py:obj"
smartquotes = False
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"[^.]*|training\..*|tqdm\..*")]  # arguments, not names

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say it, with shapes
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "sparsefm"
