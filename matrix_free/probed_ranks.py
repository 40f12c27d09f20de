"""Numerical ranks of matrices that are known by their products only.

For a matrix too large to be formed, `sketched_rank` counts the eigenvalues of its sketch S = Psi^T H Psi. For a
symmetric H and N > rank(H) random probes in the columns of Psi, rank(S) = rank(H) almost surely. So N products and an
N x N matrix take the place of p columns and a p x p matrix.
"""

import contextlib

import jax
import jax.numpy as jnp

import checks
import losses
from grades import graded
from hessians import HessianTriple, WithPenalty
from matrix_free.joint_sketches import SPARE, block_of, joint_ranks, sizes
from matrix_free.operators import check_derivatives, operator
from matrix_free.random_probes import probes
from matrix_free.sketches import factor_sketch, ritz_matrix, symmetric_sketch
from matvecs import factor_matvec, functional_matvec, loss_matvec, num_params, outer_matvec
from problem import pose
from ranks import NotSymmetricError, numerical_rank, singular_rank
from twins import twin

_POOR = 1e5  # below this gap of a sketch, an orthonormal basis of the range is made


def sketched_rank(matvec, p, guess, key, mesh=None, scale=0.0):
    """Return the numerical rank of a symmetric matrix H that is known by its products only.

    The rank is that of S = Psi^T H Psi, with N random orthonormal columns in Psi. The number N starts a tenth above the
    guess, or at 256. It doubles until it exceeds the rank by ten, and keeps the products made so far. At N = p, S is H
    in another basis. Memory: 2 N^2 numbers and a few blocks of 64 vectors.

    A sketch shrinks the smallest eigenvalues more than the largest, by a factor of five to fifty after a good guess.
    This matters where the gap is below 1e5. There H is restricted to an orthonormal basis Q of the columns of H Psi
    instead, if 3 N p numbers fit in memory: the nonzero eigenvalues of Q^T H Q are those of H.

    Args:
        matvec: V (b, p) -> V H (b, p), such as `matrix_free.loss_operator` returns.
        p: number of rows of H.
        guess: int, the rank to expect, or None. A wrong one costs time, no more.
        key: `jax.random` key of the probes.
        mesh: `jax.sharding.Mesh`: the probes are shared out among its devices, and `matvec` gets the rows of V sharded
            over them. With several processes (`jax.distributed`), each makes the same call.
        scale: as in `ranks.numerical_rank`, for a matrix that is left over where larger terms cancel.

    Returns:
        NumericalRank, its spectrum that of S or of Q^T H Q, (N,). It is always open: products alone do not show what is
        below rounding.

    Raises:
        TypeError: for a p or a guess that is not an integer.
        ValueError: for a p below one or a negative guess. Also for a `matvec` that returns NaN, infinity, or another
            shape or dtype, or that is not linear or not symmetric, as its first block shows.
        MemoryError: if a sketch that is large enough does not fit.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from matrix_free import sketched_rank
        >>> H = np.diag([1.0, -2.0, 3.0] + 97 * [0.0])
        >>> found = sketched_rank(lambda V: V @ H, p=100, guess=3, key=jax.random.key(0))
        >>> found.rank, found.spectrum.shape  # 13 probes
        (3, (13,))
    """
    psi, sketch = probes(checks.integer("p", p), key), None
    for size in sizes(p, guess):
        sketch = symmetric_sketch(matvec, psi, size, mesh, sketch, scale)
        found = numerical_rank(_where_jax_computes(sketch), scale=scale)
        if found.rank + SPARE <= size:
            break
    if found.gap < _POOR and size < p:
        with contextlib.suppress(MemoryError):  # then the sketch's own rank remains, and its gap says what it is worth
            found = numerical_rank(_where_jax_computes(ritz_matrix(matvec, psi, size, mesh)), scale=scale)
    return found


def factor_rank(factor, p, guess, key, mesh=None):
    """Return the numerical rank of H = A^T A from the singular values of its factor A (m, p).

    The rank is that of A Psi, with N random orthonormal columns in Psi. If m > p, it is that of Xi^T A Psi, with p such
    columns in Xi. Singular values are square roots of eigenvalues: rounding, at eps of the largest, hides only
    eigenvalues below eps^2. Memory: 2 N min(m, p) numbers.

    Args:
        factor: V (b, p) -> V A^T (b, m), such as `matrix_free.factor_operator` returns.
        p, guess, key, mesh: as in `sketched_rank`.

    Returns:
        NumericalRank, with threshold, gap and spectrum of singular values.

    Raises:
        TypeError, ValueError, MemoryError: as in `sketched_rank`, symmetry aside.
    """
    p = checks.integer("p", p)
    m = jax.eval_shape(factor, block_of(p)).shape[1]
    psi, xi, sketch = probes(p, key), probes(m, jax.random.fold_in(key, m)) if m > p else None, None
    for size in sizes(p, guess):
        sketch = factor_sketch(factor, m, psi, size, mesh, sketch, xi)
        found = singular_rank(sketch)
        if found.rank + SPARE <= size:
            break
    return found


