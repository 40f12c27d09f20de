"""How the notebooks behave at hyperparameters that nobody has thought of."""
