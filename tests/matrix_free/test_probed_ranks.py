import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import fully_connected
from closed_forms import linear_ranks
from hessians import HessianTriple, dense_hessians, num_params
from initializers import get_init
from losses import LOSSES, get_loss, squared
from matrix_free import factor_rank, sketched_rank, sketched_ranks
from ranks import numerical_rank
from tests.matrix_free.spectra import Bar
from tests.oracles.prescribed_spectrum import symmetric

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


@pytest.mark.parametrize("loss_name", [*LOSSES, "our own"])
@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_sketched_ranks_are_the_dense_ones(activation, loss_name):
    """Also for a loss whose root is not known, where H_o has no factor here."""
    loss = (lambda f, y: squared(f, y)) if loss_name == "our own" else get_loss(loss_name)
    init_fn, apply_fn = fully_connected([5, 4], 3, activation, get_init("orthogonal"))
    _, params = init_fn(jax.random.PRNGKey(3), (-1, 50))
    rng = np.random.default_rng(2)
    inputs, targets = rng.normal(size=(12, 50)), np.eye(3)[rng.integers(3, size=12)]
    expected = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    batches = [(inputs[:8], targets[:8]), (inputs[8:], targets[8:])]
    bar = Bar()
    found = sketched_ranks(loss, apply_fn, params, batches, guess=HessianTriple(30, 30, 60), bar=bar)
    assert bar.n >= sum(len(rank.spectrum) for rank in found[::2])  # H_f and H_L
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
