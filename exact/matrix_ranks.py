"""Ranks of matrices of float64 numbers modulo random primes, and what an exact rank is."""

import random
from typing import NamedTuple

import flint
import numpy as np

import checks
from exact.finite_field import residues


class ExactRank(NamedTuple):
    """The rank of a matrix, and what vouches for it: primes, or digits."""

    rank: int  # a lower bound for certain, the rank almost surely
    primes: tuple = ()  # the primes modulo which it was found, if the matrix is one of fractions
    ranks: tuple = ()  # the rank modulo each of them; the largest is the rank
    digits: int | None = None  # of the balls in which it was found, if the network contains exp, tanh or their like
    gap: float | None = None  # digits between the smallest pivot and the largest entry that is left after elimination


def exact_rank(matrix, centred=False, primes=None, seed=0):
    """Return the exact rank of any matrix of float64 numbers, such as the inputs of a network.

    Args:
        matrix: (m, n) float64.
        centred: whether to take the mean row from every row first. That is done exactly too:
            rank(X - 1 mean^T) = rank [1, X] - 1.
        primes: odd primes below 2^31; two random ones of 31 bits by default.
        seed: of the default primes.

    Returns:
        ExactRank.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, an array that is no matrix, or numbers that are not odd primes below 2^31.

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
    primes = chosen_primes(primes, seed)
    ranks = tuple(rank_modulo(residues(rows, prime), prime) - lost for prime in primes)
    return ExactRank(max(ranks), primes, ranks)


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


def chosen_primes(primes, seed):
    """Return a tuple of odd primes below 2^31, two random ones for None.

    Raises:
        TypeError, ValueError: for anything else.
    """
    return random_primes(2, seed) if primes is None else tuple(map(odd_prime, primes))


def odd_prime(prime):
    """Return an odd prime below 2^31.

    Raises:
        TypeError, ValueError: for anything else.
    """
    number = checks.integer("prime", prime, minimum=3)
    if number >= 2**31:
        raise ValueError(f"prime must be below 2^31, so that products of residues fit in 64 bits, got {number}")
    if number % 2 == 0 or not flint.fmpz(number).is_prime():
        raise ValueError(f"{number} is not an odd prime; exact.random_primes(1) gives one")
    return number


def rank_modulo(matrix, prime):
    """Return the rank of a matrix of residues modulo P. It is FLINT's."""
    return flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), prime).rank()
