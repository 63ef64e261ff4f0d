"""Inspection of fitted models: interactions, fields and explanations of predictions."""
