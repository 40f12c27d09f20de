"""Exact ranks: the Hessian over a finite field, without rounding and without a tolerance.

A float64 number is an integer times a power of two. Take a network of sums, products and comparisons (linear, relu,
leaky_relu) under the squared loss. Every entry of its Hessians is then a fraction whose denominator is a power of two,
and can be computed modulo an odd prime P. The rank modulo P obeys

    rank_P(H) <= rank(H),    with equality unless P divides every minor of H of the size of its rank.

So rank_P(H) is a proven lower bound, and for a random prime near 2^31 it is almost surely the rank. An upper bound from
theory that it reaches is thereby proven to be attained.

The products with H, as they stand in `hessians`, are traced once to a jaxpr, which `interpreter` carries out over F_P.
Ranks of matrices over F_P are FLINT's.
"""

import functools
import random
from typing import NamedTuple

import flint
import jax
import numpy as np

import checks
import hessians
from exact.finite_field import matmul, residues
from exact.interpreter import Number, interpret, number
from hessians import HessianTriple

_BLOCK = 128  # probes at a time
_SPARE = 8  # spare probes: a sketch of size N is trusted for ranks up to N - _SPARE


class UndecidedError(ValueError):
    """A comparison was too close to call, or a divisor zero, so that the Hessian is not defined here."""


class ExactRank(NamedTuple):
    """The rank of a matrix of rational numbers, and the primes modulo which it was found."""

    rank: int  # the largest of the ranks modulo the primes: a lower bound for certain, the rank almost surely
    primes: tuple  # the primes
    ranks: tuple  # the rank modulo each of them


def exact_ranks(loss, apply_fn, params, batches, guess=None, primes=None, seed=0):
    """Return the exact ranks of H_f, H_o and H_L, summed over batches, at these very float64 numbers.

    The rank modulo P is that of the sketch S = Psi^T H Psi, with N random columns in Psi. Always
    rank_P(S) <= rank_P(H), and rank_P(S) = min(N, rank_P(H)) except with a probability below 2 N / P. The number N
    starts at the guess, or at 512, and doubles until it exceeds the rank by eight. From N = p on, S is the whole H.

    Args:
        loss: ell(predictions (n, K), targets (n, K)) -> scalar, polynomial in the predictions: `losses.squared`.
        apply_fn: F(params, inputs) -> (n, K), piecewise polynomial: linear, relu or leaky_relu.
        params: pytree of float64 arrays, p numbers in all.
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a loader.
        guess: HessianTriple of ints, where a closed form is known: it sets the sizes of the first sketches, no more.
        primes: odd primes below 2^31; two random ones of 31 bits by default.
        seed: of the default primes and the probes.

    Returns:
        HessianTriple of ExactRank.

    Raises:
        TypeError, ValueError: for arrays as in `hessians`, or no batches; for numbers that are not odd primes below
            2^31; for a loss or activation without an exact form.
        UndecidedError: for a comparison, relu's say, that is too close to call, where the Hessian is not defined.
        MemoryError: if the probes and their products would not fit.

    Example:
        Least squares, H_o = X^T X, with inputs that differ by 1e-12. In float64 the matrix has the numerical rank 1:

        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from exact import exact_ranks
        >>> from losses import get_loss
        >>> from ranks import numerical_rank
        >>> apply_fn = lambda w, inputs: inputs @ w
        >>> X = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-12]])
        >>> numerical_rank(X.T @ X).rank
        1
        >>> found = exact_ranks(get_loss("mse"), apply_fn, np.zeros((2, 1)), [(X, np.ones((2, 1)))])
        >>> found.functional.rank, found.outer.rank, found.loss.rank
        (0, 2, 2)
    """
    primes = random_primes(2, seed) if primes is None else tuple(primes)
    products = _products(loss, apply_fn, params, batches)
    p = hessians.num_params(params)
    found = []
    for product, start in zip(products, guess or (512 - 2 * _SPARE,) * 3, strict=True):
        ranks = [_rank_modulo(prime, product, p, start + 2 * _SPARE, seed) for prime in map(_odd_prime, primes)]
        found.append(ExactRank(max(ranks), primes, tuple(ranks)))
    return HessianTriple(*found)


def exact_rank(matrix, centred=False, primes=None, seed=0):
    """Return the exact rank of any matrix of float64 numbers, such as the inputs of a network.

    Args:
        matrix: (m, n) float64.
        centred: whether to take the mean row from every row first. That is done exactly too:
            rank(X - 1 mean^T) = rank [1, X] - 1.
        primes, seed: as in `exact_ranks`.

    Returns:
        ExactRank.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, an array that is no matrix, or primes as in `exact_ranks`.

    Example:
        The sum 0.1 + 0.2 is not 0.3 in float64, so these rows are independent by rounding alone:

        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from exact import exact_rank
        >>> from ranks import singular_rank
        >>> X = np.array([[0.1 + 0.2, 0.3], [1.0, 1.0]])
        >>> singular_rank(X).rank, exact_rank(X).rank
        (1, 2)
    """
    checks.float64(matrix=matrix)
    checks.finite(matrix=matrix)
    if np.ndim(matrix) != 2 or not np.size(matrix):
        raise ValueError(f"the matrix must have shape (m, n), m and n at least 1, got {np.shape(matrix)}")
    rows, lost = np.asarray(matrix), int(checks.boolean("centred", centred))
    rows = np.column_stack([np.ones(len(rows)), rows]) if centred else rows
    primes = random_primes(2, seed) if primes is None else tuple(primes)
    ranks = tuple(_flint_rank(residues(rows, _odd_prime(prime)), prime) - lost for prime in primes)
    return ExactRank(max(ranks), primes, ranks)


