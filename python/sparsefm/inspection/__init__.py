"""What a fitted model found: interactions, fields, explanations of predictions."""
