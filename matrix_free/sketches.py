"""Sketches of matrices known only by their products: a few random combinations of rows and columns, as NumPy arrays.

The probes are the columns of Psi (see `random_probes`). They are made, multiplied and thrown away a block at a time,
so that a sketch with N probes takes N^2 numbers and a few blocks of length p. With a `jax.sharding.Mesh` the probes of
a block are shared out among its devices. With several processes (`jax.distributed`), each makes the same calls.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import checks
from matrix_free.checked_products import BLOCK, check_finite
from matrix_free.random_probes import Probes, columns, project, rows_over
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
    return _filled(lambda V: [matvec(V)], [_symmetric(psi, size, scale)], psi, size, mesh, [start])[0]


def factor_sketch(factor, m, psi, size, mesh=None, start=None, xi=None):
    """Return (A Psi)^T for a factor A (m, p), or (Xi^T A Psi)^T, with the first p columns of Xi, if m > p.

    Args:
        factor: V (b, p) -> V A^T (b, m).
        m: number of rows of A.
        psi, size, mesh, start: as in `symmetric_sketch`.
        xi: `random_probes.Probes` of m, if m > p.

    Returns:
        (N, min(m, p)) array.

    Raises:
        ValueError, MemoryError: as in `symmetric_sketch`, symmetry aside.
    """
    return _filled(lambda V: [factor(V)], [_Form(m, min(m, psi.signs.size), xi)], psi, size, mesh, [start])[0]


def both_sketches(products, m, psi, size, mesh=None, start=(None, None)):
    """Return Psi^T H Psi and (A Psi)^T for a symmetric H and a factor A (m, p) whose products are made together.

    Args:
        products: V (b, p) -> (V H (b, p), V A^T (b, m)).
        m: number of rows of A, at most p.
        psi, size, mesh: as in `symmetric_sketch`.
        start: the two smaller sketches, which are extended.

    Raises:
        ValueError, MemoryError: as in `symmetric_sketch`.
    """
    return _filled(products, [_symmetric(psi, size), _Form(m, m, None)], psi, size, mesh, start)


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


class _Form(NamedTuple):
    """What becomes of the images (b, m) of a block of probes in a sketch."""

    m: int
    width: int  # of the sketch, at most m
    turn: Probes | None  # Xi, by whose columns the images are multiplied, or None if they stay as they are
    symmetric: bool = False  # whether the images are V H, H symmetric, and Xi = Psi
    scale: float = 0.0  # as in `symmetric_sketch`


def _symmetric(psi, size, scale=0.0):
    return _Form(psi.signs.size, size, psi, True, scale)


def _filled(products, forms, psi, size, mesh, start):
    """Return a sketch for each of the forms, with what there is of them kept.

    Args:
        products: V -> the images of a block of probes, as many as there are forms.
        forms: list of _Form.
        psi, size, mesh: as in `symmetric_sketch`.
        start: a smaller sketch for each of the forms, or None for each.
    """
    old = 0 if start[0] is None else len(start[0])
    # LAPACK finds the eigenvalues or singular values of a copy.
    _check_memory(2 * size * sum(form.width for form in forms), size)
    sketches = [np.empty((size, form.width)) for form in forms]
    for sketch, form, before in zip(sketches, forms, start, strict=True):
        sketch[:old, : old if form.symmetric else None] = before if old else 0
    for block, indices in _blocks(old, size, psi.signs.size, mesh):
        vectors = columns(psi, _shared(indices, mesh))
        found = _rows(products, forms, vectors, mesh)
        if block.start == 0:
            # One more product tests linearity: the images of the same vectors in reverse order are already known.
            combined = _combined(vectors, columns(psi, _shared(indices[::-1], mesh)))
            _check_first(forms, found, _rows(products, forms, combined, mesh), len(set(indices)))
        for sketch, form, rows in zip(sketches, forms, found, strict=True):
            sketch[block] = rows[: block.stop - block.start]
            if form.symmetric:
                sketch[:old, block] = sketch[block, :old].T
    return sketches


def _rows(products, forms, vectors, mesh):
    """Return the rows of every sketch for a block of probes, on the host."""
    found = []
    for images, form in zip(products(vectors), forms, strict=True):
        if images.shape != (len(vectors), form.m) or images.dtype != np.float64:
            raise ValueError(
                f"the product of a block of vectors {vectors.shape} must be float64 of shape {(len(vectors), form.m)}, "
                f"got {images.dtype} of shape {images.shape}"
            )
        turned = images if form.turn is None else project(form.turn, images, form.width, mesh)
        found.append(_host(turned))
        check_finite(found[-1])
    return found


def _check_first(forms, found, combined, different):
    """Check that products are linear, and symmetric where they should be, by the rows for the first block of probes.

    Args:
        forms: list of _Form.
        found: for each, the rows for the probes v_1, ..., v_b.
        combined: for each, the rows for 2 v_i - 3 v_{b + 1 - i}.
        different: how many of the probes are different.
    """
    for form, rows, others in zip(forms, found, combined, strict=True):
        _check_equal(others, 2 * rows - 3 * rows[::-1], form.scale, "linear", "H (2 v - 3 w) and 2 H v - 3 H w")
        if form.symmetric:
            square = rows[:, :different][: rows.shape[1]]
            _check_equal(square, square.T, form.scale, "symmetric", "v^T (H w) and w^T (H v)")


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


def _check_memory(numbers, size):
    checks.memory(
        8 * numbers,
        f"a sketch with {size} probes is needed for this rank",
        "Choose smaller widths, fewer outputs, or a guess nearer to the rank",
    )
