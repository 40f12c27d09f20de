"""Networks that use one matrix more than once."""

import functools

import checks
from networks import drawn


def tied(width, init):
    """Build the linear autoencoder with tied weights, f(x) = x U U^T.

    Samples are rows. There are as many outputs as inputs.

    Args:
        width: m, the number of columns of U.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns.

    Returns:
        init_fn: init_fn(key, (-1, d)) -> ((-1, d), U), with U of shape (d, m).
        apply_fn: apply_fn(U, inputs of shape (n, d)) -> predictions of shape (n, d).

    Raises:
        TypeError, ValueError: for a width that is not a positive integer, or an `init` that is not a function.
        MemoryError: by init_fn, before it draws weights that would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import tied
        >>> from initializers import get_init
        >>> init_fn, apply_fn = tied(3, get_init("glorot"))
        >>> shape, U = init_fn(jax.random.key(0), (-1, 5))
        >>> shape, U.shape
        ((-1, 5), (5, 3))
    """
    m, init = checks.integer("width", width), drawn.initializer(init)

    def init_fn(key, shape):
        (dim,) = drawn.input_shape(shape, "d")
        return tuple(shape), drawn.weights(key, init, (dim, m))

    return init_fn, _encode_and_decode


def recurrent(layers, init):
    """Build the linear recurrent network without inputs on the way, f(x) = x W^L. Samples are rows.

    Args:
        layers: L, how many times the square matrix W is applied.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns.

    Returns:
        init_fn: init_fn(key, (-1, d)) -> ((-1, d), W), with W of shape (d, d).
        apply_fn: apply_fn(W, inputs of shape (n, d)) -> predictions of shape (n, d).

    Raises:
        TypeError, ValueError, MemoryError: as in `tied`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import recurrent
        >>> _, apply_fn = recurrent(3, jax.nn.initializers.orthogonal())
        >>> apply_fn(2.0 * jax.numpy.eye(2), jax.numpy.array([[1.0, -1.0]]))
        Array([[ 8., -8.]], dtype=float64)
    """
    count, init = checks.integer("layers", layers), drawn.initializer(init)

    def init_fn(key, shape):
        (dim,) = drawn.input_shape(shape, "d")
        return tuple(shape), drawn.weights(key, init, (dim, dim))

    return init_fn, _power(count)


def _encode_and_decode(U, inputs):
    drawn.check_inputs(inputs, U.shape[0])
    return (inputs @ U) @ U.T


@functools.cache
def _power(count):
    def apply_fn(W, inputs):
        drawn.check_inputs(inputs, W.shape[0])
        x = inputs
        for _ in range(count):
            x = x @ W
        return x

    return apply_fn
