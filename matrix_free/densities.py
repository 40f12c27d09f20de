"""Where the eigenvalues of a symmetric matrix lie that is known by its products only: stochastic Lanczos quadrature.

For a random unit vector v, uniform on the sphere, the mean of v^T f(H) v is tr f(H) / p. Lanczos' recurrence gives it
by Gauss' quadrature (Lin, Saad and Yang 2016; Ubaru, Chen and Saad 2017):

    v^T f(H) v ~ sum_j w_j f(theta_j),    T = S diag(theta) S^T,    w_j = S_1j^2

Here T is the tridiagonal matrix of `recurrences`. The sum is exact for polynomials f of degree 2 steps - 1.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.special

import checks
from matrix_free.checked_products import LONG, VERY_LONG, checked, generator, rows_at_once
from matrix_free.estimates import LEVEL, Estimate, from_samples
from matrix_free.operators import reduction, traceable
from matrix_free.ranges import coordinates_with_rest, with_rest
from matrix_free.recurrences import traced_tridiagonals, tridiagonals

_ROUNDING = 1e-10  # relative to the largest node: how far rounding may move the spectrum that Lanczos' recurrence sees


class Density(NamedTuple):
    """The spectrum of H as every probe sees it: weights at nodes, in increasing order. Its mean stands for H."""

    nodes: np.ndarray  # theta (probes, steps)
    weights: np.ndarray  # w (probes, steps); each row adds up to 1
    p: int  # number of eigenvalues
    couplings: np.ndarray  # beta S_1j S_mj (probes, steps), where beta is the last of the recurrence, see `_bounds`


def spectral_density(operator, p, probes=10, steps=50, key=None, bar=None):
    """Return the Density of the eigenvalues of a symmetric matrix H, from probes * steps products.

    `counts_below`, `smoothed` and `distance` read it. The largest and the smallest eigenvalues are among the nodes,
    and may be there several times. All probes advance at once. They take 40 numbers for each parameter and probe, or
    fewer probes at a time where memory is short. For p above 200 000 and an operator of this project, the products
    are made in the coordinates that H sees (`ranges`), if there are far fewer than p. The numbers are the same.

    Args:
        operator: V (b, p) -> V H (b, p), of NumPy or JAX arrays, such as `matrix_free.loss_operator` returns.
        p: number of rows of H.
        probes: number of random vectors. The error by chance falls as the square root of probes * p.
        steps: number of nodes for each. The resolution is about the spectrum's width / steps, and finer at its ends.
        key: `jax.random` key of the probes, by default that of seed 0.
        bar: a `tqdm.tqdm`, which is told the number of products.

    Returns:
        Density. If a probe meets fewer different eigenvalues than steps, its last nodes have weight 0.

    Raises:
        TypeError: for a p, probes or steps that is not an integer.
        ValueError: if one of them is below one. Also for an operator that returns NaN, infinity, another shape or
            dtype, or that is not symmetric (`ranks.NotSymmetricError`). And for eigenvalues near 1e-150 or 1e150, whose
            squares under- or overflow.

    Example:
        >>> import numpy as np
        >>> from matrix_free import counts_below, spectral_density
        >>> H = np.diag(np.repeat([-1.0, 0.0, 2.0], [100, 700, 200]))
        >>> density = spectral_density(lambda V: V @ H, p=1000, steps=5)
        >>> density.nodes[0, :3].round(6).tolist()
        [-1.0, 0.0, 2.0]
        >>> below = counts_below(density, [-0.5, 0.5])  # 100 and 800
        >>> below.low <= [100, 800], [100, 800] <= below.high
        (array([ True,  True]), array([ True,  True]))
    """
    p, probes, steps = checks.integer("p", p), checks.integer("probes", probes), checks.integer("steps", steps)
    multiply, numbers, rows, found = checked(operator, p, bar), generator(key), rows_at_once(p), []
    smaller = reduction(operator) if p > VERY_LONG else None
    # For short vectors compiling takes longer than it saves.
    product = with_rest(smaller) if smaller is not None else traceable(operator) if p > LONG else None
    for begin in range(0, probes, rows):
        start = numbers.standard_normal((min(rows, probes - begin), p))
        start /= np.linalg.norm(start, axis=1, keepdims=True)
        if smaller is not None:
            start = coordinates_with_rest(smaller, start)
        if product is None:
            alpha, beta, sizes = tridiagonals(multiply, start, steps)
        else:
            alpha, beta, sizes = traced_tridiagonals(product, start, steps, None if bar is None else bar.update)
        found += [_quadrature(*row) for row in zip(alpha, beta, sizes, strict=True)]
    nodes, weights, residuals = (np.array(part) for part in zip(*found, strict=True))
    return Density(nodes, weights, p, residuals)


def counts_below(density, x):
    """Return Estimates of N(x), the number of eigenvalues that are at most x.

    Two things are uncertain. What one probe v says, v^T P v for the projection P on the eigenvalues up to x, is known
    within rigorous bounds (but for rounding),

        sum_{i < j} w_i  <=  v^T P v  <=  sum_{i <= j + 1} w_i,    theta_j <= x < theta_{j + 1},

    by the inequalities of Chebyshev, Markov and Stieltjes. Outside the spectrum and in its gaps `_bounds` has better
    ones. How far the probes' mean is from N / p is chance. For one probe the number has Beta's distribution, with the
    mean c = N / p and the variance 2 c (1 - c) / (p + 2). The interval is Wilson's for such a variance.

    Many equal eigenvalues, such as zeros, are counted or not as rounding will have it. There the interval is wide. So
    ask beside them. Over 100 random spectra with three settings, more than 99 % of all intervals held the true number.

    Args:
        density: Density.
        x: number, or an array of numbers.

    Returns:
        Estimate of arrays of x's shape, at 95 % for each x by itself. The ends are integers.

    Raises:
        ValueError: for NaN or infinity.
    """
    x = np.asarray(x, float)
    checks.finite(x=x)
    bounds = [_bounds(*row, x) for row in zip(density.nodes, density.weights, density.couplings, strict=True)]
    lower, upper = (sum(part) / len(bounds) for part in zip(*bounds, strict=True))
    effective = len(bounds) * (density.p + 2) / 2
    low, high = _wilson(lower, effective)[0], _wilson(upper, effective)[1]
    # A little less and more, since rounding may have moved an integer.
    low, high = np.floor(density.p * low - 1e-6), np.ceil(density.p * high + 1e-6)
    return Estimate(density.p * (lower + upper) / 2, np.maximum(low, 0), np.minimum(high, density.p))


def smoothed(density, x, width):
    """Return Estimates of the density of the eigenvalues, blurred by a Gaussian of standard deviation `width`.

        rho(x) = mean over all eigenvalues of exp(-(x - lambda)^2 / (2 width^2)) / (sqrt(2 pi) width)

    Its integral is one. The interval is Student's, from the spread of the probes. It does not know of the distance
    between the nodes, so `width` should be larger than that.

    Args:
        density: Density.
        x: number, or an array of numbers.
        width: number above zero.

    Returns:
        Estimate of arrays of x's shape. With one probe the upper ends are infinite.

    Raises:
        TypeError, ValueError: for a width that is not a number above zero.
    """
    width = checks.number("width", width, np.finfo(float).tiny, np.inf)
    x = np.asarray(x, float)[..., None]
    rows = []
    for nodes, weights in zip(density.nodes, density.weights, strict=True):
        heights = np.exp(-(((x - nodes) / width) ** 2) / 2) / ((2 * np.pi) ** 0.5 * width)
        rows.append(heights @ weights)
    rows = np.array(rows)
    deviation = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.ones(rows.shape[1:])
    found = from_samples(rows.mean(axis=0), deviation, len(rows))
    return found._replace(low=np.maximum(found.low, 0.0))


def distance(density, eigenvalues, multiplicities=None):
    """Return how far a Density is from a known spectrum: Wasserstein's distance, relative to the largest |eigenvalue|.

        W = integral of |F(x) - G(x)| dx,    F, G = the shares of eigenvalues that are at most x

    It is the mean distance by which eigenvalues have to move for one spectrum to become the other.

    Args:
        density: Density; the mean of its probes is compared.
        eigenvalues: array of numbers.
        multiplicities: array of their multiplicities, 1 each by default.
    """
    eigenvalues = np.asarray(eigenvalues, float)
    scale = abs(eigenvalues).max() or 1.0
    copies = np.ones(len(eigenvalues)) if multiplicities is None else np.asarray(multiplicities, float)
    points = np.concatenate([density.nodes.ravel(), eigenvalues]) / scale
    jumps = np.concatenate([density.weights.ravel() / len(density.weights), -copies / copies.sum()])
    order = np.argsort(points)
    return float(abs(np.cumsum(jumps[order])[:-1]) @ np.diff(points[order]))


def _quadrature(alpha, beta, size):
    """Return the nodes, weights and couplings of one probe; the last node, with weight 0, fills up the rows."""
    nodes, vectors = scipy.linalg.eigh_tridiagonal(alpha[:size], beta[: size - 1])
    couplings, weights = beta[size - 1] * vectors[0] * vectors[-1], vectors[0] ** 2
    rest = 0, len(alpha) - size
    return np.pad(nodes, rest, mode="edge"), np.pad(weights / weights.sum(), rest), np.pad(couplings, rest)


def _bounds(nodes, weights, couplings, x):
    """Return a lower and an upper bound of v^T P v for one probe v, where P projects on the eigenvalues up to x.

    The probe is v = sum_i S_1i y_i, with Ritz vectors y_i whose residuals H y_i - theta_i y_i = beta S_mi z all have
    the direction of one unit vector z. Let u = sum_{theta_i <= x} S_1i y_i. An eigenvector to lambda has in P v - u
    the part it has in z, times the sum over the nodes on the other side of x of

        beta S_1i S_mi / (lambda - theta_i)

    Each term is at most |beta S_1i S_mi| / |x - theta_i|. So |P v - u| is at most e, the larger of the two sums of
    these, over the nodes below x and over those above, and |P v| lies between |u| - e and |u| + e. If all nodes lie on
    one side, the sum falls as lambda moves away from them, and e is its size at lambda = x, signs included.
    """
    sums, last = np.concatenate([[0.0], np.cumsum(weights)]), len(nodes)
    scale = abs(nodes).max()
    rounding = np.finfo(float).eps * scale * weights**0.5
    found = []
    for sign in (-1, 1):
        moved = x + sign * _ROUNDING * scale
        count = np.searchsorted(nodes, moved, side="right")
        markov = sums[np.maximum(count - 1, 0)] if sign < 0 else sums[np.minimum(count + 1, last)]
        gaps = moved[..., None] - nodes
        with np.errstate(divide="ignore", invalid="ignore"):  # at a node, where the other bound is the better one
            signed, noise = (np.nan_to_num(part / gaps, nan=0.0, posinf=np.inf) for part in (couplings, rounding))
        sizes, below = abs(signed) + abs(noise), gaps >= 0
        error = np.maximum(np.where(below, sizes, 0.0).sum(-1), np.where(below, 0.0, sizes).sum(-1))
        outside = (count == 0) | (count == last)
        error = np.where(outside, abs(signed.sum(-1)) + abs(noise).sum(-1), error)
        gap = np.clip(sums[count] ** 0.5 + sign * error, 0, 1) ** 2
        found.append(np.maximum(markov, gap) if sign < 0 else np.minimum(markov, gap))
    return np.clip(found, 0, 1)


def _wilson(share, count):
    """Return the ends of Wilson's interval for a probability, from the share among `count` independent trials."""
    z2 = scipy.special.ndtri((1 + LEVEL) / 2) ** 2
    middle = share + z2 / (2 * count)
    half = np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2)))
    return (middle - half) / (1 + z2 / count), (middle + half) / (1 + z2 / count)
