"""Sketches of matrices known only by their products: a few random combinations of rows and columns, as NumPy arrays.

The probes are the columns of Psi (see `random_probes`). They are made, multiplied and thrown away a block at a time,
so that a sketch with N probes takes N^2 numbers and a few blocks of length p. With a `jax.sharding.Mesh` the probes of
a block are shared out among its devices. With several processes (`jax.distributed`), each makes the same calls.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import checks
from matrix_free.checked_products import BLOCK, check_finite
from matrix_free.random_probes import columns, project, rows_over
from ranks import NotSymmetricError


def symmetric_sketch(matvec, psi, size, mesh=None, start=None, scale=0.0):
    """Return S = Psi^T H Psi, with the first `size` columns of Psi.

    Args:
        matvec: V (b, p) -> V H (b, p), linear, H symmetric.
        psi: `random_probes.Probes`.
        size: number of probes N.
        mesh: the devices that share the work.
        start: a smaller sketch by the same probes, which is extended.
        scale: for a matrix that is left over where larger terms cancel, the size of these. Its rounding errors are
            theirs.

    Returns:
        (N, N) array.

    Raises:
        ValueError: for a `matvec` that returns another shape or dtype, NaN or infinity. Also for one that is not linear
            or not symmetric, as far as its first block shows.
        MemoryError: if S does not fit.
    """
    old = _old(start)
    _check_memory(2 * size**2, size)  # S, and the copy in which LAPACK finds its eigenvalues
    sketch = np.empty((size, size))
    sketch[:old, :old] = start if old else 0
    for block, rows in _projected(matvec, psi, psi, old, size, size, mesh, True, scale):
        sketch[block] = rows
        sketch[:old, block] = rows[:, :old].T
    return sketch


def factor_sketch(factor, psi, xi, size, mesh=None, start=None):
    """Return (Xi^T A Psi)^T for a factor A (m, p), with all or the first p columns of Xi, whichever are fewer.

    Xi only turns the rows of A, unless there are more than p.

    Args:
        factor: V (b, p) -> V A^T (b, m).
        psi, xi: `random_probes.Probes` of p and of m.
        size, mesh, start: as in `symmetric_sketch`.

    Returns:
        (N, min(m, p)) array.

    Raises:
        ValueError, MemoryError: as in `symmetric_sketch`, symmetry aside.
    """
    old, width = _old(start), min(psi.signs.size, xi.signs.size)
    _check_memory(2 * size * width, size)
    sketch = np.empty((size, width))
    sketch[:old] = start if old else 0
    for block, rows in _projected(factor, psi, xi, old, size, width, mesh, False):
        sketch[block] = rows
    return sketch


def ritz_matrix(matvec, psi, size, mesh=None):
    """Return Q^T H Q for an orthonormal basis Q of the columns of H Psi. Its nonzero eigenvalues are those of H.

    The arguments and errors are those of `symmetric_sketch`, and 3 N p numbers must fit in memory.
    """
    p = psi.signs.size
    _check_memory(3 * size * p, size)
    images = np.empty((size, p))
    for block, indices in _blocks(0, size, p, mesh):
        images[block] = _host(matvec(columns(psi, _shared(indices, mesh))))[: block.stop - block.start]
    basis = np.ascontiguousarray(np.linalg.qr(images.T)[0].T)
    for block, indices in _blocks(0, size, p, mesh):
        vectors = _shared(basis[np.minimum(indices, size - 1)], mesh)
        images[block] = _host(matvec(vectors))[: block.stop - block.start]
    matrix = images @ basis.T
    return (matrix + matrix.T) / 2


def _projected(image, psi, xi, first, last, width, mesh, symmetric, scale=0.0):
    """Yield, for each block of probes, its slice and Xi^T of their images, after a test of the first block."""

    def rows(vectors):
        images = image(vectors)
        if images.shape != (len(vectors), xi.signs.size) or images.dtype != np.float64:
            raise ValueError(
                f"the product of a block of vectors {vectors.shape} must be float64 of shape "
                f"{(len(vectors), xi.signs.size)}, got {images.dtype} of shape {images.shape}"
            )
        values = np.asarray(project(xi, images, width, mesh))
        check_finite(values)
        return values

    for block, indices in _blocks(first, last, psi.signs.size, mesh):
        vectors = columns(psi, _shared(indices, mesh))
        values = rows(vectors)
        if block.start == 0:
            # One more product tests linearity: the images of the same vectors in reverse order are already known.
            combined = rows(_combined(vectors, columns(psi, _shared(indices[::-1], mesh))))
            _check_equal(combined, 2 * values - 3 * values[::-1], scale, "linear", "H (2 v - 3 w) and 2 H v - 3 H w")
            if symmetric:
                square = values[:, : len(set(indices))][: values.shape[1]]
                _check_equal(square, square.T, scale, "symmetric", "v^T (H w) and w^T (H v)")
        yield block, values[: block.stop - block.start]


@jax.jit
def _combined(vectors, others):
    return 2 * vectors - 3 * others


def _check_equal(first, second, scale, what, formulas):
    difference, largest = abs(first - second).max(), abs(first).max()
    if difference > 1e-10 * max(largest, scale):
        raise NotSymmetricError(
            f"the product must be {what} in the vectors, but {formulas} differ by {difference:.1e} (the largest is "
            f"{largest:.1e}). Either it has random parts, such as dropout or other batches every time. Or it is left "
            "over where larger terms cancel, as H_f is at a minimum: pass near_minimum=True to sketched_ranks, or the "
            "size of the terms as `scale` to sketched_rank"
        )


def _blocks(first, last, p, mesh):
    """Yield slices of first..last and the indices of their probes, as many in each block: p - 1 fills up the last."""
    devices = 1 if mesh is None else mesh.size
    length = devices * -(-min(BLOCK, p) // devices)
    for begin in range(first, last, length):
        yield slice(begin, min(begin + length, last)), np.minimum(begin + np.arange(length), p - 1)


def _shared(rows, mesh):
    """Return an array whose rows are shared out among the devices of the mesh."""
    return rows if mesh is None else jax.device_put(rows, rows_over(mesh))


def _host(rows):
    """Return the whole array in every process, even if the devices of several processes hold its rows."""
    if isinstance(rows, jax.Array) and not rows.is_fully_addressable:
        rows = jax.jit(jnp.copy, out_shardings=NamedSharding(rows.sharding.mesh, PartitionSpec()))(rows)
    return np.asarray(rows)


def _old(start):
    return 0 if start is None else len(start)


def _check_memory(numbers, size):
    checks.memory(
        8 * numbers,
        f"a sketch with {size} probes is needed for this rank",
        "Choose smaller widths, fewer outputs, or a guess nearer to the rank",
    )
