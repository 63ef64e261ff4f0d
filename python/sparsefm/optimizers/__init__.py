"""Optimizers: how parameters are updated."""

from sparsefm.optimizers.adagrad import AdaGrad
from sparsefm.optimizers.adam import Adam
from sparsefm.optimizers.optimizer import Optimizer, check_optimizer

__all__ = ["AdaGrad", "Adam", "Optimizer", "check_optimizer"]
