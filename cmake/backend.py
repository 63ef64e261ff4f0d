"""The build backend: scikit-build-core, whose wheels may have a bill of materials (PEP 770).

It is written while a wheel is built, with the versions of what was compiled in. The metadata that
scikit-build-core prepares before a build do not have it, and it refuses to build a wheel with other
files than those. So it is not told of them here.
"""

from scikit_build_core import build as scikit
from scikit_build_core.build import *  # noqa: F403


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Build a wheel."""
    return scikit.build_wheel(wheel_directory, config_settings)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Build a wheel of a development install."""
    return scikit.build_editable(wheel_directory, config_settings)
