"""The blocks of Hessians that are known by their products only, layer by layer."""

import jax
import jax.numpy as jnp
import numpy as np

import checks
import losses
from blocks import blocks_of
from counting import default_rtol
from grades import graded
from hessians import HessianTriple
from matrix_free.checked_products import BLOCK
from matrix_free.operators import check_derivatives, operator
from matrix_free.probed_ranks import SPARE, factor_rank, sketched_rank
from matrix_free.random_probes import columns, probes
from matvecs import factor_matvec, functional_matvec, loss_matvec, num_params, outer_matvec
from parts import layers
from problem import pose
from ranks import numerical_rank
from twins import twin


def sketched_blocks(loss, apply_fn, params, batches, layer=None, key=None, reduction="sum", only=None, bar=None):
    """Return the blocks of H_f, H_o and H_L, summed over batches, without forming a matrix.

    The images of N random vectors, N > rank(H), span the range of H. Let Q_l be an orthonormal basis of their entries
    in layer l. Then H_kl = Q_k Q_k^T H_kl, so that

        ||H_kl||_F = ||Q_k^T H_kl||_F,    and the nonzero eigenvalues of H_ll are those of Q_l^T H_ll Q_l.

    So the norms are exact to rounding. The products are with the N vectors and with the columns of all Q_l. Memory: N p
    numbers. The rank of a block of H_o is that of its factor, for losses whose root is known.

    Args:
        loss, apply_fn, params, batches, layer, reduction, only: as in `blocks.dense_blocks`.
        key: `jax.random` key of the random vectors, by default that of seed 0.
        bar: a `tqdm.tqdm`, which is told the number of products, with every matrix and with the factor of H_o.

    Returns:
        HessianTriple of Blocks. The spectrum of a diagonal block holds as many eigenvalues as its layer has rows in
        the range; the others are zero.

    Raises:
        TypeError, ValueError, MemoryError: as in `matrix_free.sketched_ranks`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from losses import get_loss
        >>> from matrix_free import sketched_blocks
        >>> generator = np.random.default_rng(0)
        >>> apply_fn = lambda w, x: x @ w["first"] @ w["last"]  # widths 40-1-3
        >>> params = {"first": generator.standard_normal((40, 1)), "last": generator.standard_normal((1, 3))}
        >>> batch = generator.standard_normal((9, 40)), generator.standard_normal((9, 3))
        >>> found = sketched_blocks(get_loss("mse"), apply_fn, params, batch)
        >>> [rank.rank for rank in found.loss.ranks], found.loss.norms.shape
        ([9, 3], (2, 2))
    """
    problem = pose(loss, apply_fn, params, batches, reduction, only)
    pair, places = twin(problem), layers(problem.params, layer)
    check_derivatives(problem, pair.itself)
    key = jax.random.key(0) if key is None else key
    ranks, norms = _all_blocks(pair.itself, places, key, bar)
    others = []

    def of_twin(number):
        if not others:
            others.extend(_all_blocks(pair.other, places, key, bar)[0])
        return others[number]

    found = [
        graded(HessianTriple(*three), None, len(where), lambda number=number: of_twin(number), pair.why_none)
        for number, (three, where) in enumerate(zip(ranks, places.values(), strict=True))
    ]
    return HessianTriple(*(blocks_of(places, *each) for each in zip(zip(*found, strict=True), norms, strict=True)))


def _all_blocks(problem, places, key, bar):
    """Return, for every layer, the NumericalRank of its blocks of H_f, H_o and H_L, and the norms for every matrix."""
    p = num_params(problem.params)
    ranks, norms = zip(
        *(
            _blocks(operator(product, problem, bar), p, places, key)
            for product in (functional_matvec, outer_matvec, loss_matvec)
        ),
        strict=True,
    )
    functional, outer, total = ranks
    if losses.has_root(problem.loss):
        factor = operator(factor_matvec, problem, bar)
        outer = [_of_factor(factor, p, where, one, key) for one, where in zip(outer, places.values(), strict=True)]
    return list(zip(functional, outer, total, strict=True)), norms


def _of_factor(factor, p, where, found, key):
    """Return the NumericalRank of a layer's block of H_o = A^T A with the rank and the gap of its factor."""
    whole = lambda vectors: jnp.zeros((len(vectors), p)).at[:, where].set(vectors)
    by_factor = factor_rank(lambda vectors: factor(whole(vectors)), len(where), found.rank, key)
    return found._replace(rank=by_factor.rank, gap=by_factor.gap)


def _blocks(matvec, p, places, key):
    """Return the NumericalRank of every diagonal block of a symmetric matrix, and the norms (L, L) of all blocks."""
    rank = sketched_rank(matvec, p, None, key).rank
    size = min(p, rank + SPARE)
    checks.memory(
        16 * size * p,
        f"the images of {size} vectors are needed twice, for the blocks of a matrix of rank {rank}",
        "Choose smaller widths or fewer samples, or take one layer at a time by `only` in matrix_free.sketched_ranks",
    )
    psi = probes(p, jax.random.fold_in(key, 1))
    images = _products(matvec, p, size, lambda indices: columns(psi, np.minimum(indices, p - 1)))
    ranks, norms = [], []
    for where in places.values():
        basis = _basis(images[:, where])
        rows = _products(
            matvec, p, len(basis), lambda indices, basis=basis, where=where: _embedded(basis, where, p, indices)
        )
        norms.append([np.linalg.norm(rows[:, other]) for other in places.values()])
        block = rows[:, where] @ basis.T if len(basis) else np.zeros((1, 1))
        ranks.append(numerical_rank((block + block.T) / 2))
    return ranks, np.array(norms)


def _products(matvec, p, size, vectors):
    """Return the images (N, p) of vectors, which are made a block of one shape at a time."""
    images = np.empty((size, p))
    length = min(BLOCK, p)
    for first in range(0, size, length):
        images[first : first + length] = np.asarray(matvec(vectors(first + np.arange(length))))[: size - first]
    return images


def _basis(images):
    """Return an orthonormal basis of the rows of a matrix, as rows."""
    _, sizes, rows = np.linalg.svd(images, full_matrices=False)
    return rows[sizes > default_rtol(max(images.shape)) * sizes[0]]


def _embedded(basis, where, p, indices):
    vectors = np.zeros((len(indices), p))
    inside = indices < len(basis)
    vectors[np.ix_(inside, where)] = basis[indices[inside]]
    return vectors
