"""Losses: what training minimises."""

from sparsefm.losses.classification import Hinge, Logistic, sigmoid
from sparsefm.losses.loss import Loss
from sparsefm.losses.names import LOSSES, check_loss, find_loss
from sparsefm.losses.regression import Huber, Squared

__all__ = [
    "LOSSES",
    "Hinge",
    "Huber",
    "Logistic",
    "Loss",
    "Squared",
    "check_loss",
    "find_loss",
    "sigmoid",
]
