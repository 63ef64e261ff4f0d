"""The loss that all libraries are compared by, computed in the same way for all."""

import numpy as np


def log_loss(y: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean log loss of scores, the logits of class 1."""
    return float(np.logaddexp(0, np.where(y > 0, -1, 1) * np.float64(scores)).mean())


def base_score(y: np.ndarray) -> float:
    """Return the constant score of least loss, which every side starts from if it can."""
    return float(np.log(y.mean() / (1 - y.mean())))