def exact_hessians(loss, apply_fn, params, batches, prime):
    """Return H_f, H_o and H_L modulo a prime P, a HessianTriple of int64 arrays (p, p) in [0, P).

    The arguments and errors are those of `exact_ranks`, with one prime.
    """
    hessians.check_memory(hessians.num_params(params), matrices=5)
    identity = np.eye(hessians.num_params(params), dtype=np.int64)
    products = _products(loss, apply_fn, params, batches)
    return HessianTriple(*(product(identity, _odd_prime(prime)) for product in products))


def random_primes(count, seed=0):
    """Return `count` different random primes between 2^30 and 2^31, as a tuple.

    Example:
        >>> from exact import random_primes
        >>> primes = random_primes(2)
        >>> len(set(primes)), all(2**30 < prime < 2**31 for prime in primes)
        (2, True)
    """
    generator, primes = random.Random(seed), []
    while len(primes) < count:
        candidate = generator.randrange(2**30 + 1, 2**31, 2)
        if flint.fmpz(candidate).is_prime() and candidate not in primes:
            primes.append(candidate)
    return tuple(primes)


# --- ranks over F_P


def _odd_prime(prime):
    number = checks.integer("prime", prime, minimum=3)
    if number >= 2**31:
        raise ValueError(f"prime must be below 2^31, so that products of residues fit in 64 bits, got {number}")
    if number % 2 == 0 or not flint.fmpz(number).is_prime():
        raise ValueError(f"{number} is not an odd prime; exact.random_primes(1) gives one")
    return number


def _rank_modulo(prime, product, p, size, seed):
    """Return the rank of the symmetric (p, p) matrix behind `product` modulo a prime."""
    generator = np.random.default_rng([seed, prime])
    probes = images = np.zeros((0, p), np.int64)
    while size < p:
        _check_memory(size, p)
        more = generator.integers(prime, size=(size - len(probes), p))
        probes, images = np.concatenate([probes, more]), np.concatenate([images, product(more, prime)])
        rank = _flint_rank(matmul(images, probes.T, prime), prime)
        if rank <= size - _SPARE:
            return rank
        size *= 2
    _check_memory(p, p)
    return _flint_rank(product(np.eye(p, dtype=np.int64), prime), prime)


def _flint_rank(matrix, prime):
    return flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), prime).rank()


def _check_memory(size, p):
    """Check for five int64 arrays (size, p): probes, products, and three halves of the multiplication."""
    checks.memory(
        40 * size * p,
        f"five arrays of {size} probes for p = {p} parameters are needed",
        "Choose smaller widths, or pass the closed form as the guess if there is one",
    )


# --- products with the Hessians over F_P


_MATVECS = HessianTriple(hessians.functional_matvec, hessians.outer_matvec, hessians.loss_matvec)


def _products(loss, apply_fn, params, batches):
    """Return, for each matrix, the function (vectors (b, p) int64, prime) -> H vectors (b, p) int64, NumPy."""
    batches = list(hessians.each_batch(batches))
    for inputs, targets in batches:
        hessians.check_arguments(params, inputs, targets, apply_fn)

    def product(matvec, vectors, prime):
        images = np.zeros_like(vectors)
        block = min(_BLOCK, len(vectors))
        for batch in batches:
            parts = np.empty_like(vectors)
            exact = jax.tree.map(lambda x: number(x, prime), (params, *batch))
            for first in [*range(0, len(vectors) - block, block), len(vectors) - block]:
                rows = slice(first, first + block)
                part, undecided = _product(matvec, loss, apply_fn, exact, vectors[rows], prime)
                _check_decided(undecided)
                parts[rows] = part
            images = (images + parts) % prime
        return images

    return HessianTriple(*(functools.partial(product, matvec) for matvec in _MATVECS))


def _check_decided(undecided):
    for name, count in undecided.items():
        if count:
            raise UndecidedError(_UNDECIDED[name.startswith("div")].format(count=count, name=name.split()[0]))


_UNDECIDED = {
    False: "{count} comparisons of the primitive '{name}' are too close to call: a unit sits on its kink to within "
    "rounding, where there is no Hessian. Move the weights or the data a little",
    True: "{count} divisions are by zero or by a multiple of the prime. Choose another prime, or look at the divisor",
}


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _product(matvec, loss, apply_fn, exact, vectors, prime):
    def rows(params, inputs, targets, vectors):
        return jax.vmap(matvec(loss, apply_fn, params, inputs, targets))(vectors)

    is_number = lambda leaf: isinstance(leaf, Number)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.residue.shape, float), exact, is_leaf=is_number)
    closed = jax.make_jaxpr(rows)(*shapes, jax.ShapeDtypeStruct(vectors.shape, float))
    arguments = [*jax.tree.leaves(exact, is_leaf=is_number), Number(vectors)]
    (images,), undecided = interpret(closed, arguments, prime)
    return images.residue, undecided
