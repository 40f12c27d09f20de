"""Orthogonal matrices whose first columns span some rows, as products of Householder's reflections.

With V (a, r) and T (r, r), upper triangular, Q = I - V T V^T is such a product (Schreiber and Van Loan 1989). So a
matrix (n, a) is turned by two thin products, and Q itself, (a, a), is never made.
"""

from typing import NamedTuple

import jax
import numpy as np
import scipy.linalg


class Turn(NamedTuple):
    """The orthogonal matrix Q = I - V T V^T."""

    V: jax.Array | np.ndarray
    T: jax.Array | np.ndarray

    def times(self, M):
        """Return M Q."""
        return M - ((M @ self.V) @ self.T) @ self.V.T

    def back(self, M):
        """Return M Q^T."""
        return M - ((M @ self.V) @ self.T.T) @ self.V.T


def turn_of(matrices, size):
    """Return the Turn whose first columns span the rows of some matrices (n, size)."""
    rows = np.concatenate([np.zeros((0, size)), *(np.asarray(matrix) for matrix in matrices)])
    if not len(rows):
        return Turn(np.zeros((size, 0)), np.zeros((0, 0)))
    (reflections, tau), _ = scipy.linalg.qr(rows.T, mode="raw")
    V = np.tril(reflections[:, : len(tau)], -1)
    V[np.arange(len(tau)), np.arange(len(tau))] = 1
    T, overlaps = np.diag(tau), V.T @ V
    for j in range(1, len(tau)):
        T[:j, j] = -tau[j] * (T[:j, :j] @ overlaps[:j, j])
    return Turn(V, T)
