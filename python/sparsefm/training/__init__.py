"""Training by mini-batches: the front door `train`, the epoch loop, and what acts in it."""
