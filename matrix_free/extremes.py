"""The largest and the most negative eigenvalues of a symmetric matrix that is known by its products only."""

from typing import NamedTuple

import numpy as np

import checks
from counting import default_rtol
from matrix_free.checked_products import LONG, VERY_LONG, check_symmetric, checked, generator, identity_images
from matrix_free.krylov_bases import Ends, outermost
from matrix_free.operators import reduction, traceable
from matrix_free.ranges import of_rows

_SMALL = 400  # up to so many rows, or 8 k, the matrix is formed

_ENDS = {"both": (1, 1), "top": (0, 1), "bottom": (1, 0)}

_CAPACITY = 64  # vectors in the basis, or 4 k if that is more; with 160 there are a tenth fewer products


class Eigenpairs(NamedTuple):
    """Approximate eigenvalues and eigenvectors, H v = theta v, and what they are worth."""

    values: np.ndarray  # theta (k,)
    vectors: np.ndarray  # v (k, p), orthonormal rows
    errors: np.ndarray  # (k,); H has an eigenvalue within so much of theta
    converged: np.ndarray  # bool (k,); |H v - theta v| is within the tolerance


class Extremes(NamedTuple):
    """Both ends of a spectrum; an end that was not asked for has no eigenpairs."""

    top: Eigenpairs  # the largest eigenvalues, in decreasing order
    bottom: Eigenpairs  # the most negative, or smallest, in increasing order


def extreme_eigenvalues(operator, p, k, rtol=1e-6, key=None, products=5000, bar=None, ends="both", block=1):
    """Return the k largest and the k most negative eigenvalues of a symmetric matrix H, with their eigenvectors.

    Up to p = 400, or 8 k, H is formed from p products. Beyond, the method is a restarted Lanczos method
    (`krylov_bases`), at p max(64, 4 k) numbers. Its steps are compiled for p above 20 000 and the operators of this
    project (`compiled_bases`). Above 200 000 they run in the coordinates that H sees (`ranges`), if there are far fewer
    than p, as with few samples. The residuals are those of H itself.

    For k = 10 and H_L or H_f of a small network it takes 170 to 310 products. The smallest eigenvalues of H_o are zeros
    among many small ones, and take thousands: ask for its top.

    A residual norm bounds an error: H has an eigenvalue within |H v - theta v| of theta (Parlett, The Symmetric
    Eigenvalue Problem, 4.5). It does not show that none was missed. So a second search looks for more, such as the
    other copies of a repeated eigenvalue, and ends at residuals of 1e-3 |H|. What it leaves open, with a small
    probability, is an eigenvalue beyond the k-th by less than that.

    Where many eigenvalues lie closer together than rtol |H|, as those near zero do, their order is known to about
    that tolerance. The i-th of them may then differ from `values[i]` by more than `errors[i]`.

    Args:
        operator: V (b, p) -> V H (b, p), of NumPy or JAX arrays, such as `matrix_free.loss_operator` returns.
        p: number of rows of H.
        k: how many at each end, at most p.
        rtol: an eigenpair has converged when |H v - theta v| <= rtol |H|; at least 1e-13. |H| is the largest |theta|.
        key: `jax.random` key of the first vector, by default that of seed 0.
        products: how many products to make at most, unless H is formed.
        bar: a `tqdm.tqdm`, which is told the number of products.
        ends: 'both', 'top' or 'bottom'.
        block: how many vectors are multiplied at once. One takes the fewest products, eight two to four times as many.
            On an accelerator eight at once may still be faster.

    Returns:
        Extremes. If the products run out, the best pairs so far are returned, with `converged` False.

    Raises:
        TypeError: for a p, k, products or block that is not an integer, or a rtol that is not a number.
        ValueError: for a p, k, products or block that is too small, a k above p, or an unknown word for the ends. Also
            for an operator that returns NaN, infinity, another shape or dtype, or that is not symmetric
            (`ranks.NotSymmetricError`).
        MemoryError: if 4 k + 4 block vectors do not fit.

    Example:
        >>> import numpy as np
        >>> from matrix_free import extreme_eigenvalues
        >>> H = np.diag(np.concatenate([[5.0, 3.0, -2.0], np.zeros(997)]))
        >>> found = extreme_eigenvalues(lambda V: V @ H, p=1000, k=2)
        >>> found.top.values.round(6).tolist(), found.bottom.values[:1].round(6).tolist()
        ([5.0, 3.0], [-2.0])
    """
    p, k = checks.integer("p", p), checks.integer("k", k)
    if k > p:
        raise ValueError(f"k must be at most p = {p}, the number of eigenvalues, got {k}")
    rtol, block = checks.number("rtol", rtol, 1e-13, 1), checks.integer("block", block)
    products = checks.integer("products", products, minimum=4 * k + 4 * block)
    wanted = Ends(*(k * n for n in checks.choice("word for the ends", ends, _ENDS, hyperparameter="ends")))
    multiply, numbers = checked(operator, p, bar), generator(key)
    if p <= max(_SMALL, 8 * (k + block)):
        return _of_matrix(multiply, p, wanted, rtol)

    def host(vectors):
        return np.asarray(multiply(vectors))

    start = numbers.standard_normal((max(block, 2), p))
    check_symmetric(start, _images(host, start, block))
    left = products - len(start) - sum(wanted) - block  # for the residuals at the end
    update = None if bar is None else bar.update
    smaller = reduction(operator) if block == 1 and p > VERY_LONG else None
    if smaller is None:
        product, capacity = traceable(operator) if block == 1 and p > LONG else None, _capacity(p, p, k, block)
        vectors, scale = outermost(host, start[:block], wanted, rtol / 4, capacity, left, numbers, product, update)
    else:
        capacity = _capacity(smaller.size, p, k, block)
        vectors, scale = _in_fewer_coordinates(smaller, start[:1], wanted, rtol / 4, capacity, left, numbers, update)
    images = _images(host, vectors, block)
    values, rotation = _ritz(vectors, images)
    if smaller is not None:
        missing = max(wanted.low - (values < 0).sum(), wanted.high - (values > 0).sum())
        zeros = _unseen(smaller, min(missing, p - smaller.size), numbers)
        if len(zeros):
            vectors, images = np.concatenate([vectors, zeros]), np.concatenate([images, _images(host, zeros, block)])
            values, rotation = _ritz(vectors, images)
    ends = wanted.of(len(values))
    values, rotation = values[ends], rotation.T[ends]
    return _extremes(values, rotation @ vectors, rotation @ images, wanted, rtol, scale)


