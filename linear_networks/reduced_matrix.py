"""A linear network's Hessian restricted to where its range lies: a small matrix T with the same nonzero eigenvalues.

The network is f(x) = W x, W = W_L .. W_1, under the squared loss. Let A_l = W_L .. W_{l+1} and B_l = W_{l-1} .. W_1 be
the products above and below layer l, and Omega = W Sxx - Sxy^T the derivative of the loss in W. Variations
V = (V_1, .., V_L) of the weights have

    V^T H_o V = tr(dW Sxx dW^T),    dW = sum_l A_l V_l B_l,
    V^T H_f V = 2 sum_{l<j} tr(Omega^T A_j V_j W_{j-1} .. W_{l+1} V_l B_l).

So V_l enters only by V_l B_l where a layer above it varies too, and only by A_l V_l where one below does. Let a_l be
the row space of A_l, and b_l the column space of B_l. In layer l the ranges of H_o and H_f lie in the orthogonal sum of

    X  a_l (x) b_l,     Y  (part of a_l) (x) (complement of b_l),     Z  (complement of a_l) (x) (part of b_l).

The part of a_l is col(A_l^T Omega), and that of b_l is col(B_l Omega^T). Their dimensions are min(rank(Omega), ..) at
most. Y is never the lower layer of H_f (V_l B_l = 0). Z is never the upper one (A_l V_l = 0). H_o acts on X alone. Each
V_l is a sum of Q C R^T, with orthonormal columns in Q and R (a `Piece`). The form of two pieces is a Kronecker product.
"""

import functools
from typing import NamedTuple

import numpy as np

from linear_networks.powers_of_two import norm

# How much of a matrix rounding may leave outside of a space that holds its columns, relative to its norm.
_OUTSIDE = 1e-14


class Piece(NamedTuple):
    """A subspace of the variations of one layer: V_l = left C right^T, C any (a, b) matrix."""

    left: np.ndarray  # (m_l, a), orthonormal columns
    right: np.ndarray  # (m_{l-1}, b), orthonormal columns
    above: np.ndarray | None  # A_l left, (K, a); None where it is zero: Z
    below: np.ndarray | None  # right^T B_l, (b, r); None where it is zero: Y

    @property
    def size(self):
        """Number of entries of C."""
        return self.left.shape[1] * self.right.shape[1]


class Copies(NamedTuple):
    """Eigenvalues +-values of H_f and H_L, each `count` times. No other part of the matrix touches them."""

    values: np.ndarray
    count: int


def compress(weights, omega):
    """Return the weights of a narrower network and the `Copies` that its H_f and H_L lack.

    Rotating the units of a hidden layer rotates the parameters and leaves the eigenvalues as they are. If
    m_l > m_{l-1} + m_{l+1}, rotate the columns of [W_l, W_{l+1}^T] = Q R into the first m_{l-1} + m_{l+1} units. The
    others have no weights: they vary only with themselves, by tr(Omega^T A_{l+1} V_{l+1} V_l B_l). So each has the
    eigenvalues +- sigma_i(B_l Omega^T A_{l+1}) in H_f and H_L, and none in H_o. Only R is needed.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_l, m_{l-1}).
        omega: (K, r).
    """
    weights, copies = list(weights), []
    while wide := [i for i in range(1, len(weights)) if _spare(weights, i) > 0]:
        i = wide[0]
        before, after = weights[i - 1], weights[i]
        inputs = before.shape[1]
        down = _triangle(functools.reduce(lambda B, W: W @ B, weights[: i - 1], np.eye(omega.shape[1])))
        up = _triangle(functools.reduce(lambda A, W: A @ W, weights[:i:-1], np.eye(len(omega))).T)
        singular = np.linalg.svd(down @ omega.T @ up.T, compute_uv=False)
        copies.append(Copies(singular, _spare(weights, i)))
        factor = _triangle(before, after.T)
        weights[i - 1 : i + 1] = factor[:, :inputs], factor[:, inputs:].T
    return weights, copies


def pieces(weights, omega):
    """Return, for every layer, a list of pieces whose sum holds the ranges of H_f, H_o and H_L.

    Where a hidden layer is narrower than the rank of Omega, the parts of a_l and b_l differ with the other layer j. In
    Z they are col(B_l Omega^T A_j), which grow with j, times row(W_{j-1} .. W_{l+1}), which shrink. Such a sequence of
    nested spaces is a flag. Every step of it makes one piece, and likewise for Y.

    In general position the dimensions of the pieces add up to the rank of H_L, 2 q M - L q^2 + q (r + K). They add up
    to less if the width is so small that there are fewer parameters. Ranks of factors are counted generously, which
    costs size and nothing else. Arguments as in `compress`.
    """
    layers = len(weights)
    A, B = [np.eye(len(omega))], [np.eye(omega.shape[1])]
    for up, down in zip(reversed(weights[1:]), weights[:-1], strict=True):
        A.insert(0, A[0] @ up)
        B.append(down @ B[-1])
    result = []
    for i in range(layers):
        (a, a_rest), (b, b_rest) = _split(A[i].T), _split(B[i])
        above, below = A[i] @ a, b.T @ B[i]
        found = [Piece(a, b, above, below)]
        lowers = [(above.T @ omega @ B[j].T, weights[i - 1 : j : -1] if i else []) for j in range(i)]
        for rest, core in _flag(b_rest, lowers):
            found.append(Piece(a @ core, rest, above @ core, None))
        uppers = [(below @ omega.T @ A[j], [W.T for W in weights[i + 1 : j]]) for j in range(layers - 1, i, -1)]
        for rest, core in _flag(a_rest, uppers):
            found.append(Piece(rest, b @ core, None, core.T @ below))
        result.append([piece for piece in found if piece.size])
    return result


