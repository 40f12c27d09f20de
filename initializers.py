"""Random initial weights, by name."""

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
        Gaussian, truncated at two standard deviations, mean 0 and variance 2 / (m_in + m_out).
    'uniform'
        Uniform on [-a, a] with a = sqrt(3 / m_in): mean 0 and variance 1 / m_in.
    'orthogonal'
        Haar measure: Q of the QR factorization of a Gaussian matrix with R's diagonal made positive (without that
        correction Q is not Haar). Rectangular matrices have orthonormal rows or columns, whichever are fewer.

    All three are `jax.nn.initializers`; with probability one they give weights in general position, which is what the
    equalities in `closed_forms` ask for.

    Raises:
        ValueError: for any other name.
    """
    return checks.choice("initialization", name, INITIALIZERS)
