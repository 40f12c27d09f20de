"""Exact ranks of matrices against Python's fractions."""

from fractions import Fraction

import numpy as np
import pytest

from data import get_dataset
from exact import exact_rank, random_primes
from ranks import singular_rank


def test_random_primes_are_different_and_repeatable():
    assert len(set(random_primes(20, seed=1))) == 20
    assert random_primes(3, seed=1) == random_primes(3, seed=1) != random_primes(3, seed=2)


def fraction_rank(rows):
    """Return the rank of a matrix by Gaussian elimination in Python's fractions."""
    rows, rank = [[Fraction(x) for x in row] for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is not None:
            rows.remove(pivot)
            rows.insert(rank, pivot)
            for i in range(rank + 1, len(rows)):
                factor = rows[i][column] / pivot[column]
                rows[i] = [x - factor * y for x, y in zip(rows[i], pivot, strict=True)]
            rank += 1
    return rank


@pytest.mark.parametrize("centred", [False, True], ids=["as they are", "centred"])
@pytest.mark.parametrize("side", [4, 5, 7, 8])
def test_the_rank_of_the_inputs_against_fractions(side, centred):
    inputs = get_dataset("digits", 50, 0, side**2, 10).x_train
    mean = [sum(map(Fraction, column)) / 50 for column in inputs.T] if centred else [Fraction(0)] * side**2
    rows = [[Fraction(x) - m for x, m in zip(row, mean, strict=True)] for row in inputs]
    assert exact_rank(inputs, centred).rank == fraction_rank(rows)


def test_shrunk_images_have_a_rank_that_is_rounding_alone():
    """7 x 7 pixels that depend on each other in the images do not after rounding: 45 becomes 49."""
    inputs = get_dataset("digits", 50, 0, 49, 10).x_train
    found = singular_rank(inputs)
    assert (found.rank, exact_rank(inputs).rank) == (45, 49)
    assert found.gap > 1e9
    assert found.grade == "open"
    assert abs(found.spectrum[45]) < 1e-16 * found.spectrum[0]
    assert exact_rank(np.zeros((3, 2))).rank == exact_rank(np.ones((3, 2)), centred=True).rank == 0


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (np.ones(3), ValueError, r"must have shape \(m, n\), m and n at least 1, got \(3,\)"),
        (np.ones((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.full((2, 2), np.nan), ValueError, "matrix must be finite"),
        (np.ones((2, 2), np.float32), TypeError, "matrix must be float64, got float32"),
    ],
    ids=["vector", "empty", "nan", "float32"],
)
def test_bad_matrices(matrix, error, message):
    with pytest.raises(error, match=message):
        exact_rank(matrix)
