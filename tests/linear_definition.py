"""Hessians of deep linear networks under the squared loss, written out from the definition: floats, or exact integers.

f(x) = x W_1 .. W_L has df = sum_k h_k dW_k B_k, h_k the inputs of layer k, B_k = W_{k+1} .. W_L, and
d^2 f = 2 sum_{k<j} h_k dW_k W_{k+1} .. W_{j-1} dW_j B_j. No automatic differentiation, no reduction.
"""

import functools
import itertools

import flint
import numpy as np


def hessians(weights, inputs, targets):
    """Return H_f, H_o and H_L, parameters in the order W_1, W_2, ..., row by row.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_{l-1}, m_l); float64, or Python integers in object arrays.
        inputs: (n, d).
        targets: (n, K).
    """
    product = lambda first, rest: functools.reduce(np.matmul, rest, first)
    layers, dtype = len(weights), weights[0].dtype
    h = [product(inputs, weights[:k]) for k in range(layers + 1)]
    B = [product(np.eye(weights[k].shape[1], dtype=dtype), weights[k + 1 :]) for k in range(layers)]
    residuals = h.pop() - targets
    offsets = np.cumsum([0, *(W.size for W in weights)])
    functional = np.zeros((offsets[-1], offsets[-1]), dtype=dtype)
    for k in range(layers):
        for j in range(k + 1, layers):
            left = B[j] @ residuals.T @ h[k]  # (m_j, m_{k-1})
            between = product(np.eye(weights[k].shape[1], dtype=dtype), weights[k + 1 : j])
            block = left.T[:, None, None, :] * between[None, :, :, None]
            rows, columns = slice(offsets[k], offsets[k + 1]), slice(offsets[j], offsets[j + 1])
            functional[rows, columns] = block.reshape(weights[k].size, weights[j].size)
            functional[columns, rows] = functional[rows, columns].T
    J = [(h[k][:, None, :, None] * B[k].T[None, :, None, :]).reshape(-1, weights[k].size) for k in range(layers)]
    J = np.concatenate(J, axis=1)
    outer = J.T @ J
    return functional, outer, functional + outer


def exact_inertia(matrix):
    """Return the numbers of positive, negative and zero eigenvalues of a symmetric matrix of integers.

    All roots of its characteristic polynomial are real, so that by Descartes' rule of signs the positive ones are as
    many as the sign changes of its coefficients; the zero ones are as many as the coefficients that vanish at the end.
    """
    coefficients = flint.fmpz_mat([[int(x) for x in row] for row in matrix]).charpoly().coeffs()
    nonzero = [c > 0 for c in coefficients if c != 0]
    positive = sum(one != other for one, other in itertools.pairwise(nonzero))
    zero = next(i for i, c in enumerate(coefficients) if c != 0)
    return positive, len(matrix) - positive - zero, zero
