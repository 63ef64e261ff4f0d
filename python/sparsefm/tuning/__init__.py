"""The search for hyperparameters that the user leaves open."""
