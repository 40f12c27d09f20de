import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import fully_connected
from bounds import linear_ranks
from hessians import functional_hessian, loss_hessian, num_params, outer_prod
from initializers import get_init
from losses import get_loss, of_params, squared
from ranks import (
    HessianRanks,
    factor_rank,
    numerical_rank,
    rank_table,
    sketched_rank,
    sketched_ranks,
    truncation_errors,
)

EPS = np.finfo(float).eps


def symmetric(eigenvalues, seed=0):
    """Return a dense symmetric matrix with the eigenvalues given."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))
    matrix = Q * np.asarray(eigenvalues) @ Q.T
    return (matrix + matrix.T) / 2


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


def test_well_determined():
    assert numerical_rank(np.diag([1.0, 3e-7, 0.0])).well_determined
    assert not numerical_rank(np.diag([1.0, 1e-7, 0.0])).well_determined
    assert numerical_rank(np.zeros((2, 2))).well_determined


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
        (np.ones((2, 2), np.float32), TypeError, "matrix must be float64, got float32: call jax.config.update"),
    ],
    ids=["not square", "empty", "not symmetric", "nan", "float32"],
)
def test_bad_matrices(matrix, error, message):
    with pytest.raises(error, match=message):
        numerical_rank(matrix)


def test_float32_mode_is_refused():
    with jax.enable_x64(False), pytest.raises(TypeError, match="JAX is set to float32"):
        numerical_rank(np.eye(2))


def test_table():
    measured = HessianRanks(*(numerical_rank(np.diag([1.0] * rank + [0.0] * (5 - rank))) for rank in (2, 3, 4)))
    header, _, *rows = rank_table(measured, HessianRanks(2, 3, 5), heading="linear network").splitlines()
    assert "linear network" in header
    assert [row.split()[-4:-1] for row in rows] == [["2", "2", "yes"], ["3", "3", "yes"], ["4", "5", "no"]]
    assert all(row.endswith("4.5e+15") for row in rows)
    assert len({len(line) for line in (header, *rows)}) == 1


def test_table_marks_what_is_not_well_determined():
    measured = HessianRanks(*(numerical_rank(np.diag([1.0, smallest, 0.0])) for smallest in (1.0, 1e-9, 1.0)))
    _, _, *rows, note = rank_table(measured, HessianRanks(2, 2, 2)).splitlines()
    assert [row.endswith("*") for row in rows] == [False, True, False]
    assert note.startswith("* a gap below 1e+09")


# --- without the matrix

KEY = jax.random.key(0)


def low_rank(rank, smallest, p=400, seed=0):
    """Return a symmetric (p, p) matrix with `rank` eigenvalues between 1 and `smallest`, of both signs."""
    values = np.geomspace(1, smallest, rank) * np.where(np.arange(rank) % 3 == 0, -1, 1)
    return symmetric(np.concatenate([values, np.zeros(p - rank)]), seed)


@pytest.mark.parametrize("guess", [0, 7, 59, 60, 61, 300, 400, 10_000, None])
def test_sketched_rank_whatever_the_guess(guess):
    matrix = low_rank(60, 1e-3)
    found = sketched_rank(lambda V: V @ matrix, 400, guess, KEY)
    assert found.rank == 60
    assert found.gap > 1e9


def test_the_sketch_is_as_small_as_the_guess_allows_and_doubles():
    matrix = low_rank(60, 1e-3)
    sizes = [len(sketched_rank(lambda V: V @ matrix, 400, guess, KEY).spectrum) for guess in (60, 55, 50, 10, 0)]
    assert sizes == [76, 70, 130, 84, 80]


@pytest.mark.parametrize("rank", [0, 1, 395, 399, 400])
def test_extreme_ranks(rank):
    matrix = low_rank(rank, 1e-2) if rank else np.zeros((400, 400))
    assert sketched_rank(lambda V: V @ matrix, 400, None, KEY).rank == rank


def test_a_sketch_of_all_probes_has_the_spectrum_of_the_matrix():
    matrix = symmetric(np.linspace(-1, 2, 90))
    found = sketched_rank(lambda V: V @ matrix, 90, None, KEY)
    assert_allclose(np.sort(found.spectrum), np.linspace(-1, 2, 90), atol=1e-13)


def test_what_a_sketch_cannot_see_an_orthonormal_basis_can():
    """Eigenvalues down to 1e-11: at l = r + 13 the sketch has a gap below 1e5, the orthonormal basis the matrix's."""
    matrix = low_rank(200, 1e-11)
    dense, found = numerical_rank(matrix), sketched_rank(lambda V: V @ matrix, 400, 185, KEY)
    assert found.rank == dense.rank == 200
    assert len(found.spectrum) == 213
    assert_allclose(found.spectrum[:200], dense.spectrum[:200], rtol=1e-2)
    assert 0.1 < found.gap / dense.gap < 10


