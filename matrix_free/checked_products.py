"""Products with a symmetric matrix, checked and counted, for what needs more of them than a sketch."""

import jax
import jax.numpy as jnp
import numpy as np

import checks
from ranks import NotSymmetricError

BLOCK = 64  # vectors at a time; from 32 to 512 the time of a product hardly changes, the memory grows with it

LONG, _FEW = 20_000, 15  # of longer vectors, so few at a time are multiplied faster (`operators`), or one (`traceable`)

VERY_LONG = 200_000  # from here on fewer coordinates (`ranges`) save more time than it takes to compile them

_NUMBERS = 16_000_000  # in a block of them


def checked(operator, p, bar=None):
    """Return the function V -> V H, which checks every product and counts it.

    Args:
        operator: V (b, p) -> V H (b, p).
        p: number of rows of H.
        bar: a `tqdm.tqdm`, or anything with `update(n)`. It is told the number of vectors of every product.

    Returns:
        V (b, p) -> V H, the array that `operator` returns, of NumPy or of JAX. It raises ValueError for another shape
        or dtype, for NaN and for infinity.
    """

    def multiply(vectors):
        images = operator(vectors)
        shape, dtype = getattr(images, "shape", None), getattr(images, "dtype", type(images).__name__)
        if shape != vectors.shape or dtype != np.float64:
            raise ValueError(
                f"the product of a block of vectors {vectors.shape} must be float64 of shape {vectors.shape}, "
                f"got {dtype} of shape {shape}; each row is a vector"
            )
        check_finite(images)
        if bar is not None:
            bar.update(len(vectors))
        return images

    return multiply


def check_finite(*arrays):
    """Check that products, or numbers made of them, are finite.

    Raises:
        ValueError: for NaN or infinity.
    """
    for array in arrays:
        if not (jnp if isinstance(array, jax.Array) else np).isfinite(array).all():
            raise ValueError(
                "the product of a block of vectors is NaN or infinite; look at the parameters, the data and the loss"
            )


def check_symmetric(vectors, images):
    """Check that v^T (H w) = w^T (H v) for the rows v, w of `vectors` (b, p), whose products are `images` (b, p).

    Raises:
        NotSymmetricError: if two of them differ by more than 1e-10 of the largest |H v| |w|.
    """
    products = np.asarray(vectors @ images.T)
    sizes = [np.sqrt(np.asarray((rows * rows).sum(1)).max()) for rows in (vectors, images)]
    difference = abs(products - products.T).max()
    if difference > 1e-10 * sizes[0] * sizes[1]:
        raise NotSymmetricError(
            f"the product must be symmetric in the vectors, but v^T (H w) and w^T (H v) differ by {difference:.1e} "
            f"(the largest |H v| |w| is {sizes[0] * sizes[1]:.1e}). Either the matrix is not symmetric, or the product "
            "has random parts, such as dropout or other batches every time, or only rounding is left of larger terms"
        )


def rows_at_once(p):
    """Return how many vectors a block may have: 64, or fewer if they are long or 8 blocks would not fit in memory."""
    most = BLOCK if p <= LONG else np.clip(_NUMBERS // p, 2, _FEW)
    return int(np.clip(checks.free_memory() // (8 * 8 * p), 1, min(most, p)))


def identity_images(multiply, p):
    """Yield (slice, rows of H as a NumPy array), a block of rows at a time. The first block must be symmetric."""
    width = rows_at_once(p)
    for begin in range(0, p, width):
        unit = np.zeros((width, p))
        # All blocks have one shape, for which a product is compiled once: p - 1 fills up the last.
        unit[np.arange(width), np.minimum(begin + np.arange(width), p - 1)] = 1
        block = slice(begin, min(begin + width, p))
        rows = np.asarray(multiply(unit))[: block.stop - begin]
        if begin == 0:
            check_symmetric(unit, rows)
        yield block, rows


def generator(key):
    """Return NumPy's generator for a `jax.random` key, by default that of seed 0."""
    return np.random.default_rng(np.asarray(jax.random.key_data(jax.random.key(0) if key is None else key)))
