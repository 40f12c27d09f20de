"""The three Hessians layer by layer: ranks, signs and spectra of the diagonal blocks, norms of all blocks.

A layer's diagonal block of a Hessian is the Hessian in the parameters of this layer alone, the others being frozen. An
off-diagonal block couples two layers.
"""

import functools
from typing import NamedTuple

import numpy as np

from bars import told
from grades import graded
from hessians import HessianTriple, check_memory
from matvecs import num_params
from parts import layers
from problem import pose
from ranks import counted
from sums import Sums, sums
from twins import twin


class Signs(NamedTuple):
    """How many eigenvalues of a matrix are positive, negative and zero: its inertia."""

    positive: int
    negative: int
    zero: int


class Blocks(NamedTuple):
    """The blocks of one symmetric matrix."""

    layers: tuple  # names of the layers
    sizes: tuple  # of ints, the parameters in each of them
    ranks: tuple  # of NumericalRank, for each diagonal block, with its spectrum
    signs: tuple  # of Signs, for each diagonal block
    norms: np.ndarray  # (L, L), the Frobenius norm of every block


def dense_blocks(loss, apply_fn, params, batches, layer=None, reduction="sum", only=None, bar=None):
    """Return the blocks of H_f, H_o and H_L, summed over batches, by the (p, p) matrices.

        ||H||_F^2 = sum of ||H_kl||_F^2 over all pairs of layers k, l

    Every rank has the grade that it would have as the rank of a network with this layer's parameters alone: it is
    compared with that of the same block of the network's twin.

    Args:
        loss, apply_fn, params, batches, reduction, only: as in `hessians.dense_hessians`.
        layer: path of a parameter, such as 'Dense_0/kernel' -> name of its layer. By default that is 'Dense_0'
            (`parts.layers`).
        bar: a `tqdm.tqdm`, which is told of the matrices, of every layer, and of the norms.

    Returns:
        HessianTriple of Blocks.

    Raises:
        TypeError, ValueError, MemoryError: as in `hessians.dense_hessians`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from blocks import dense_blocks
        >>> from losses import get_loss
        >>> generator = np.random.default_rng(0)
        >>> apply_fn = lambda w, x: x @ w["first"] @ w["last"]  # widths 4-1-3: every layer sees a rank of one
        >>> params = {"first": generator.standard_normal((4, 1)), "last": generator.standard_normal((1, 3))}
        >>> batch = generator.standard_normal((9, 4)), generator.standard_normal((9, 3))
        >>> found = dense_blocks(get_loss("mse"), apply_fn, params, batch)
        >>> found.outer.layers, [rank.rank for rank in found.outer.ranks], found.outer.norms.shape
        (('first', 'last'), [4, 3], (2, 2))
    """
    problem = pose(loss, apply_fn, params, batches, reduction, only)
    check_memory(num_params(problem.params), matrices=8)
    pair, places = twin(problem), layers(problem.params, layer)
    tell = told(bar, len(places) + 2)
    own = tell(sums(pair.itself, problem))
    of_twin = functools.cache(lambda: sums(pair.other))

    def ranks(where):
        found = counted(_block(own, where))
        other = lambda: counted(_block(of_twin(), where), expected=found)
        return tell(graded(found, None, len(where), other, pair.why_none))

    found = HessianTriple(*zip(*map(ranks, places.values()), strict=True))
    outer = own.outer if own.factor is None else own.factor.T @ own.factor
    matrices = HessianTriple(own.functional, outer, own.total)
    pairs = zip(found, matrices, strict=True)
    return tell(HessianTriple(*(blocks_of(places, one, _norms(matrix, places)) for one, matrix in pairs)))


def blocks_of(places, ranks, norms):
    """Return Blocks.

    Args:
        places: {name of a layer: its places in the flattened vector}, as `parts.layers` returns it.
        ranks: NumericalRank of every diagonal block.
        norms: (L, L).
    """
    sizes = tuple(map(len, places.values()))
    return Blocks(tuple(places), sizes, tuple(ranks), tuple(map(_signs, ranks, sizes)), norms)


def _signs(rank, size):
    """Return the Signs of a block of so many rows. Its NumericalRank may hold fewer eigenvalues, the others being 0."""
    negative = int((rank.spectrum[: rank.rank] < 0).sum())
    return Signs(rank.rank - negative, negative, size - rank.rank)


def _block(three, where):
    square = [matrix if matrix is None else np.asarray(matrix)[np.ix_(where, where)] for matrix in three[:3]]
    return Sums(*square, None if three.factor is None else three.factor[:, where])


def _norms(matrix, places):
    matrix = np.asarray(matrix)
    rows = [matrix[where] for where in places.values()]
    return np.array([[np.linalg.norm(row[:, where]) for where in places.values()] for row in rows])
