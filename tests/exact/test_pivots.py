"""Elimination in balls against the ranks of FLINT's matrices of integers and fractions, which are exact."""

import flint
import numpy as np
import pytest

from exact.balls import exact
from exact.pivots import eliminate


@pytest.fixture(autouse=True)
def digits():
    with flint.ctx.workdps(300):
        yield


def integers(rows, columns, rank, seed=0):
    """Return a random matrix A B of Python integers, of this rank at most: A has that many columns."""
    rng = np.random.default_rng(seed)
    A, B = rng.integers(-9, 10, size=(rows, rank)), rng.integers(-9, 10, size=(rank, columns))
    return (A @ B).astype(object)


def rank_of(matrix):
    return flint.fmpz_mat([[int(x) for x in row] for row in matrix]).rank()


def balls(matrix):
    """Return small integers as balls."""
    return exact(matrix.astype(float))


def assert_found(matrix, rank, gap=100):
    """The elimination finds the rank. Nothing is left of a matrix of full rank, and of others only rounding."""
    found = eliminate(matrix)
    assert found.rank == rank
    assert found.gap == np.inf if rank == len(matrix) else found.gap > gap


@pytest.mark.parametrize(
    ("size", "rank"),
    [
        (size, rank) for size in (1, 2, 7, 40, 120) for rank in sorted({0, 1, size - 1, size})
    ]  # the last takes two blocks
    + [(100, 99), (100, 100), (101, 100), (101, 101), (120, 100)],  # ranks around the end of the first block
)
def test_random_integers(size, rank):
    matrix = integers(size, size, rank)
    assert rank_of(matrix) == rank
    assert_found(balls(matrix), rank)


@pytest.mark.parametrize("seed", range(4))
def test_any_mixing_finds_the_rank(seed):
    matrix = integers(30, 30, 17, seed)
    found = eliminate(balls(matrix), seed=seed + 1)
    assert found.rank == rank_of(matrix) == 17
    assert found.gap > 100


def test_sparse_matrices_whose_rank_nobody_prescribed():
    rng = np.random.default_rng(5)
    ranks = set()
    for _ in range(40):
        size = rng.integers(1, 9)
        matrix = rng.integers(-1, 2, size=(size, size)) * (rng.random((size, size)) < 0.4)
        assert_found(balls(matrix), rank_of(matrix))
        ranks.add((int(size), rank_of(matrix)))
    assert any(0 < rank < size for size, rank in ranks)


def graded(matrix):
    """Return a matrix in balls and in fractions, with its rows and columns scaled by powers of 2 down to 1e-30."""
    powers = np.linspace(0, 100, len(matrix)).astype(int)
    scales = np.array([flint.arb(2) ** -int(power) for power in powers], object)
    fractions = [
        [flint.fmpq(int(x), 2 ** int(k)) for x, k in zip(*r, strict=True)]
        for r in zip(matrix, powers[:, None] + powers, strict=True)
    ]
    return balls(matrix) * scales[:, None] * scales, flint.fmpq_mat(fractions)


@pytest.mark.parametrize(("size", "rank"), [(12, 12), (40, 25), (120, 110)])
def test_singular_values_that_span_sixty_orders_of_magnitude(size, rank):
    matrix, fractions = graded(integers(size, size, rank))
    assert fractions.rank() == rank
    assert_found(matrix, rank)


@pytest.mark.parametrize(("rows", "columns", "rank"), [(1, 1, 1), (5, 3, 3), (20, 31, 11), (70, 50, 50)])
def test_hollow_matrices(rows, columns, rank):
    """[[0, A], [A^T, 0]], as H_f of two layers, has twice the rank of A. Its diagonal offers no pivot."""
    A = integers(rows, columns, rank)
    hollow = np.block([[np.zeros((rows, rows), int), A], [A.T, np.zeros((columns, columns), int)]])
    assert rank_of(hollow) == 2 * rank
    assert_found(balls(hollow), 2 * rank)


@pytest.mark.parametrize(("size", "rank"), [(5, 4), (40, 13), (120, 105)])
def test_rows_and_columns_of_exact_zeros(size, rank):
    """A dead unit leaves a row and a column of zeros: two in three here, and one in twelve of the largest matrix."""
    kept = np.arange(size) % 3 == 0 if size < 100 else np.arange(size) % 12 != 0
    matrix = integers(size, size, rank) * np.outer(kept, kept)
    assert_found(balls(matrix), rank_of(matrix))


@pytest.mark.parametrize("size", [0, 1, 3, 101])
def test_the_zero_matrix(size):
    """Nothing is left of it: all balls have radius 0."""
    assert eliminate(balls(np.zeros((size, size)))) == (0, np.inf)


def shifted(size, rank):
    """Return A B + 1e-200 I, in balls of 300 digits."""
    return balls(integers(size, size, rank)) + exact(np.eye(size)) * flint.arb("1e-200")


@pytest.mark.parametrize(("size", "rank"), [(3, 1), (30, 12), (110, 101)])
def test_a_tiny_multiple_of_the_identity_counts_at_enough_digits(size, rank):
    assert eliminate(shifted(size, rank)) == (size, np.inf)


@pytest.mark.parametrize(("size", "rank"), [(3, 1), (30, 12), (110, 101)])
def test_a_tiny_multiple_of_the_identity_is_not_called_zero_at_few_digits(size, rank):
    """The rank is a lower bound. The gap tells that what is left has not been seen to be below 1e-90."""
    matrix = shifted(size, rank)
    with flint.ctx.workdps(60):
        found = eliminate(matrix)
    assert found.rank == rank
    assert found.gap < 90


@pytest.mark.parametrize("radius", [1e-20, 1e-100, 1e-250])
def test_the_gap_is_no_wider_than_the_radii_allow(radius):
    """The balls of A B contain matrices of full rank, so that no pivot beyond the rank may exclude zero."""
    matrix = balls(integers(20, 20, 9)) + flint.arb(0, radius)
    found = eliminate(matrix)
    assert found.rank == 9
    assert found.gap < -np.log10(radius)


@pytest.mark.parametrize("digits", [20, 30, 45])
def test_too_few_digits_give_a_lower_bound_and_no_gap(digits):
    """At these digits the small pivots of a matrix of full rank are lost, and something large is left."""
    matrix, fractions = graded(integers(40, 40, 40))
    assert fractions.rank() == 40
    with flint.ctx.workdps(digits):
        found = eliminate(matrix)
    assert 0 < found.rank < 40
    assert found.gap < 10


@pytest.mark.parametrize(
    "unknown", [flint.arb("nan"), flint.arb("inf"), flint.arb(0, np.inf)], ids=["nan", "inf", "any"]
)
@pytest.mark.parametrize("rank", [0, 5])
def test_an_entry_that_is_no_number_gives_no_confident_answer(rank, unknown):
    """It is in all that is left, so that no gap is proven: one of more than 75 digits `exact_ranks` would trust."""
    matrix = balls(integers(5, 5, rank))
    matrix[3, 4] = unknown
    assert not eliminate(matrix).gap > 0
