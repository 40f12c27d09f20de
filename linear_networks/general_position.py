"""General position: how far the numbers that decide a sign are from zero, and what to say of one that is too close."""

from typing import NamedTuple

import numpy as np

# Below this margin a number cannot be told from zero. benchmarks/linear_networks/judged_signs.py judged 220 000
# signs, 22 000 of them right next to a change of signs, and declined none. Of these 8 500 were wrong, and their largest
# margin was 2e-13.
UNDECIDED = 1e-11

# The relative size of perturbations. It lies above rounding, some 1e-16, and far below UNDECIDED. So a number that is
# all rounding is not taken for a clear one: it moves by its own size, or by a hundredth of that by chance.
PERTURBATION = 1e-14

# What may be left of a zero among singular values and eigenvalues of symmetric matrices, relative to the largest.
ROUNDING = 1e-14


class NotGenericError(ValueError):
    """The signs do not follow from the structure: a number that must not be zero is zero, or nearly."""


class Decisive(NamedTuple):
    """Numbers that decide signs by not being zero."""

    name: str  # of the smallest of them, for the message
    values: np.ndarray | None  # in increasing order, in which eigenvalues change continuously
    distance: float | None  # to zero if it is known by definition, else None: `margin` measures it


def decisive(name, values, rounding=0.0):
    """Return numbers whose distance to zero `margin` measures by perturbations.

    Args:
        name: of the smallest of them.
        values: array.
        rounding: size that a zero may have after rounding. Such a value need not move when the network does.

    Returns:
        Decisive.

    Raises:
        NotGenericError: if one of the values is not larger than `rounding` in size, or is infinite or NaN.
    """
    values = np.sort(np.ravel(values))
    if not np.isfinite(values).all() or not (abs(values) > rounding).all():
        _refuse(name, 0.0)
    return Decisive(name, values, None)


def at_distance(name, distance):
    """Return a number whose relative distance to zero is known by definition, as Decisive.

    Raises:
        NotGenericError: if the distance is too small to tell the number from zero.
    """
    if not distance > UNDECIDED:
        _refuse(name, distance)
    return Decisive(name, None, float(distance))


def margin(numbers, perturbed=(), size=PERTURBATION):
    """Return the relative size of the smallest change of the weights and the data that makes one of the numbers zero.

    For a number x that becomes x' in a perturbation, this is size |x| / |x' - x| to first order. A perturbation that
    many times as large makes x zero. The smallest over the numbers and the perturbations counts, and 1 at most.

    Args:
        numbers: list of Decisive.
        perturbed: lists of the same numbers after perturbations of the weights and the data.
        size: relative size of these perturbations.

    Returns:
        float in (0, 1].

    Raises:
        NotGenericError: if the margin is too small to tell one of the numbers from zero.
    """
    found = 1.0
    for i, number in enumerate(numbers):
        distance = number.distance
        if distance is None:
            distance = min(_distance(number.values, moved[i].values, size) for moved in perturbed)
        found = min(found, at_distance(number.name, distance).distance)
    return found


def _distance(values, moved, size):
    moves = np.maximum(abs(moved - values), size * abs(values))
    return (size * abs(values) / moves).min()


def _refuse(name, distance):
    raise NotGenericError(
        f"{name} is zero up to a change of {distance:.0e} of the weights or the data, too little to be sure: the "
        "network is not in general position. linear_networks.spectrum finds its eigenvalues with their gap, and "
        "exact.exact_ranks its ranks"
    )
