"""From anything with rows to checked, immutable data sets and the batches planned from them."""
