"""Lanczos' recurrence for a block of vectors, each for itself, of which only two at a time are kept.

    beta_j v_{j+1} = H v_j - alpha_j v_j - beta_{j-1} v_{j-1},    alpha_j = v_j^T H v_j,    |v_j| = 1

The numbers alpha and beta are the entries of the tridiagonal matrix T = V^T H V. No basis V is stored, nor made
orthogonal again. In floating point numbers T is then that of exact arithmetic for a larger matrix, whose eigenvalues
are within rounding of those of H (Greenbaum 1989). An eigenvalue of H may appear in T several times.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from matrix_free.checked_products import check_finite, check_symmetric
from matrix_free.operators import one_by_one

_ROUNDING = 10 * np.finfo(float).eps  # a beta below so much of the largest entry of T is zero

_LEAST = 1e-150  # of the eigenvalues, so that their squares have all digits

_STEPS = 10  # in one call of a compiled function, between two looks at the progress


class Tridiagonals(NamedTuple):
    """The entries of T for every vector. From the first beta that is zero, what follows means nothing."""

    alpha: np.ndarray  # (b, steps)
    beta: np.ndarray  # (b, steps); the last is the norm of what the last product has outside the basis
    sizes: np.ndarray  # (b,), int: number of rows of T


def tridiagonals(multiply, start, steps):
    """Return the Tridiagonals of a block of unit vectors.

    The vectors stay where the operator returns them: on the accelerator if it returns JAX arrays.

    Args:
        multiply: V (b, p) -> V H (b, p), of NumPy or JAX arrays.
        start: (b, p) NumPy array, rows of length 1.
        steps: number of products with each vector, at least 1. Fewer are made if every beta is zero.
    """
    alpha, beta = np.zeros((2, len(start), steps))
    current, previous, last = start, 0.0 * start, np.zeros((len(start), 1))
    for j in range(steps):
        images = multiply(current)
        if j == 1:  # H times the vectors before is known: alpha times them and beta times the current ones
            first, second = np.asarray(previous[0]), np.asarray(current[0])
            known = alpha[0, 0] * first + beta[0, 0] * second
            check_symmetric(np.stack([first, second]), np.stack([known, np.asarray(images[0])]))
        advance = _advance_jax if isinstance(images, jax.Array) else _advance
        with np.errstate(over="ignore"):  # the squares of large numbers: `_check_range` has a message
            a, last, following = advance(images, current, previous, last)
        current, previous = following, current
        alpha[:, j], beta[:, j] = np.asarray(a)[:, 0], np.asarray(last)[:, 0]
        if _ended(alpha[:, : j + 1], beta[:, : j + 1]).any(axis=1).all():
            break
    return _until_zero(alpha, beta)


def traced_tridiagonals(product, start, steps, update=None):
    """Return the Tridiagonals of unit vectors, by compiled functions that make several steps in one call.

    This saves the time in which every step asks for memory anew, at p = 1e6 as long as a product. On a CPU one vector
    goes after the other, which takes the least memory. Elsewhere all go at once.

    Args:
        product: v (p,) -> H v, a pytree, as `operators.traceable` returns.
        start, steps: as in `tridiagonals`.
        update: a function of the number of products that were just made.
    """
    groups = jnp.asarray(start)[:, None] if one_by_one() else jnp.asarray(start)[None]
    found = [_of_group(product, group, steps, update) for group in groups]
    return _until_zero(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _of_group(product, group, steps, update):
    """Return alpha and beta (b, steps) of a few vectors that advance at once."""
    state = group, jnp.zeros_like(group), jnp.zeros(len(group))
    alpha, beta = np.zeros((2, len(group), steps))
    vectors, done = [], 0
    while done < steps and not _ended(alpha[:, :done], beta[:, :done]).any(axis=1).all():
        count = 1 if done < 2 else min(_STEPS, steps - done)
        vectors = [np.array(state[0][0]), *vectors] if done < 2 else []
        a, b, state = _steps(product, state, count)
        alpha[:, done : done + count], beta[:, done : done + count] = (np.asarray(part)[:, :count] for part in (a, b))
        check_finite(a)  # if beta alone is infinite, squares overflow: `_check_range`
        done += count
        if update is not None:
            update(count * len(group))
        if done == 2:
            second, first = vectors
            third = np.asarray(state[0][0])
            (a_1, a_2), (b_1, b_2) = alpha[0, :2], beta[0, :2]
            check_symmetric(
                np.stack([first, second]),
                np.stack([a_1 * first + b_1 * second, b_1 * first + a_2 * second + b_2 * third]),
            )
    return alpha, beta


@functools.partial(jax.jit, donate_argnums=1)
def _steps(product, state, count):
    """Return alpha and beta (b, _STEPS) of up to _STEPS steps and the state after them."""

    def step(j, carry):
        state, alpha, beta = carry
        state, a, b = together(functools.partial(_step, product))(state)
        return state, alpha.at[:, j].set(a), beta.at[:, j].set(b)

    # A product with a block of one vector takes twice the time of one with a vector.
    together = jax.vmap if len(state[0]) > 1 else _alone
    zeros = jnp.zeros((len(state[0]), _STEPS))
    state, alpha, beta = jax.lax.fori_loop(0, count, step, (state, zeros, zeros))
    return alpha, beta, state


def _step(product, state):
    current, previous, last = state
    image = product(current)
    alpha = image @ current
    rest = image - alpha * current - last * previous
    beta = jnp.sqrt(rest @ rest)
    return (rest / jnp.where(beta == 0, 1.0, beta), current, beta), alpha, beta


def _alone(function):
    """Return a function of a block of one, as `jax.vmap` does."""

    def of_block(block):
        return jax.tree.map(lambda x: x[None], function(jax.tree.map(lambda x: x[0], block)))

    return of_block


def _ended(alpha, beta):
    """Return where a beta is zero, to rounding, bool (b, steps)."""
    return beta <= _ROUNDING * np.maximum.accumulate(abs(alpha) + beta, axis=1)


def _until_zero(alpha, beta):
    """Return the Tridiagonals that end at the first beta that is zero."""
    _check_range(alpha, beta)
    ended = _ended(alpha, beta)
    sizes = np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, ended.shape[1])
    return Tridiagonals(alpha, np.where(ended, 0.0, beta), sizes)


def _check_range(alpha, beta):
    """Check that no square of a number as large as the eigenvalues over- or underflows."""
    largest = max(abs(alpha).max(), np.nan_to_num(beta, posinf=0.0).max())
    if np.isinf(beta).any() or 0 < largest < _LEAST:
        raise ValueError(
            f"eigenvalues of the size {largest:.0e} have squares that float64 cannot hold; multiply the matrix by a "
            "number so that they are nearer to 1"
        )


def _advance(images, current, previous, last):
    """Return alpha, beta and the next vectors. The arithmetic is that of NumPy, or of JAX, whose arrays these are."""
    alpha = (images * current).sum(1, keepdims=True)
    rest = images - alpha * current - last * previous
    beta = (rest * rest).sum(1, keepdims=True) ** 0.5
    return alpha, beta, rest / (beta + (beta == 0).astype(beta.dtype))


# For ten vectors of 1e6 numbers this takes two thirds of NumPy's time, and for 1e5 less than half.
_advance_jax = jax.jit(_advance)
