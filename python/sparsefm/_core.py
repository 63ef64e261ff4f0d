"""Loads the extension module for the best instruction set that processor and system support.

The environment variable ``SPARSEFM_ISA`` (``baseline``, ``v3`` or ``v4``) chooses a lower one.
"""

import os
from importlib import import_module, util
from typing import Any, NamedTuple

from sparsefm import _cpu

_LEVELS = {"baseline": 0, "v3": 3, "v4": 4}  # lowest first; 0: any processor


def _available_levels() -> list[str]:
    supported = _cpu.x86_64_level()
    return [
        name
        for name, level in _LEVELS.items()
        if level <= supported and util.find_spec(f"sparsefm._core_{name}") is not None
    ]


def _chosen_level() -> str:
    wanted = os.environ.get("SPARSEFM_ISA")
    if not wanted:
        return isa_levels[-1]
    if wanted not in isa_levels:
        raise ImportError(
            f"SPARSEFM_ISA={wanted!r} is not available here: choose one of {isa_levels}"
        )
    return wanted


isa_levels = _available_levels()
isa = _chosen_level()
_module = import_module(f"sparsefm._core_{isa}")

AllPairs = _module.AllPairs
Csr = _module.Csr
Gibbs = _module.Gibbs
Plan = _module.Plan
Ranker = _module.Ranker
Text = _module.Text
Trainer = _module.Trainer
adam_update = _module.adam_update
backward = _module.backward
class_scores = _module.class_scores
compiler = _module.compiler
dependence = _module.dependence
eigen_version = _module.eigen_version
field_aware_scores = _module.field_aware_scores
field_scores = _module.field_scores
forward = _module.forward
gamma_draws = _module.gamma_draws
keep_helpers = _module.keep_helpers
item_lanes = _module.item_lanes
loss_slopes = _module.loss_slopes
loss_values = _module.loss_values
normal_draw_above = _module.normal_draw_above
normal_draw_between = _module.normal_draw_between
normal_draws = _module.normal_draws
normal_interval = _module.normal_interval
openmp_version = _module.openmp_version
philox = _module.philox
refresh_norms = _module.refresh_norms
top_items = _module.top_items


class Described(NamedTuple):
    """What the core is told of a loss, an optimizer or a sampler."""

    core_name: str
    core_constants: dict[str, float]


def described(setting: Any) -> Described:
    """Return what the core is told of a loss or an optimizer."""
    return Described(setting._core_name, setting._core_constants)
