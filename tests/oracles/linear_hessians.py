"""Hessians of deep linear networks, written out: no automatic differentiation, no reduction.

f(x) = (..(x W_1 + b_1) .. W_L + b_L) is linear in each W_l and each b_l. So the derivatives are products of the others.
Let h_k be the inputs of layer k and B_k = W_{k+1} .. W_L. Then

    df = sum_k (h_k dW_k + db_k) B_k,        d^2 f = 2 sum_{k<l} (h_k dW_k + db_k) W_{k+1} .. W_{l-1} dW_l B_l.

Any loss enters only by its gradients alpha_i and its K x K Hessians S_i in the outputs.

The arithmetic is that of the arrays (floats or Python's integers), or that of residues modulo the prime P. A rank
modulo P is at most the rank of the same matrix of integers. It is smaller only by chance, with a probability of some
p / P.
"""

import functools

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


def inputs_of_layers(weights, biases, inputs, modulus=P):
    """Return [h_1, ..., h_L, f] for samples in rows. There are no biases if `biases` is None."""
    multiply, reduce = _arithmetic(modulus)
    outputs = [inputs]
    for layer, W in enumerate(weights):
        shift = 0 if biases is None else biases[layer]
        outputs.append(reduce(multiply(outputs[-1], W) + shift))
    return outputs


def hessians(weights, biases, inputs, alpha, S=None, modulus=P):
    """Return H_f, H_o and H_L, parameters in the order W_1, (b_1,) W_2, ..., row by row.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_{l-1}, m_l).
        biases: [b_1, ..., b_L], or None.
        inputs: (n, d).
        alpha: (n, K), gradients of the loss in the outputs.
        S: (n, K, K), Hessians of the loss in the outputs. None stands for identities, those of the squared loss.
        modulus: P, or None for the arithmetic of the arrays.
    """
    multiply, reduce = _arithmetic(modulus)
    layers, dtype = len(weights), weights[0].dtype
    h = inputs_of_layers(weights, biases, inputs, modulus)[:-1]
    if biases is not None:  # a bias is one more row of the weights, for an input that is always 1
        h = [np.concatenate([rows, np.ones((len(rows), 1), dtype)], axis=1) for rows in h]
    between = lambda k, j: functools.reduce(multiply, weights[k + 1 : j], np.eye(weights[k].shape[1], dtype=dtype))
    B = [between(k, layers) for k in range(layers)]
    blocks = [[None] * layers for _ in range(layers)]
    for k in range(layers):
        size = h[k].shape[1] * weights[k].shape[1]
        blocks[k][k] = np.zeros((size, size), dtype)
        for j in range(k + 1, layers):
            left = multiply(multiply(B[j], alpha.T), h[k])  # (m_j, m_{k-1} (+ 1))
            C = between(k, j)
            # The entry [(a, b), (c, d)] is left[d, a] C[b, c]. The bias b_j multiplies no h_j, hence the zeros.
            block = reduce(left.T[:, None, None, :] * C[None, :, :, None])
            if biases is not None:
                block = np.concatenate([block, np.zeros_like(block[:, :, :1])], axis=2)
            blocks[k][j] = block.reshape(size, -1)
            blocks[j][k] = blocks[k][j].T
    functional = np.block(blocks)
    # d f_io / d W[a, b] = h[i, a] B[b, o]
    J = [reduce(h[k][:, None, :, None] * B[k].T[None, :, None, :]) for k in range(layers)]
    J = np.concatenate([entries.reshape(len(inputs), alpha.shape[1], -1) for entries in J], axis=2)  # (n, K, p)
    SJ = J if S is None else np.stack([multiply(S[i], J[i]) for i in range(len(inputs))])
    outer = multiply(J.reshape(-1, J.shape[2]).T, SJ.reshape(-1, J.shape[2]))
    return functional, outer, reduce(functional + outer)


def _arithmetic(modulus):
    """Return two functions: the product of two matrices, and the reduction of a matrix's entries."""
    if modulus is None:
        return np.matmul, lambda array: array
    return lambda a, b: matmul(a % modulus, b % modulus, modulus), lambda array: array % modulus
