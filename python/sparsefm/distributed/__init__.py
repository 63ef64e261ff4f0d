"""Training on rows that are divided among partitions, whatever engine holds them."""
