"""Trace, Frobenius norm, effective rank and diagonal of a symmetric matrix that is known by its products only.

The method is Hutch++ (Meyer, Musco, Musco and Woodruff 2021). A third of the products are images of random vectors,
and the rows of Q (k, p) are an orthonormal basis of these. They hold most of the large eigenvalues' eigenvectors. A
second third makes Q H, from which the part of H on Q is exact. The last third samples the rest by random vectors g
orthogonal to Q, uniform on the sphere of radius sqrt(d), where d = p - k. For any symmetric B,

    E g^T B g = tr B',    Var g^T B g = 2 d / (d + 2) (|B'|_F^2 - (tr B')^2 / d),    B' = (I - Q^T Q) B (I - Q^T Q)

The intervals are Student's, with the larger of two estimates of the variance: the samples' own, and this formula with
an estimate of |B'|_F^2. For 400 random spectra, p from 5 to 2000, and 12 to 300 products, either variance alone gave
intervals that held the exact value in 92 to 98 % of all cases. With the larger one it was 96 % or more.
"""

import functools
from typing import NamedTuple

import numpy as np

import checks
from counting import default_rtol
from matrix_free.checked_products import (
    BLOCK,
    VERY_LONG,
    check_symmetric,
    checked,
    generator,
    identity_images,
    rows_at_once,
)
from matrix_free.estimates import Estimate, from_samples
from matrix_free.operators import reduction
from matrix_free.ranges import of_rows

_FEWEST = 6  # two images and two samples


class _Sampled(NamedTuple):
    """The part of H on Q, and samples of the rest; no samples if H was formed."""

    trace: float  # tr Q H Q^T
    square: float  # |Q H|_F^2
    traces: np.ndarray  # (m,), g^T H g
    squares: np.ndarray  # (m,), |H g|^2 = g^T H^2 g
    rest: float  # mean |B g|^2 for the projected H: estimates |B'|_F^2 for B = H
    pairs: float  # mean (g_i^T H^2 g_j)^2 over pairs: estimates the same for B = H^2
    dimension: int  # d
    size: float  # what rounding of the trace is relative to


def trace(operator, p, products=100, key=None, bar=None):
    """Return an Estimate of the trace, the sum of the eigenvalues.

    For p above 200 000 and an operator of this project, it is that of H in the coordinates that it sees (`ranges`), if
    there are far fewer than p.

    Args:
        operator: V (b, p) -> V H (b, p), of NumPy or JAX arrays, such as `matrix_free.loss_operator` returns.
        p: number of rows of H.
        products: how many products to make at most, at least 6. With p or more, or as many as there
            are such coordinates, the trace is exact.
        key: `jax.random` key of the random vectors, by default that of seed 0.
        bar: a `tqdm.tqdm`, which is told the number of products.

    Returns:
        Estimate. The interval of an exact trace has the width of rounding.

    Raises:
        TypeError: for a p or a number of products that is not an integer.
        ValueError: for a p below one or fewer than 6 products. Also for an operator that returns NaN, infinity, another
            shape or dtype, or that is not symmetric (`ranks.NotSymmetricError`).

    Example:
        >>> import numpy as np
        >>> from matrix_free import trace
        >>> H = np.diag(1.0 / np.arange(1, 1001) ** 2)
        >>> found = trace(lambda V: V @ H, p=1000, products=99)
        >>> bool(found.low <= H.trace() <= found.high), bool(found.high - found.low < 0.02)
        (True, True)
    """
    return _trace(_sampled(operator, p, products, key, bar), p)


def squared_norm(operator, p, products=100, key=None, bar=None):
    """Return an Estimate of |H|_F^2, the sum of the squared eigenvalues. Arguments and errors as in `trace`."""
    return _squared_norm(_sampled(operator, p, products, key, bar), p)


def effective_rank(operator, p, products=100, key=None, bar=None):
    """Return an Estimate of how many eigenvalues make up the spectrum of a positive semidefinite H, such as H_o.

        (tr H)^2 / |H|_F^2 = (sum_i lambda_i)^2 / sum_i lambda_i^2

    It is k if k eigenvalues are equal and the others zero, and at most the rank. Small eigenvalues hardly count. If H
    has eigenvalues of both signs, they cancel in the sum, and the number says how far.

    Both sums come from the same products. The interval holds all quotients of numbers from their intervals, so that it
    is wider than need be. Arguments and errors are those of `trace`. A zero matrix has an effective rank of 0.
    """
    found = _sampled(operator, p, products, key, bar)
    total, square = _trace(found, p), _squared_norm(found, p)
    if square.high <= 0:
        return Estimate(0.0, 0.0, 0.0)
    least = 0.0 if total.low <= 0 <= total.high else min(abs(total.low), abs(total.high))
    most = max(abs(total.low), abs(total.high))
    low = least**2 / square.high
    high = min(float(p), most**2 / square.low) if square.low > 0 else float(p)
    return Estimate(float(np.clip(total.value**2 / square.value, low, high)) if square.value > 0 else low, low, high)


