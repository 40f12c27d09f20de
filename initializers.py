"""Random initial weights: by the name of a distribution, and by a seed."""

import jax

import checks

INITIALIZERS = {
    "glorot": jax.nn.initializers.glorot_normal(),
    "uniform": jax.nn.initializers.lecun_uniform(),
    "orthogonal": jax.nn.initializers.orthogonal(),
}


def get_init(name):
    """Return the initializer `init(key, shape, dtype) -> W` for a weight matrix W of shape (m_in, m_out).

    'glorot'
        Gaussian, truncated at two standard deviations, with mean 0 and variance 2 / (m_in + m_out).
    'uniform'
        Uniform on [-a, a] with a = sqrt(3 / m_in), so that the mean is 0 and the variance 1 / m_in.
    'orthogonal'
        Uniform among all orthogonal matrices (the Haar measure). It is the factor Q of a Gaussian matrix's QR
        factorization, with R's diagonal made positive; without that correction Q is not uniform. Rectangular matrices
        have orthonormal rows or columns, whichever are fewer.

    All three are `jax.nn.initializers`. With probability one they give weights in general position, which the
    equalities in `closed_forms` ask for (`closed_forms.linear` defines the term).

    Raises:
        ValueError: for any other name.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from initializers import get_init
        >>> W = get_init("orthogonal")(jax.random.key(0), (5, 3), float)
        >>> bool(jax.numpy.allclose(W.T @ W, jax.numpy.eye(3)))
        True
    """
    return checks.choice("initialization", name, INITIALIZERS, "init_name")


def random_key(seed):
    """Return JAX's random key for a seed, `jax.random.PRNGKey(seed)`.

    Args:
        seed: integer from -2^63 to 2^63 - 1.

    Raises:
        TypeError: if the seed is not an integer.
        ValueError: if it is outside that range.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from initializers import random_key
        >>> random_key(1).tolist()
        [0, 1]
    """
    return jax.random.PRNGKey(checks.integer("seed", seed, minimum=-(2**63)))
