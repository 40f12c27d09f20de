import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from counting import compressed
from ranks import active_ranks, numerical_rank, truncation_errors
from tests.oracles.prescribed_spectrum import symmetric

EPS = np.finfo(float).eps


@pytest.mark.parametrize("rank", [1, 7, 29, 30])
def test_rank_of_a_prescribed_spectrum(rank):
    eigenvalues = np.zeros(30)
    eigenvalues[:rank] = np.geomspace(1e3, 1e-3, rank) * np.where(np.arange(rank) % 3 == 0, -1, 1)
    found = numerical_rank(symmetric(eigenvalues))
    assert found.rank == rank
    # The smallest eigenvalue counted is known; what is not counted lies between eps and a few eps of the largest.
    if rank < 30:
        smallest = 1.0 if rank == 1 else 1e-6
        assert smallest / (100 * EPS) < found.gap <= 1.01 * smallest / EPS
    assert_allclose(found.threshold, 10 * EPS * 1e3, rtol=1e-10)
    order = np.argsort(-abs(eigenvalues))
    assert_allclose(found.spectrum[:rank], eigenvalues[order][:rank], rtol=1e-8)


def test_a_slope_without_a_cliff_has_a_small_gap():
    assert numerical_rank(symmetric(np.geomspace(1, 1e-20, 41))).gap < 10


def test_full_rank_measures_the_gap_from_the_threshold():
    found = numerical_rank(np.diag([2.0, 1.0, -0.5]))
    assert found.rank == 3
    assert_allclose(found.gap, 0.5 / (10 * EPS * 2))


def test_exact_zeros_claim_no_more_than_rounding_allows():
    found = numerical_rank(np.diag([1.0, 1e-10, 0.0]))
    assert found.rank == 2
    assert_allclose(found.gap, 1e-10 / EPS)


def test_the_default_threshold_grows_with_the_square_root_of_p():
    assert_allclose(numerical_rank(np.eye(400)).threshold, 20 * EPS)


def test_a_matrix_alone_is_never_trusted():
    """Nobody knows what was lost when it was made: 1e-9 may have become 1e-18."""
    for matrix in (np.diag([1.0, 0.0]), np.zeros((2, 2)), np.eye(3)):
        assert not numerical_rank(matrix).trusted


def test_zero_matrix():
    found = numerical_rank(np.zeros((4, 4)))
    assert (found.rank, found.gap, found.threshold) == (0, np.inf, 0.0)


def test_the_threshold_can_be_set():
    matrix = np.diag([1.0, 1e-3, 1e-6])
    assert [numerical_rank(matrix, rtol=rtol).rank for rtol in (0.0, 1e-5, 1e-2)] == [3, 2, 1]
    assert_allclose(numerical_rank(matrix, rtol=0.0).gap, 1e-6 / EPS)
    with pytest.raises(ValueError, match=r"rtol must be in \[0, 1\), got 1"):
        numerical_rank(matrix, rtol=1)


def test_jax_and_numpy_arrays_give_the_same():
    matrix = symmetric([3.0, -2.0, 1e-3, 0.0, 0.0])
    ours, theirs = numerical_rank(matrix), numerical_rank(jnp.asarray(matrix))
    assert ours.rank == theirs.rank == 3
    assert_allclose(ours.spectrum, theirs.spectrum, atol=1e-15)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (np.ones((2, 3)), ValueError, r"must be square, \(p, p\), got shape \(2, 3\)"),
        (np.ones((0, 0)), ValueError, r"must be square"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), ValueError, "must be symmetric, but entries differ .* by 2.0e"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), ValueError, "matrix must be finite, but 2 of 4 entries"),
        (np.ones((2, 2), np.float32), TypeError, "matrix must be float64, got float32: make matrix again in float64"),
    ],
    ids=["not square", "empty", "not symmetric", "nan", "float32"],
)
def test_bad_matrices(matrix, error, message):
    with pytest.raises(error, match=message):
        numerical_rank(matrix)


