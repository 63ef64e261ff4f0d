"""From anything with rows to checked, immutable datasets and plans of their batches."""
