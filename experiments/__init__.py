"""Experiments with many networks: sweeps, training, surveys, costs. Import its modules by name."""
