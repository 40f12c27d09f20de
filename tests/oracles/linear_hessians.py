"""Hessians of deep linear networks modulo a prime, written out: no automatic differentiation, no tolerance.

f(x) = (..(x W_1 + b_1) .. W_L + b_L) is linear in each W_l and each b_l. So the derivatives are products of the others:
with h_k the inputs of layer k and B_k = W_{k+1} .. W_L,

    df = sum_k (h_k dW_k + db_k) B_k,        d^2 f = 2 sum_{k<l} (h_k dW_k + db_k) W_{k+1} .. W_{l-1} dW_l B_l,

and a loss enters by its gradients alpha_i and its K x K Hessians S_i in the outputs alone, whatever they are. All
numbers are residues modulo the prime P; a rank modulo P is at most the rank of the same matrix of integers, and smaller
only by an accident of probability some p / P.
"""

import flint
import numpy as np

from exact.finite_field import matmul

P = 2147483629


def random(rng, *shape):
    """Return random residues."""
    return rng.integers(P, size=shape)


def product(*factors):
    """Return the product of matrices modulo P."""
    result = factors[0]
    for factor in factors[1:]:
        result = matmul(result, factor, P)
    return result


def rank(matrix):
    """Return the rank modulo P."""
    return flint.nmod_mat(*matrix.shape, np.asarray(matrix % P).ravel().tolist(), P).rank()


def solve(A, B):
    """Return X with A X = B modulo P, for a square and invertible A."""
    field = [flint.nmod_mat(*M.shape, np.asarray(M % P).ravel().tolist(), P) for M in (A, B)]
    return table(field[0].solve(field[1])).reshape(A.shape[1], B.shape[1])


def kernel(A):
    """Return a basis of {v : A v = 0} modulo P in columns."""
    basis, nullity = flint.nmod_mat(*A.shape, np.asarray(A % P).ravel().tolist(), P).nullspace()
    return table(basis).reshape(A.shape[1], -1)[:, :nullity]


def table(matrix):
    """Return the entries of a FLINT matrix."""
    return np.array([int(entry) for entry in matrix.entries()], dtype=np.int64)


def inputs_of_layers(weights, biases, inputs):
    """Return [h_1, ..., h_L, f] for samples in rows; without biases if `biases` is None."""
    outputs = [inputs]
    for layer, W in enumerate(weights):
        shift = 0 if biases is None else biases[layer]
        outputs.append((product(outputs[-1], W) + shift) % P)
    return outputs


def hessians(weights, biases, inputs, alpha, S):
    """Return H_f, H_o and H_L modulo P, parameters in the order W_1, (b_1,) W_2, ..., row by row.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_{l-1}, m_l).
        biases: [b_1, ..., b_L], or None.
        inputs: (n, d).
        alpha: (n, K), gradients of the loss in the outputs.
        S: (n, K, K), its Hessians.
    """
    layers, K = len(weights), alpha.shape[1]
    h = inputs_of_layers(weights, biases, inputs)[:-1]
    if biases is not None:  # the bias is one more row of the weights, that of an input 1
        h = [np.concatenate([rows, np.ones((len(rows), 1), np.int64)], axis=1) for rows in h]
    between = lambda k, j: product(np.eye(weights[k].shape[1], dtype=np.int64), *weights[k + 1 : j])
    B = [between(k, layers) for k in range(layers)]
    blocks = [[None] * layers for _ in range(layers)]
    for k in range(layers):
        size = h[k].shape[1] * weights[k].shape[1]
        blocks[k][k] = np.zeros((size, size), np.int64)
        for j in range(k + 1, layers):
            left = product(B[j], alpha.T, h[k])  # (m_j, m_{k-1} (+ 1))
            C = between(k, j)
            # entry [(a, b), (c, d)] = left[d, a] C[b, c]; the bias b_j multiplies no h_j, hence zeros
            block = left.T[:, None, None, :] * C[None, :, :, None] % P
            if biases is not None:
                block = np.concatenate([block, np.zeros_like(block[:, :, :1])], axis=2)
            blocks[k][j] = block.reshape(size, -1)
            blocks[j][k] = blocks[k][j].T
    functional = np.block(blocks)
    J = np.concatenate([_kron_rows(h[k], B[k]) for k in range(layers)], axis=2)  # (n, K, p)
    n, p = len(inputs), J.shape[2]
    SJ = np.stack([product(S[i], J[i]) for i in range(n)])
    outer = product(J.reshape(n * K, p).T, SJ.reshape(n * K, p))
    return functional, outer, (functional + outer) % P


def _kron_rows(h, B):
    """Return d f_io / d W[a, b] = h[i, a] B[b, o] as (n, K, m_in m_out)."""
    entries = h[:, None, :, None] * B.T[None, :, None, :] % P
    return entries.reshape(len(h), B.shape[1], -1)