def _ritz(vectors, images):
    """Return eigenvalues and eigenvectors of H on the span of orthonormal rows."""
    matrix = vectors @ images.T
    return np.linalg.eigh((matrix + matrix.T) / 2)


def _in_fewer_coordinates(smaller, start, wanted, rtol, capacity, products, numbers, update):
    """Return the vectors and the scale of `krylov_bases.outermost`, found in the coordinates of a Reduction."""
    size = smaller.size
    wanted = Ends(*(min(count, size) for count in wanted))
    if size <= max(_SMALL, 8 * (max(wanted) + 1)):
        if update is not None:
            update(size)
        values, vectors = np.linalg.eigh(np.asarray(of_rows(smaller.product, np.eye(size))))
        chosen, scale = np.unique(wanted.of(size)), abs(values).max()
        vectors = vectors.T[chosen]
    else:
        start = np.asarray(of_rows(smaller.seen, start))
        vectors, scale = outermost(None, start, wanted, rtol, capacity, products, numbers, smaller.product, update)
    return np.concatenate([np.asarray(of_rows(smaller.whole, vector[None])) for vector in vectors]), scale


def _unseen(smaller, count, numbers):
    """Return orthonormal rows (count, p) in directions that H does not see: eigenvectors to zero."""
    random = numbers.standard_normal((max(count, 0), smaller.p))
    for row in random:
        row -= np.asarray(of_rows(smaller.whole, of_rows(smaller.seen, row[None])))[0]
    return np.ascontiguousarray(np.linalg.qr(random.T)[0].T)


def _of_matrix(multiply, p, wanted, rtol):
    """Return the Extremes of a matrix that fits in memory."""
    checks.memory(32 * p**2, f"the matrix of {p} rows is needed with its eigenvectors", "Choose a smaller k")
    H = np.empty((p, p))
    for block, rows in identity_images(multiply, p):
        H[block] = rows
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    ends = wanted.of(p)
    return _extremes(values[ends], vectors.T[ends], vectors.T[ends] @ H, wanted, rtol, abs(values).max())


def _extremes(values, vectors, images, wanted, rtol, scale):
    """Return the Extremes of eigenpairs in increasing order, with the products of the vectors, to an H of this size."""
    rows = zip(images, values, vectors, strict=True)  # one by one, since all at once would take more memory and time
    residuals = np.array([np.linalg.norm(image - value * vector) for image, value, vector in rows])
    rounding = default_rtol(vectors.shape[1]) * scale
    pairs = Eigenpairs(values, vectors, residuals + rounding, residuals <= rtol * scale)
    bottom = Eigenpairs(*(part[: wanted.low] for part in pairs))
    return Extremes(Eigenpairs(*(part[wanted.low :][::-1] for part in pairs)), bottom)


def _images(multiply, vectors, block):
    """Return the products of all rows, in blocks of one shape, for which a product is compiled once."""
    images = np.empty_like(vectors)
    for begin in range(0, len(vectors), block):
        rows = np.minimum(begin + np.arange(block), len(vectors) - 1)
        images[begin : begin + block] = multiply(vectors[rows])[: len(vectors) - begin]
    return images


def _capacity(size, p, k, block):
    """Return how many vectors of `size` numbers the basis may have: fewer than it would like to if memory is short."""
    others = (2 if size == p else 4) * k + 4 * block  # of p numbers: the images at the end, and the blocks on the way
    least = 2 * k + 2 * block
    vectors = f"{least + others} vectors" if size == p else f"{least} vectors of {size} numbers, and {others}"
    checks.memory(
        8 * (size * least + p * others),
        f"{vectors} of {p} numbers are needed for k = {k}",
        "Choose a smaller k",
    )
    fitting = (int(0.8 * checks.free_memory()) - 8 * p * others) // (8 * size)
    return max(least, min(max(_CAPACITY, 4 * k) + 2 * block, fitting))
