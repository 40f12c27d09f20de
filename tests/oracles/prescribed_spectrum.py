"""Matrices whose eigenvalues are known."""

import numpy as np


def symmetric(eigenvalues, seed=0):
    """Return a dense symmetric matrix with the eigenvalues given."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))
    matrix = Q * np.asarray(eigenvalues) @ Q.T
    return (matrix + matrix.T) / 2
