"""Lanczos' steps for a product that can be compiled, on a basis that is kept orthogonal no more than it has to be.

A new vector of the basis Q (j, p) is orthogonal to the others but for rounding, which grows from step to step. Half of
float64's digits are enough (Simon 1984): as long as |q_i^T q_k| <= 1e-8, the Ritz values are those of an orthonormal
basis to rounding. The products are H Q^T = Q^T R + x e^T, where R (j, j) is symmetric but for the overlaps
W = Q Q^T - I, and e is the last row of the identity. So the overlaps w of the next row x / |x| are known:

    |x| w = R^T W e + R^T e - W R e - R e + rounding

A vector is not made orthogonal until one of them may be too large. Then those that have grown are taken away, from two
vectors in a row, since the next step uses both. All steps between two looks at the Ritz values are one compiled
function, and the basis stays on the accelerator.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from matrix_free.checked_products import check_finite

_NOISE = np.finfo(float).eps  # of an overlap that was just taken away, and of a product relative to |H|

_DEPENDENT = 0.1  # of the squared length of a combination of vectors of the basis, which is 1 but for overlaps

_GROWN = 1e-12  # overlaps beyond this are taken away together with one that is too large (Simon's eps^(3/4))

_MANY = 24  # rows that cost as much one by one as all at once

_LOST = 0.7  # a vector that keeps less of its length beside the basis has lost digits, and goes through again


class State(NamedTuple):
    """Where the steps stand; arrays with room for a full basis, of which the first `size` rows are in use."""

    rows: jax.Array  # Q (capacity, p); zeros beyond
    matrix: jax.Array  # R (capacity, capacity)
    overlaps: jax.Array  # W (capacity, capacity), estimates
    rest: jax.Array  # x (p,), not normalized
    size: jax.Array  # j, int
    whole: jax.Array  # bool: the next product has components on all rows, as after a restart
    again: jax.Array  # bool (capacity,): the next vector is made orthogonal to these rows since the one before was
    lost: jax.Array  # bool: the next vector depends on the others


def grown(product, generator, steps, tolerance, update, krylov):
    """Return a `krylov_bases.Krylov` after some more steps, at least one unless it is full or no products are left.

    Args:
        product: v (p,) -> H v, a pytree, as `operators.traceable` returns.
        generator: NumPy's, for a random vector where the next one depends on the basis.
        steps: how many steps to make at most.
        tolerance: the largest overlap of two vectors, at most 1e-8.
        update: a function of the number of products that were made, or None.
        krylov: Krylov of one vector at a time, whose rows are a JAX array with zeros beyond those in use. They are used
            up.
    """
    capacity, first = len(krylov.rows), len(krylov.matrix)
    last = min(first + steps, capacity, first + krylov.left)
    unused = (0, capacity - first)
    overlaps = np.zeros((first, first)) if krylov.overlaps is None else krylov.overlaps
    R, W = (jnp.asarray(np.pad(matrix, (unused, unused))) for matrix in (krylov.matrix, overlaps))
    whole = jnp.array(krylov.first == 0)
    again = jnp.asarray(np.zeros(capacity, bool) if krylov.again is None else krylov.again)
    state = State(krylov.rows, R, W, jnp.asarray(krylov.rest[0]), jnp.array(first), whole, again, jnp.array(False))
    while state.size < last:
        if state.lost:  # what is left of the next vector is rounding
            random = jnp.asarray(generator.standard_normal(len(state.rest)))
            state = state._replace(rest=random, whole=jnp.array(True), lost=jnp.array(False))
        state = _advanced(product, state, last, np.float64(krylov.scale), tolerance, krylov.always)
        check_finite(np.asarray(state.matrix))
    if update is not None:
        update(last - first)
    R, W = (np.array(matrix)[:last, :last] for matrix in (state.matrix, state.overlaps))
    return krylov._replace(
        rows=state.rows,
        matrix=R,
        rest=state.rest[None],
        left=krylov.left - (last - first),
        first=last - 1,
        overlaps=W,
        again=np.array(state.again),
    )


@functools.partial(jax.jit, donate_argnums=1)
def _advanced(product, state, last, scale, tolerance, always):
    """Return the State after steps up to `last` rows, or fewer if the next vector depends on the basis."""

    def going(state):
        return (state.size < last) & ~state.lost

    return jax.lax.while_loop(going, functools.partial(_step, product, scale, tolerance, always), state)


def _step(product, scale, tolerance, always, state):
    Q, R, W, x, size, whole, again, _ = state
    rows, newest = jnp.arange(len(Q)), jnp.maximum(size - 1, 0)
    used, noise = rows < size, _NOISE * jnp.maximum(scale, abs(R).max())
    length = jnp.sqrt(x @ x)
    divisor = jnp.where(length == 0, 1.0, length)
    drift = R.T @ W[newest] + R[newest] - W @ R[:, newest] - R[:, newest]
    drift = jnp.where(rows == newest, 0.0, drift)  # that component was taken away
    estimate = jnp.where(used, drift + jnp.where(drift < 0, -noise, noise), 0.0) / divisor
    grown = abs(estimate).max() > tolerance
    treated = used & (whole | (rows < always) | again | (grown & (abs(estimate) > _GROWN)))
    branch = jnp.where(treated.sum() > _MANY, 2, treated.any().astype(int))
    taken, kept, q = jax.lax.switch(branch, [_as_it_is, _beside_some, _beside_all], Q, x / divisor, treated)
    w = jnp.where(treated | (used & (branch == 2)), _NOISE, estimate)
    lost = (length <= noise) | ~(kept > _LOST)
    Q = jax.lax.dynamic_update_index_in_dim(Q, jnp.where(lost, 0.0, q), size, 0)
    image = product(q)
    column, rest = jax.lax.cond(whole, _of_all, functools.partial(_of_two, newest, size), Q, image)
    column = jnp.where(rows <= size, column, 0.0)
    # What the product with the row before has on this one and, through it, on all others. A restart left that to us.
    across = jnp.where(whole, column, jnp.where(rows == newest, length * kept, 0.0))
    before = R[:, newest] + jnp.where(whole, 0.0, length * taken)
    R = R.at[:, newest].set(before).at[size].set(across).at[:, size].set(column)
    R, w = jnp.where(lost, state.matrix, R), jnp.where(lost, 0.0, w)
    W = W.at[size].set(w).at[:, size].set(w)
    return State(
        Q, R, W, rest, jnp.where(lost, size, size + 1), jnp.array(False), treated & grown & ~again.any() & ~whole, lost
    )


def _as_it_is(Q, q, _):
    return jnp.zeros(len(Q)), jnp.ones(()), q


def _beside_all(Q, q, _):
    """Return the components of q on the basis, the length of what is left without them, and that, of length 1."""
    taken = Q @ q
    return taken, *_of_length_one(q - taken @ Q)


def _beside_some(Q, q, treated):
    """Return the same for some rows of the basis."""
    order = jnp.argsort(~treated, stable=True)

    def step(i, carry):
        taken, q = carry
        row = Q[order[i]]
        part = row @ q
        return taken.at[order[i]].set(part), q - part * row

    taken, q = jax.lax.fori_loop(0, treated.sum(), step, (jnp.zeros(len(Q)), q))
    return taken, *_of_length_one(q)


def _of_length_one(q):
    length = jnp.sqrt(q @ q)
    return length, q / jnp.where(length == 0, 1.0, length)


def _of_all(Q, image):
    """Return the components of a product on all rows, and the rest."""
    t = Q @ image
    return t, image - t @ Q


def _of_two(newest, size, Q, image):
    """Return the components on the last two rows, which are all but for rounding, and the rest."""
    before, own = Q[newest] @ image, Q[size] @ image
    rest = image - own * Q[size] - jnp.where(newest == size, 0.0, before) * Q[newest]
    return jnp.zeros(len(Q)).at[newest].set(before).at[size].set(own), rest


def exact_ritz(krylov):
    """Return the fields of `krylov_bases.Ritz`, with S^T Q orthonormal.

    The overlaps are measured, which is done at every restart, since estimates go wrong in the course of several. Then

        Q H Q^T = G R + Q x e^T,    G = Q Q^T,

    and the Ritz values theta are those of this matrix beside G. Without its components on Q, x is x' with

        H Q^T s = theta Q^T s + x' (e^T s),

    so that nothing but rounding is lost. Where vectors of Q depend on each other, m < j.
    """
    size, known, x = len(krylov.matrix), krylov.known, krylov.rest[0]
    Q, x = (np.asarray(part) if jax.default_backend() == "cpu" else part for part in (krylov.rows, x))
    overlaps, new, inside = np.eye(size), np.asarray(Q[known:size] @ Q[:size].T), np.asarray(Q[:size] @ x)
    overlaps[known:], overlaps[:, known:] = new, new.T
    matrix = overlaps @ krylov.matrix
    matrix[:, -1] += inside
    lengths, axes = np.linalg.eigh(overlaps)
    whitened = (axes / np.sqrt(np.maximum(lengths, _DEPENDENT)))[:, lengths > _DEPENDENT]
    values, vectors = np.linalg.eigh(whitened.T @ (matrix + matrix.T) @ whitened / 2)
    outside, vectors = jnp.asarray(x - (whitened @ (whitened.T @ inside)) @ Q[:size]), whitened @ vectors
    return values, vectors, abs(vectors[-1]) * float(jnp.linalg.norm(outside)), outside[None]


def rotated(rows, chosen, columns):
    """Return a basis (capacity, p) that begins with chosen @ Q, with zeros beyond.

    Args:
        rows: (capacity, p), of which the first j are Q. They are used up.
        chosen: (k, j), NumPy.
        columns: how many columns of the basis to turn at a time, so that there is no second one.
    """
    padded = np.pad(chosen, [(0, 0), (0, len(rows) - chosen.shape[1])])
    return _rotated(rows, jnp.asarray(padded), min(columns, rows.shape[1]))


@functools.partial(jax.jit, donate_argnums=0, static_argnums=2)
def _rotated(rows, chosen, width):
    p = rows.shape[1]

    def turn(i, rows):
        begin = jnp.minimum(i * width, p - width)
        old = jax.lax.dynamic_slice_in_dim(rows, begin, width, 1)
        new = jnp.pad(chosen @ old, [(0, len(rows) - len(chosen)), (0, 0)])
        # The last block overlaps the one before, whose columns have been turned.
        new = jnp.where(jnp.arange(width) >= i * width - begin, new, old)
        return jax.lax.dynamic_update_slice_in_dim(rows, new, begin, 1)

    return jax.lax.fori_loop(0, -(-p // width), turn, rows)
