"""Approximate eigenvectors at both ends of a spectrum, by the block Krylov-Schur method, which restarts Lanczos.

The rows of Q (j, p) are orthonormal, and T = Q H Q^T. The eigenvalues of T are the *Ritz values*, and s^T Q is the
*Ritz vector* of an eigenvector s. Every step multiplies b vectors X (b, p), the newest rows of Q. What their products
have outside the span of Q is the next X:

    H Q^T = Q^T T + X^T E,    E = the last b rows of the identity,    so |H v - theta v| = |X^T E s| for v = Q^T s

A full basis is replaced by its outermost Ritz vectors, for which the same equation holds. The method is that of
Stewart (2001), in blocks as in Zhou and Saad (2008). With b = 1 it is mathematically ARPACK's.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from matrix_free import compiled_bases

_EVERY = 8  # steps between two looks at the Ritz values, so that these take less time than the products

_LOOSE = 1e-3  # residual, relative to |H|, at which the search for missed eigenvalues ends

_OVERLAP = 1e-8  # of two vectors of the basis at most; half of the digits

_COLUMNS = 2**14  # of Q at a time, so that a change of basis takes no memory for a second one


class Krylov(NamedTuple):
    """A basis and what is known of H on it."""

    rows: np.ndarray  # (capacity, p); the first j, Q, are in use
    matrix: np.ndarray  # T (j, j), or R, see `compiled_bases`
    rest: np.ndarray  # X (b, p), not normalized
    left: int  # how many products may still be made
    first: int = 0  # the products of X have components on the rows of Q from this one on
    scale: float = 0.0  # the largest |Ritz value| so far, an estimate of |H| from below
    overlaps: np.ndarray | None = None  # as in `compiled_bases.State`, for the rows in use
    again: np.ndarray | None = None  # likewise, for all rows
    known: int = 0  # so many of the first rows are orthonormal to rounding
    always: int = 0  # every new row is made orthogonal to so many of the first, whose products miss more than rounding


class Ritz(NamedTuple):
    """What a basis Q (j, p) knows of H. The vectors are the columns of Q^T S."""

    values: np.ndarray  # theta (m,), in increasing order
    vectors: np.ndarray  # S (j, m)
    errors: np.ndarray  # |H v - theta v| (m,)
    rest: np.ndarray  # X (b, p), what the products of the vectors have outside of Q


class Ends(NamedTuple):
    """How many eigenvalues at either end of a spectrum, or of a list in increasing order."""

    low: int
    high: int

    def of(self, size):
        """Return the indices of both ends in a list of this size."""
        return np.r_[: self.low, size - self.high : size]


def outermost(multiply, start, ends, rtol, capacity, products, generator, product=None, update=None):
    """Return approximate eigenvectors of the smallest and the largest eigenvalues of H.

    Lanczos sees one copy of a repeated eigenvalue, or b with blocks of b vectors, unless rounding helps. So after the
    method has converged, it begins again at random vectors orthogonal to all that was found. If a Ritz value there
    lies beyond the last one found at its end, something was missed, and the method goes on.

    Args:
        multiply: V (b, p) -> V H (b, p), as a NumPy array.
        start: (b, p), random.
        ends: Ends, the number of eigenvalues wanted.
        rtol: residual at which a Ritz vector has converged, relative to the largest |Ritz value|.
        capacity: number of rows of Q at most, at least sum(ends) + 2 b.
        products: how many products to make at most, at least sum(ends) + b.
        generator: NumPy's, for more random vectors.
        product: v (p,) -> H v, which takes the place of `multiply` for b = 1, as `compiled_bases` takes it.
        update: a function that is then told the number of products.

    Returns:
        (sum(ends), p), orthonormal rows in increasing order of their Ritz values, and the largest |Ritz value|.
    """
    if product is None:
        rows, grow = np.empty((capacity, start.shape[1])), functools.partial(_grown, multiply, generator)
    else:
        rows = jnp.zeros((capacity, start.shape[1]))
        grow = functools.partial(compiled_bases.grown, product, generator, _EVERY, _OVERLAP, update)
    krylov = Krylov(rows, np.zeros((0, 0)), start, products)
    while True:
        krylov = _converged(grow, krylov, ends, rtol)
        if krylov.left < len(start):
            return np.array(krylov.rows[: sum(ends)]), krylov.scale
        krylov, missed = _missed(grow, krylov, ends, rtol, generator)
        if not missed:
            return np.array(krylov.rows[: sum(ends)]), krylov.scale


def _converged(grow, krylov, ends, rtol):
    """Return a basis of the Ritz vectors wanted: they have converged, or no products are left."""
    block, capacity, wanted = len(krylov.rest), len(krylov.rows), sum(ends)
    while True:
        krylov = grow(krylov)
        ritz, size = _ritz(krylov, 0), len(krylov.matrix)
        krylov = krylov._replace(scale=max(krylov.scale, abs(ritz.values).max()))
        if size < wanted:
            continue
        full, last = size + block > capacity, krylov.left < block
        converged = ritz.errors[ends.of(size)].max() <= rtol * krylov.scale
        if isinstance(krylov.rows, jax.Array) and (converged or full or last):
            ritz = Ritz(*compiled_bases.exact_ritz(krylov))
            converged = ritz.errors[ends.of(len(ritz.values))].max() <= rtol * krylov.scale
        if last or (size >= wanted + block and converged):
            return _rotated(krylov, ritz, ends)
        if full:
            # More than those wanted are kept, which speeds up the convergence of these.
            more = min((capacity - wanted) // 2, capacity - block - wanted)
            low = more * ends.low // wanted
            krylov = _rotated(krylov, ritz, Ends(ends.low + low, ends.high + more - low))


def _missed(grow, krylov, ends, rtol, generator):
    """Return a larger basis, and whether H has an eigenvalue beyond the last at either end that is not in the basis.

    By the min-max principle a Ritz value of the complement beyond the last proves it.
    """
    block, p = krylov.rest.shape
    found, scale = np.diag(krylov.matrix), krylov.scale
    low = found[ends.low - 1] if ends.low else -np.inf
    high = found[ends.low] if ends.high else np.inf
    krylov = krylov._replace(rest=generator.standard_normal((block, p)), first=0, always=sum(ends))
    while True:
        krylov = grow(krylov)
        values, _, errors, _ = _ritz(krylov, sum(ends))
        if values[0] < low - rtol * scale or values[-1] > high + rtol * scale:
            return krylov._replace(always=len(krylov.rows)), True
        full = len(krylov.matrix) + block > len(krylov.rows)
        resolved = errors[Ends(min(ends.low, 1), min(ends.high, 1)).of(len(values))].max() <= _LOOSE * scale
        if resolved or full or krylov.left < block:
            return krylov, False


def _grown(multiply, generator, krylov):
    """Return the basis after some more steps, at least one unless it is full or no products are left.

    By Lanczos' recurrence the products of a block have components on itself and on the block before it only, but for
    rounding, which `orthonormal` takes away. After a restart they have components on the whole basis.
    """
    rows, T, X, left, first = krylov[:5]
    block = len(X)
    for _ in range(-(-_EVERY // block)):
        old, new = len(T), len(T) + block
        if new > len(rows) or left < block:
            break
        rows[old:new] = orthonormal(X, rows[:old], generator)
        images = multiply(rows[old:new])
        left -= block
        C = np.zeros((block, new))
        C[:, first:] = images @ rows[first:new].T
        T = np.block([[T, C[:, :old].T], [C[:, :old], (C[:, old:] + C[:, old:].T) / 2]])
        X = images - C[:, first:] @ rows[first:new]
        first = old
    return krylov._replace(matrix=T, rest=X, left=left, first=first)


def _ritz(krylov, first):
    """Return the Ritz values, their vectors in the basis and their residual norms, for the rows of Q from `first`."""
    values, vectors = np.linalg.eigh(krylov.matrix[first:, first:])
    rest, block = np.asarray(krylov.rest), len(krylov.rest)
    size = np.linalg.norm(rest)[None, None] if block == 1 else np.linalg.qr(rest.T, mode="r")
    return Ritz(values, vectors, np.linalg.norm(size @ vectors[-block:], axis=0), krylov.rest)


def _rotated(krylov, ritz, ends):
    """Return the basis of the Ritz vectors at both ends."""
    indices, size, kept = ends.of(len(ritz.values)), len(krylov.matrix), sum(ends)
    chosen = np.ascontiguousarray(ritz.vectors[:, indices].T)
    rows = krylov.rows
    if isinstance(rows, jax.Array):
        rows = compiled_bases.rotated(rows, chosen, _COLUMNS)
    else:
        for begin in range(0, rows.shape[1], _COLUMNS):
            columns = slice(begin, begin + _COLUMNS)
            rows[:kept, columns] = chosen @ rows[:size, columns]
    matrix = np.diag(ritz.values[indices])
    return krylov._replace(
        rows=rows, rest=ritz.rest, matrix=matrix, first=0, overlaps=None, again=None, known=len(matrix)
    )


def orthonormal(X, Q, generator):
    """Return the rows of X made orthonormal, and orthogonal to those of Q. Random rows replace dependent ones."""
    X = np.array(X)
    for i in range(len(X)):
        norm = np.linalg.norm(X[i])
        while True:
            x = X[i] / norm if norm > 0 else generator.standard_normal(X.shape[1])
            x /= np.linalg.norm(x)
            x -= (Q @ x) @ Q
            x -= (X[:i] @ x) @ X[:i]
            kept = np.linalg.norm(x)
            # What is left after a large part was taken away still has errors of rounding, relative to that part.
            X[i], norm = x, kept if kept > 1e-12 else 0.0
            if kept > 0.7:
                X[i] /= kept
                break
    return X
