"""Losses: what training minimises."""

from sparsefm.losses.classification import Hinge, Logistic, Ordinal, Softmax, sigmoid
from sparsefm.losses.loss import Loss
from sparsefm.losses.names import LOSSES, check_loss, find_loss
from sparsefm.losses.regression import Huber, Squared

__all__ = [
    "LOSSES",
    "Hinge",
    "Huber",
    "Logistic",
    "Loss",
    "Ordinal",
    "Softmax",
    "Squared",
    "check_loss",
    "find_loss",
    "sigmoid",
]