def reduced_matrix(layers, weights, omega, Sxx, functional=True, outer=True):
    """Return T, the form of H_f, H_o or their sum on the given pieces: (n, n), its lower triangle only.

    With V_l = Q_l C_l R_l^T and V_j likewise, l < j, the entry of C_l[a, b] and C_j[c, e] is

        in H_f    (R_j^T W_{j-1} .. W_{l+1} Q_l)[e, a] (R_l^T B_l Omega^T A_j Q_j)[b, c],
        in H_o    (A_l Q_l)^T (A_j Q_j)[a, c]  (R_l^T B_l Sxx B_j^T R_j)[b, e],    l = j included.

    Args:
        layers: as `pieces` returns them.
        weights, omega: as in `compress`.
        Sxx: (r, r).
        functional, outer: which terms.
    """
    numbered, first = [], 0
    for layer, found in enumerate(layers):
        for piece in found:
            numbered.append((layer, piece, first))
            first += piece.size
    T = np.zeros((first, first), order="F")  # LAPACK's order, so that it need not make a copy

    def block(upper, lower):
        (_, high, i), (_, low, j) = upper, lower
        view = T[i : i + high.size, j : j + low.size]
        return view.reshape(high.left.shape[1], high.right.shape[1], low.left.shape[1], low.right.shape[1])

    for k, lower in enumerate(numbered):
        layer, low, _ = lower
        if low.below is None:
            continue
        carried, reached = low.left, layer + 1
        for upper in numbered[k:]:
            above, high, _ = upper
            if high.above is None:
                continue
            if functional and above > layer:
                while reached < above:
                    carried, reached = weights[reached] @ carried, reached + 1
                F, E = high.right.T @ carried, low.below @ omega.T @ high.above
                block(upper, lower)[...] += np.einsum("ea,bc->ceab", F, E)
            if outer and low.above is not None and high.below is not None:
                F, E = low.above.T @ high.above, low.below @ Sxx @ high.below.T
                block(upper, lower)[...] += np.einsum("ac,be->ceab", F, E)
    return T


def _spare(weights, i):
    """Return by how many units the hidden layer i is wider than both its neighbours together."""
    return len(weights[i - 1]) - weights[i - 1].shape[1] - len(weights[i])


def _flag(rest, steps):
    """Yield pairs (part of `rest`, core) for steps (matrix, path), in order of growing reach.

    The reach of a step is the column space of the product of its path. It is the whole space if the path is empty, as
    that of the last step is. The core of a step is the column space of its matrix.

    In exact arithmetic a core contains the cores of the steps after it. Here the code makes it so, because of rounding.
    A dimension that one step has and another one lacks may be rounding in either, and two spaces of the same dimension
    may differ. So each core is the one after it, and what its own matrix has outside of that.
    """
    core, cores = None, []
    for matrix, _ in reversed(steps):
        if core is None:
            core = _split(matrix)[0]
        else:
            outside = matrix - core @ (core.T @ matrix)
            more = _split(outside, threshold=_OUTSIDE * norm(matrix))[0]
            # What lies outside by little is not quite orthogonal to the core, so both are made orthonormal again.
            core = np.linalg.qr(np.concatenate([core, more], axis=1))[0]
        cores.insert(0, core)
    for k, (core, (_, path)) in enumerate(zip(cores, steps, strict=True)):
        if k + 1 == len(steps):
            yield rest, core
        elif cores[k + 1].shape[1] < core.shape[1]:
            reach = functools.reduce(np.matmul, path)
            new, remaining = _split(rest.T @ reach, threshold=np.finfo(float).eps * norm(reach))
            yield rest @ new, core
            rest = rest @ remaining


def _split(matrix, threshold=None):
    """Return orthonormal bases of the column space of a matrix and of its complement.

    Directions with singular values below the threshold, by default that of rounding, are not in the column space.
    """
    if not matrix.size:
        return np.zeros((len(matrix), 0)), np.eye(len(matrix))
    U, S, _ = np.linalg.svd(matrix)
    rank = int(((np.finfo(float).eps * S[0] if threshold is None else threshold) < S).sum())
    return U[:, :rank], U[:, rank:]


def _triangle(*blocks):
    """Return R of [blocks] = Q R, for blocks side by side.

    The rows are added some at a time, since Q would be as large as the matrix and is not needed.
    """
    columns = sum(block.shape[1] for block in blocks)
    factor = np.zeros((0, columns))
    step = max(10 * columns, 1000)
    for i in range(0, len(blocks[0]), step):
        rows = np.concatenate([block[i : i + step] for block in blocks], axis=1)
        factor = np.linalg.qr(np.concatenate([factor, rows]), mode="r")
    return factor
