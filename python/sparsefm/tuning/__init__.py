"""The search for the hyperparameters that the user leaves open."""
