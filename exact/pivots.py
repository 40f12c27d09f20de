"""The rank of a matrix of balls: how many pivots of an elimination exclude zero."""

from typing import NamedTuple

import flint
import numpy as np

from exact.balls import array, exact, matrix

_BLOCK = 100  # rows eliminated at a time: FLINT encloses the solution of large systems more tightly than of small ones


class Pivots(NamedTuple):
    """What an elimination found."""

    rank: int  # number of pivots that exclude zero, which proves that the rank is at least this
    # Digits between the smallest of them, or 1, and the largest entry left; infinite if only zeros are left, and minus
    # infinite if there are too few digits to tell.
    gap: float


def eliminate(balls, seed=0):
    """Return the rank of a matrix of balls, and how well it is separated.

    The matrix H is mixed first: M = Q H R with random integers in Q and R. Almost surely, the leading minors of M up to
    the rank are then nonzero, so that no pivot has to be searched. Blocks of rows are eliminated, M -> D - C A^-1 B.
    A block A whose pivots exclude zero is invertible for certain.

    Args:
        balls: (N, N) object array of `arb`.
        seed: of the mixing.
    """
    generator = np.random.default_rng(seed)
    rank, smallest = 0, flint.arb(1)
    rest = _mixed(balls, generator)
    while len(rest):
        found = _leading_pivots(rest[:_BLOCK, :_BLOCK])
        if not found:
            break
        k, smallest = len(found), min([smallest, *(abs(pivot).lower() for pivot in found)])
        rank += k
        try:
            rest = _eliminated(rest, k)
        except ZeroDivisionError:  # too few digits to invert the block
            return Pivots(rank, -np.inf)
    if not all(x.is_finite() for x in rest.reshape(-1)):
        return Pivots(rank, -np.inf)
    left = max((abs(x).upper() for x in rest.reshape(-1)), default=flint.arb(0))
    return Pivots(rank, float((smallest / left).log() / flint.arb(10).log()) if left > 0 else np.inf)


def _mixed(balls, generator):
    left, right = (matrix(exact(generator.integers(-999, 1000, size=balls.shape))) for _ in range(2))
    return array(left * matrix(balls) * right)


def _leading_pivots(block):
    """Return the pivots of a block, until one of them does not exclude zero."""
    found = []
    for k in range(len(block)):
        pivot = block[k, k]
        if pivot.contains(0) or not pivot.is_finite():
            break
        found.append(pivot)
        block = block - np.outer(block[:, k] / pivot, block[k])
    return found


def _eliminated(rest, k):
    if k == len(rest):
        return rest[:0, :0]
    solved = matrix(rest[:k, :k]).solve(matrix(rest[:k, k:]))
    return rest[k:, k:] - array(matrix(rest[k:, :k]) * solved)
