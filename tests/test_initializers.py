import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from initializers import get_init, random_key

VARIANCES = {"glorot": 2 / (30 + 50), "uniform": 1 / 30}


@pytest.mark.parametrize("name", VARIANCES)
def test_mean_and_variance(name):
    draws = 200
    weights = jax.vmap(lambda key: get_init(name)(key, (30, 50), jnp.float64))(
        jax.random.split(jax.random.key(0), draws)
    )
    count, variance = weights.size, VARIANCES[name]
    assert weights.dtype == jnp.float64
    assert abs(weights.mean()) < 5 * np.sqrt(variance / count)
    assert_allclose(weights.var(), variance, rtol=5 * np.sqrt(2 / count))  # the variance of x^2 is at most 2 sigma^4


def test_uniform_fills_its_interval_on_both_sides_of_zero():
    weights, bound = get_init("uniform")(jax.random.key(1), (30, 50), jnp.float64), np.sqrt(3 / 30)
    assert -bound <= weights.min() < -0.95 * bound
    assert 0.95 * bound < weights.max() <= bound


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3)], ids=str)
def test_orthogonal_rows_or_columns(shape):
    W = get_init("orthogonal")(jax.random.key(2), shape, jnp.float64)
    gram = W @ W.T if shape[0] <= shape[1] else W.T @ W
    assert_allclose(gram, np.eye(min(shape)), atol=1e-14)


def test_orthogonal_is_haar():
    """Under the Haar measure E Q_ij = 0, E Q_ij^2 = 1/3, and det Q = +1 and -1 are equally likely, for 3 x 3 matrices.

    QR of a Gaussian matrix without sign correction has a mean diagonal of (-0.50, -0.48, 0.48).
    """
    keys = jax.random.split(jax.random.key(3), 4000)
    Q = np.asarray(jax.vmap(lambda key: get_init("orthogonal")(key, (3, 3), jnp.float64))(keys))
    five_sigma = 5 / np.sqrt(len(Q))
    assert_allclose(Q.mean(axis=0), np.zeros((3, 3)), atol=five_sigma * np.sqrt(1 / 3))
    assert_allclose((Q**2).mean(axis=0), np.full((3, 3), 1 / 3), atol=five_sigma * np.sqrt(4 / 45))
    assert abs(np.linalg.det(Q).mean()) < five_sigma


def test_unknown_name_lists_the_choices():
    with pytest.raises(ValueError, match=r"unknown initialization 'he'; choose one of .* 'orthogonal' as init_name"):
        get_init("he")


@pytest.mark.parametrize("seed", [0, 1, -1, np.int64(7), 2**63 - 1, -(2**63)], ids=repr)
def test_the_key_of_a_seed_is_jaxs(seed):
    np.testing.assert_array_equal(random_key(seed), jax.random.PRNGKey(int(seed)))


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        ("1", TypeError, "seed must be an integer, got '1' of type str"),
        (1.0, TypeError, "seed must be an integer, got 1.0 of type float"),
        (None, TypeError, "seed must be an integer, got None"),
        (True, TypeError, "seed must be an integer, got True"),
        ([1, 2], TypeError, r"seed must be an integer, got \[1, 2\] of type list"),
        (10**5000, ValueError, r"seed must be below 2\^63 = \d+, got a number of more than 4000 digits"),
        (2**63, ValueError, rf"seed must be below 2\^63 = {2**63}, got {2**63}"),
        (-(2**63) - 1, ValueError, rf"seed must be at least -{2**63}, got -{2**63 + 1}"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_bad_seeds(seed, error, message):
    with pytest.raises(error, match=message):
        random_key(seed)