def diagonal(operator, p, products=100, key=None, bar=None):
    """Return Estimates of the p diagonal entries.

    For signs g (p,), random and independent, the mean of g_i (B g)_i is B_ii. Here B is what is left of H outside Q.
    The intervals are Student's, for each entry by itself. Arguments and errors are those of `trace`.

    Returns:
        Estimate of arrays (p,).
    """
    multiply, p, products, numbers = _checked(operator, p, products, key, bar)
    if products >= p:
        value, norms = np.empty((2, p))
        for block, rows in identity_images(multiply, p):
            value[block] = rows[np.arange(len(rows)), np.arange(p)[block]]
            norms[block] = np.linalg.norm(rows, axis=1)
        half = default_rtol(p) * norms
        return Estimate(value, value - half, value + half)
    Q = _basis(multiply, p, products, numbers)
    images = _images(multiply, Q)
    # H = P H + H P - P H P + (I - P) H (I - P) with P = Q^T Q
    exact = 2 * (Q * images).sum(0) - (Q * ((images @ Q.T) @ Q)).sum(0)
    count, mean, spread = 0, np.zeros(p), np.zeros(p)
    for width in _widths(products - 2 * len(Q), p):
        signs = numbers.choice([-1.0, 1.0], (width, p))
        outside = signs - (signs @ Q.T) @ Q
        products_outside = np.asarray(multiply(outside))
        if count == 0:
            check_symmetric(outside, products_outside)
        products_outside = products_outside - (products_outside @ Q.T) @ Q
        for sample in signs * products_outside:
            count += 1
            step = sample - mean
            mean += step / count
            spread += step * (sample - mean)  # Welford's sum of squared deviations
    found = from_samples(exact + mean, (spread / (count - 1)) ** 0.5, count)
    rounding = default_rtol(p) * (abs(images).max(initial=0.0) + abs(found.value))
    return Estimate(found.value, found.low - rounding, found.high + rounding)


def _trace(found, p):
    """Return the Estimate of the trace."""
    rounding = default_rtol(p) * found.size
    if not len(found.traces):
        return Estimate(found.trace, found.trace - rounding, found.trace + rounding)
    mean, low, high = _mean(found.traces, found.rest, found.dimension)
    return Estimate(
        float(found.trace + mean), float(found.trace + low - rounding), float(found.trace + high + rounding)
    )


def _squared_norm(found, p):
    """Return the Estimate of the squared norm. It is not below the part that is exact."""
    mean, low, high = _mean(found.squares, found.pairs, found.dimension) if len(found.squares) else (0.0, 0.0, 0.0)
    rounding = default_rtol(p) * (found.square + mean)
    low = max(found.square + max(low, 0.0) - rounding, 0.0)
    return Estimate(float(found.square + mean), float(low), float(found.square + high + rounding))


def _mean(samples, square, d):
    """Return the Estimate of tr B' from samples of g^T B g, where `square` estimates |B'|_F^2."""
    mean = samples.mean()
    by_formula = 2 * d / (d + 2) * max(square - mean**2 / d, 0.0)
    return Estimate(*map(float, from_samples(mean, max(samples.var(ddof=1), by_formula) ** 0.5, len(samples))))


def _sampled(operator, p, products, key, bar):
    """Return what the trace and the norm are estimated from."""
    multiply, p, products, numbers = _checked(operator, p, products, key, bar)
    smaller = reduction(operator) if p > VERY_LONG else None
    if smaller is not None:  # which has the same eigenvalues, but for zeros
        p, multiply = smaller.size, checked(functools.partial(of_rows, smaller.product), smaller.size, bar)
    if products >= p:
        total = square = size = 0.0
        for block, rows in identity_images(multiply, p):
            total += rows[np.arange(len(rows)), np.arange(p)[block]].sum()
            square += (rows**2).sum()
            size += np.linalg.norm(rows, axis=1).sum()
        return _Sampled(float(total), float(square), np.zeros(0), np.zeros(0), 0.0, 0.0, 0, float(size))
    Q = _basis(multiply, p, products, numbers)
    images, d = _images(multiply, Q), p - len(Q)
    exact, square = (Q * images).sum(), (images**2).sum()
    size = np.linalg.norm(images, axis=1).sum()
    del images
    traces, squares, rests, pairs = [], [], [], []
    for width in _widths(products - 2 * len(Q), p):
        g = numbers.standard_normal((width, p))
        g -= (g @ Q.T) @ Q
        g *= d**0.5 / np.linalg.norm(g, axis=1, keepdims=True)
        Hg = np.asarray(multiply(g))
        if not traces:
            check_symmetric(g, Hg)
        gram, inside = Hg @ Hg.T, Hg @ Q.T
        traces += list((g * Hg).sum(1))
        squares += list(np.diag(gram))
        rests += list(np.diag(gram) - (inside**2).sum(1))
        pairs += list(gram[np.triu_indices(width, 1)] ** 2)
    size += np.mean(squares) ** 0.5 * d**0.5
    pairs = np.mean(pairs) if pairs else 0.0  # a block of one vector has no pairs
    return _Sampled(exact, square, np.array(traces), np.array(squares), np.mean(rests), pairs, d, size)


def _checked(operator, p, products, key, bar):
    """Return the product, p, the number of products and the random numbers, after checks."""
    p, products = checks.integer("p", p), checks.integer("products", products, minimum=_FEWEST)
    return checked(operator, p, bar), p, products, generator(key)


def _basis(multiply, p, products, numbers):
    """Return Q (k, p), with k a third of the products, or fewer if 4 k vectors do not fit in memory."""
    rows = min(products // 3, checks.free_memory() // (4 * 8 * p))
    if rows == 0:
        return np.empty((0, p))
    start = numbers.standard_normal((rows, p))
    images = _images(multiply, start)
    check_symmetric(start[:BLOCK], images[:BLOCK])
    del start
    return np.ascontiguousarray(np.linalg.qr(images.T)[0].T)


def _images(multiply, vectors):
    """Return the products of the rows, a block at a time, as a NumPy array."""
    images, begin = np.empty_like(vectors), 0
    for width in _widths(*vectors.shape):
        images[begin : begin + width] = multiply(vectors[begin : begin + width])
        begin += width
    return images


def _widths(rows, p):
    """Return the numbers of vectors of the blocks that make up so many rows: at most two different ones."""
    width = rows_at_once(p)
    return [width] * (rows // width) + [rows % width] * (rows % width > 0)
