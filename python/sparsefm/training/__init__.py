"""Training with mini-batches: the function `train`, the epoch loop and callbacks."""
