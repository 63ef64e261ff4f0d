"""Models that are trained to rank."""
