"""Optimizers: how parameters move. In order of increasing complexity."""

from sparsefm.optimizers.adagrad import AdaGrad
from sparsefm.optimizers.adam import Adam
from sparsefm.optimizers.optimizer import Optimizer, check_optimizer

__all__ = ["AdaGrad", "Adam", "Optimizer", "check_optimizer"]