@pytest.mark.parametrize("rows", [30, 300, 900])
def test_a_factor_shows_what_its_square_hides(rows):
    """Singular values down to 1e-10: eigenvalues down to 1e-20, which no symmetric eigenvalue problem sees."""
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(size, 20)))[0] for size in (rows, 400))
    A = left * np.geomspace(1, 1e-10, 20) @ right.T
    assert numerical_rank(A.T @ A).rank < 20
    for guess in (20, None, 0, 400):
        found = factor_rank(lambda V: V @ A.T, 400, guess, KEY)
        assert found.rank == 20
        assert 1e3 < found.gap < 1e7


@pytest.mark.parametrize("loss_name", ["mse", "cross", "cosh", "our own"])
@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_sketched_ranks_are_the_dense_ones(activation, loss_name):
    """Also for a loss whose root is not known, where H_o has no factor here."""
    loss = (lambda f, y: squared(f, y)) if loss_name == "our own" else get_loss(loss_name)
    init_fn, apply_fn = fully_connected([5, 4], 3, activation, get_init("orthogonal"))
    _, params = init_fn(jax.random.PRNGKey(3), (-1, 50))
    rng = np.random.default_rng(2)
    inputs, targets = rng.normal(size=(12, 50)), np.eye(3)[rng.integers(3, size=12)]
    expected = HessianRanks(
        functional_hessian(loss, apply_fn, params, inputs, targets),
        outer_prod(loss, apply_fn, params, inputs, targets),
        loss_hessian(of_params(loss, apply_fn), params, inputs, targets),
    )
    batches = [(inputs[:8], targets[:8]), (inputs[8:], targets[8:])]
    found = sketched_ranks(loss, apply_fn, params, batches, guess=HessianRanks(30, 30, 60))
    for sketched, matrix in zip(found, expected, strict=True):
        assert sketched.rank == numerical_rank(matrix).rank
        assert sketched.gap > 1e5
        assert len(sketched.spectrum) < num_params(params) == 282
    if activation == "linear":
        name = "mse" if loss_name == "our own" else loss_name
        assert tuple(rank.rank for rank in found) == tuple(linear_ranks(12, 3, [5, 4], name))


def test_bad_guesses():
    for guess, error, message in [
        (-1, ValueError, "guess must be at least 0, got -1"),
        (2.5, TypeError, "guess must be an integer, got 2.5"),
    ]:
        with pytest.raises(error, match=message):
            sketched_rank(lambda V: V, 10, guess, KEY)
    with pytest.raises(ValueError, match="p must be at least 1, got 0"):
        sketched_rank(lambda V: V, 0, 1, KEY)
    with pytest.raises(ValueError, match="must be symmetric in the vectors"):
        sketched_rank(lambda V: V @ np.triu(np.ones((10, 10))), 10, 1, KEY)


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
    assert vanished.well_determined
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
    with pytest.raises(ValueError, match="the spectrum is zero"):
        truncation_errors(np.zeros(3))
