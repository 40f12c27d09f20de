"""The ranks of H_f, H_o and H_L from one pass of products, with H_f and with the factor A of H_o = A^T A.

Psi^T H_L Psi = Psi^T H_f Psi + (A Psi)^T (A Psi)
"""

import jax
import numpy as np

import checks
from hessians import HessianTriple
from matrix_free.checked_products import BLOCK
from matrix_free.operators import both_operator
from matrix_free.random_probes import columns, probes
from matrix_free.sketches import both_sketches
from matvecs import loss_image, num_params
from ranks import numerical_rank, singular_rank
from sums import agree

SPARE = 10  # spare probes: a sketch is large enough for a rank if N >= rank + SPARE

_OVERSAMPLING = 1.1  # what a guess is multiplied by: with N = rank(H) the smallest eigenvalues would all but vanish

_FIRST = 256  # the number of probes to begin with where there is no guess


def joint_ranks(problem, guess, key, mesh=None, bar=None):
    """Return the HessianTriple of NumericalRank of a network, without grades, or None where this way does not lead on.

    Every rank is that of a sketch as in `probed_ranks`, with as many probes as its own guess asks for.

    Args:
        problem: `problem.Problem`, with a loss whose root is known.
        guess: HessianTriple of int or None.
        key, mesh, bar: as in `probed_ranks.sketched_ranks`.

    Returns:
        None if there are more outputs of samples than parameters, so that A is compressed as well, or if H_L is not the
        sum of its terms in the first products.

    Raises:
        ValueError, MemoryError: as in `probed_ranks.sketched_rank`. NotSymmetricError if H_f is rounding alone.
    """
    p = num_params(problem.params)
    products, psi = both_operator(problem, bar), probes(p, key)
    m = jax.eval_shape(products, block_of(p))[1].shape[1]
    if m > p or not _is_sum(problem, products, psi):
        return None
    S_f = A_psi = None
    for size in sizes(p, _largest(guess)):
        S_f, A_psi = both_sketches(products, m, psi, size, mesh, (S_f, A_psi))
        S_L = A_psi @ A_psi.T
        S_L += S_f
        of_loss = numerical_rank(S_L)
        of_functional = _within(lambda N, S=S_f: numerical_rank(S[:N, :N]), p, guess.functional, size)
        if max(of_loss.rank, of_functional.rank) + SPARE <= size:
            break
    of_outer = _within(lambda N: singular_rank(A_psi[:N]), p, guess.outer, size)
    return HessianTriple(of_functional, of_outer, of_loss)


def block_of(p):
    """Return the shape of a block of vectors, for which products are compiled anyway."""
    return jax.ShapeDtypeStruct((min(BLOCK, p), p), float)


def sizes(p, guess):
    """Yield numbers of probes, up to p: a tenth more than the guess, and twice as many each time."""
    guess = _FIRST if guess is None else checks.integer("guess", guess, minimum=0)
    size = int(_OVERSAMPLING * guess) + SPARE
    while size < p:
        yield size
        size *= 2
    yield p


def _largest(guess):
    """Return the largest of some guesses, or None if one is missing."""
    return None if None in (guess.functional, guess.loss) else max(guess.functional, guess.loss)


def _within(rank, p, guess, most):
    """Return rank(N) for the smallest number of probes N that is enough, or for `most`."""
    for size in sizes(p, guess):
        found = rank(min(size, most))
        if size >= most or found.rank + SPARE <= size:
            return found


def _is_sum(problem, products, psi):
    """Return whether H_L = H_f + A^T A in the product of one vector, seen from a block of them."""
    V = columns(psi, np.arange(min(BLOCK, psi.signs.size)))
    functional, factor = map(np.asarray, products(V))
    V = np.asarray(V)
    whole = problem.scale * sum(np.asarray(loss_image(*problem[:3], *batch, V[0])) for batch in problem.batches)
    return agree(V @ whole, V @ functional[0], factor @ factor[0])