def test_float32_mode_is_refused():
    with jax.enable_x64(False), pytest.raises(TypeError, match="JAX is set to float32"):
        numerical_rank(np.eye(2))


def test_a_matrix_at_the_scale_of_a_larger_one():
    """Its threshold, the tolerance of its symmetry and its gap are those of the larger one; its rank is its own."""
    matrix = np.diag([1e-6, -1e-9, 1e-25])
    alone, beside = numerical_rank(matrix), numerical_rank(matrix, scale=10.0)
    assert (alone.rank, beside.rank) == (2, 2)
    assert beside.threshold == pytest.approx(10 * alone.threshold / 1e-6)
    assert beside.gap == pytest.approx(1e-9 / (10 * np.finfo(float).eps))
    np.testing.assert_array_equal(beside.spectrum, alone.spectrum)
    rounding = 1e-16 * np.random.default_rng(0).standard_normal((3, 3))
    with pytest.raises(ValueError, match="symmetric"):
        numerical_rank(rounding)
    vanished = numerical_rank(rounding, scale=1.0)
    assert vanished.rank == 0
    assert len(vanished.spectrum) == 3
    assert numerical_rank(matrix, scale=1e-7)[:3] == alone[:3]


def test_truncation_errors_are_those_of_the_best_approximations():
    values, vectors = np.linalg.eigh(symmetric := (lambda a: a + a.T)(np.random.default_rng(1).standard_normal((6, 6))))
    errors = truncation_errors(numerical_rank(symmetric).spectrum)
    order = np.argsort(-abs(values))
    for k, error in enumerate(errors):
        kept = order[:k]
        best = vectors[:, kept] * values[kept] @ vectors[:, kept].T
        assert error == pytest.approx(np.linalg.norm(symmetric - best) / np.linalg.norm(symmetric), abs=1e-14)
    assert errors[0] == 1


@pytest.mark.parametrize("size", [1, 3])
def test_a_zero_matrix_is_approximated_without_error(size):
    np.testing.assert_array_equal(truncation_errors(np.zeros(size)), np.zeros(size + 1))


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1.0, 1e200, 1e300])
def test_truncation_errors_are_relative_at_any_scale(scale):
    """The squares of such eigenvalues may be no float64."""
    assert_allclose(truncation_errors(scale * np.array([-4.0, 3.0, 0.0])), [1, 0.6, 0, 0], rtol=1e-14)


@pytest.mark.parametrize(("rank", "size"), [(0, 10), (20, 30), (45, 100)])
def test_a_compressed_matrix_has_the_same_rank(rank, size):
    matrix = symmetric(np.concatenate([np.linspace(1, 2, rank) * (-1) ** np.arange(rank), np.zeros(100 - rank)]))
    smaller = compressed(matrix, rank)
    assert smaller.shape == (size, size)
    assert numerical_rank(smaller).rank == rank
    assert numerical_rank(compressed(symmetric(np.linspace(1, 2, 100)), rank)).rank == size  # full: there are more


@pytest.mark.parametrize("bias", [False, True])
def test_ranks_of_the_inputs_on_which_a_unit_is_active(bias):
    """Unit by unit and sample by sample; a unit that is never active has rank 0, and zero is not active."""
    generator = np.random.default_rng(0)
    inputs, weights = generator.standard_normal((7, 4)), generator.standard_normal((4, 5))
    offsets = generator.standard_normal(5)
    weights[:, 0], offsets[0] = 0.0, 0.0
    params = [(weights, offsets), (np.ones((5, 2)), np.ones(2))] if bias else [weights, np.ones((5, 2))]
    expected = []
    for j in range(5):
        rows = [[*x, 1.0] if bias else x for x in inputs if x @ weights[:, j] + bias * offsets[j] > 0]
        expected.append(np.linalg.matrix_rank(np.array(rows)) if rows else 0)
    assert active_ranks(params, inputs) == expected
    assert expected[0] == 0
    assert max(expected) > 1