def sketched_ranks(
    loss,
    apply_fn,
    params,
    batches,
    guess=None,
    key=None,
    mesh=None,
    near_minimum=False,
    reduction="sum",
    bound=None,
    only=None,
    penalty=None,
    bar=None,
):
    """Return the numerical ranks of H_f, H_o and H_L, summed over batches, without forming a matrix, with their grades.

    Those of H_f and H_L are `sketched_rank`s; that of H_o is the `factor_rank` of its factor, for the losses whose root
    is known (`losses.curvature_root`), and a `sketched_rank` for others. All three use the same probes.

    The grades are those of `ranks.dense_ranks`. The sketches of the network's twin take as long as its own, unless a
    bound takes their place.

    Args:
        loss, apply_fn, params, batches: as in `hessians.dense_hessians`.
        guess: HessianTriple of ints, where a closed form is known.
        key: `jax.random` key of the probes, by default that of seed 0.
        mesh: as in `sketched_rank`.
        near_minimum, reduction, bound, only, penalty: as in `ranks.dense_ranks`.
        bar: a `tqdm.tqdm`, which is told the number of products, with every matrix and with the factor of H_o.

    Returns:
        HessianTriple of NumericalRank, with a penalty WithPenalty.

    Raises:
        TypeError, ValueError, MemoryError: as in `matrix_free.loss_operator` and `sketched_rank`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from architectures import fully_connected
        >>> from closed_forms import linear_ranks
        >>> from initializers import get_init
        >>> from losses import get_loss
        >>> from matrix_free import sketched_ranks
        >>> generator = np.random.default_rng(0)
        >>> batches = [(generator.standard_normal((30, 20)), generator.standard_normal((30, 2)))]
        >>> init_fn, apply_fn = fully_connected([3], 2, "linear", get_init("glorot"))
        >>> _, params = init_fn(jax.random.key(0), (-1, 20))  # 66 parameters
        >>> guess = linear_ranks(r=20, classes=2, units=[3])
        >>> found = sketched_ranks(get_loss("mse"), apply_fn, params, batches, guess)
        >>> [rank.rank for rank in found], list(guess)
        ([12, 40, 48], [12, 40, 48])
    """
    near_minimum = checks.boolean("near_minimum", near_minimum)
    problem = pose(loss, apply_fn, params, batches, reduction, only, penalty)
    key, p = jax.random.key(0) if key is None else key, num_params(problem.params)
    pair, of_penalty = twin(problem), twin(problem.penalty) if penalty else None
    check_derivatives(problem, pair.itself, quickly=losses.has_root(problem.loss) and not near_minimum)
    if penalty:
        check_derivatives(problem.penalty, of_penalty.itself)
    guess = guess or HessianTriple(None, None, None)
    if penalty:
        guess = WithPenalty(*guess[:2], p, p, guess[2])
    found = _sketched(pair.itself, of_penalty and of_penalty.itself, guess, key, mesh, bar, near_minimum)

    def of_twin():
        expected = type(found)(*(one.rank for one in found))
        return _sketched(pair.other, of_penalty and of_penalty.other, expected, key, mesh, bar, of_one_size=True)

    return graded(found, bound, p, of_twin, pair.why_none or (of_penalty.why_none if penalty else ""))


def _sketched(problem, of_penalty, guess, key, mesh, bar, near_minimum=False, of_one_size=False):
    """Return the HessianTriple, or WithPenalty, of the NumericalRank of a network, without grades.

    With `of_one_size` the penalty is multiplied so that its Hessian is as large as H_L.
    """
    p, total = num_params(problem.params), operator(loss_matvec, problem, bar)
    rank = lambda matvec, guess, scale=0.0: sketched_rank(matvec, p, guess, key, mesh, scale)
    expected = HessianTriple(*guess[:2], guess.without if of_penalty else guess.loss)
    three = _three(problem, expected, key, mesh, bar, near_minimum)
    if of_penalty is None:
        return three
    added = operator(loss_matvec, of_penalty, bar)
    penalty = rank(added, guess.penalty)
    largest = float(abs(three.loss.spectrum[0]))
    factor = largest / (float(abs(penalty.spectrum[0])) or 1.0) if of_one_size else 1.0
    whole = rank(lambda vectors: total(vectors) + factor * added(vectors), guess.loss)
    return WithPenalty(*three[:2], whole, penalty, three.loss)


def _three(problem, guess, key, mesh, bar, near_minimum):
    """Return the HessianTriple of the NumericalRank of a network without a penalty: from one pass, or one by one."""
    p = num_params(problem.params)
    made = lambda product: operator(product, problem, bar)
    rank = lambda product, guess, scale=0.0: sketched_rank(made(product), p, guess, key, mesh, scale)
    found = None
    if losses.has_root(problem.loss) and not near_minimum:
        with contextlib.suppress(NotSymmetricError):  # at a minimum H_f can be rounding alone
            found = joint_ranks(problem, guess, key, mesh, bar)
    if found is not None:
        again = lambda product, one: rank(product, one.rank) if one.gap < _POOR else one
        return HessianTriple(again(functional_matvec, found[0]), found[1], again(loss_matvec, found[2]))
    loss = rank(loss_matvec, guess.loss)
    largest = float(abs(loss.spectrum[0]))
    if losses.has_root(problem.loss):
        outer = factor_rank(made(factor_matvec), p, guess.outer, key, mesh)
    else:
        outer = rank(outer_matvec, guess.outer)
    try:
        functional = rank(functional_matvec, guess.functional, largest if near_minimum else 0.0)
    except NotSymmetricError:  # its size is that of the terms that cancel, which the scale of H_L tells
        functional = rank(functional_matvec, guess.functional, largest)
    return HessianTriple(functional, outer, loss)


def _where_jax_computes(matrix):
    return matrix if jax.default_backend() == "cpu" else jnp.asarray(matrix)
