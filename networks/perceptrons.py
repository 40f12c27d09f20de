"""Fully connected networks, with any activation function or with powers."""

import functools
import itertools

import jax
import jax.numpy as jnp

import checks
from networks import drawn
from networks.activations import ACTIVATIONS


def fully_connected(units, classes, activation, init, bias=False):
    """Build a fully connected network with L = len(units) + 1 layers.

        x_0 = x,   x_l = sigma(x_{l-1} W_l + b_l)  for l < L,   f(x) = x_{L-1} W_L + b_L

    Samples are rows. So `W_l` has shape (m_{l-1}, m_l) and is the transpose of the paper's. The activation sigma acts
    on the hidden layers only. Every layer uses `init` for its weights and has a bias if `bias` is true.

    Args:
        units: hidden widths [m_1, ..., m_{L-1}], at least one.
        classes: number of outputs K = m_L.
        activation: a name in `ACTIVATIONS`: 'linear', 'relu', 'leaky_relu' (slope 0.01), 'tanh', 'elu', 'gelu' (with
            erf) or 'sigmoid'.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns.
        bias: whether every layer adds a bias b_l, drawn from a Gaussian of mean 0 and variance 1 / m_{l-1}.

    Returns:
        init_fn: init_fn(key, (-1, d)) -> ((-1, K), params), with params [W_1, ..., W_L], or [(W_1, b_1), ...] with
            biases, in float64.
        apply_fn: apply_fn(params, inputs of shape (n, d)) -> predictions of shape (n, K). Networks with the same
            activation and the same `bias` share one function object, so that those of one shape are compiled once.

    Raises:
        TypeError: for widths or classes that are not integers, a `bias` other than True or False, or an `init` that is
            not a function (a name, say).
        ValueError: for an empty list of widths, a width or a number of classes below one, or an unknown activation.
        TypeError, ValueError: by init_fn, for another input shape than (-1, d).
        MemoryError: by init_fn, before it draws weights that would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import fully_connected
        >>> from initializers import get_init
        >>> init_fn, apply_fn = fully_connected([3, 4], 2, "relu", get_init("glorot"))
        >>> _, params = init_fn(jax.random.key(0), (-1, 5))
        >>> [W.shape for W in params]
        [(5, 3), (3, 4), (4, 2)]
        >>> apply_fn(params, jax.numpy.ones((10, 5))).shape
        (10, 2)
    """
    hidden = checks.widths(units)
    outputs = checks.integer("classes", classes)
    sigma = checks.choice("activation", activation, ACTIVATIONS)
    bias = checks.boolean("bias", bias)
    init = drawn.initializer(init)

    def init_fn(key, shape):
        checks.float64()
        (dim,) = drawn.input_shape(shape, "d")
        layers = _layers(dim, hidden, outputs)
        drawn.check_memory(key, _counts(layers, bias))
        params = []
        for m_in, m_out in layers:
            key, weight_key, bias_key = jax.random.split(key, 3)
            weight = init(weight_key, (m_in, m_out), jnp.float64)
            offset = jax.random.normal(bias_key, (m_out,), jnp.float64) / jnp.sqrt(m_in)
            params.append((weight, offset) if bias else weight)
        return (shape[0], outputs), params

    return init_fn, _apply_fn(sigma, bias)


def polynomial(units, classes, degree, init, bias=False):
    """Build a fully connected network whose activation function is the power z -> z^a.

    Such a network is a polynomial in its inputs. With one hidden layer, one output and no biases it is a sum of m
    powers of linear forms, of degree a.

    Args:
        units, classes, init, bias: as in `fully_connected`.
        degree: a, at least 1.

    Returns:
        init_fn, apply_fn: as in `fully_connected`.

    Raises:
        TypeError, ValueError, MemoryError: as in `fully_connected`, and for a degree that is not a positive integer.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import polynomial
        >>> from initializers import get_init
        >>> _, apply_fn = polynomial([1], 1, 3, get_init("glorot"))
        >>> apply_fn([jax.numpy.array([[2.0]]), jax.numpy.array([[1.0]])], jax.numpy.array([[5.0]]))
        Array([[1000.]], dtype=float64)
    """
    init_fn, _ = fully_connected(units, classes, "linear", init, bias)
    return init_fn, _apply_fn(_power(checks.integer("degree", degree)), checks.boolean("bias", bias))


def count_parameters(dim, units, classes, bias=False):
    """Return p, the number of parameters of a fully connected network, before any of them is drawn.

        p = sum_l m_{l-1} m_l,  with biases  p = sum_l (m_{l-1} + 1) m_l,    m_0 = d, m_L = K

    Args:
        dim: number of inputs d.
        units, classes, bias: as in `fully_connected`.

    Returns:
        int.

    Raises:
        TypeError, ValueError: as in `fully_connected`, and for a `dim` that is not a positive integer.

    Example:
        >>> from architectures import count_parameters
        >>> count_parameters(dim=25, units=[5, 10], classes=10)  # 25 x 5 + 5 x 10 + 10 x 10
        275
    """
    sizes = checks.integer("dim", dim), checks.widths(units), checks.integer("classes", classes)
    return sum(_counts(_layers(*sizes), checks.boolean("bias", bias)))


def _layers(dim, hidden, outputs):
    """Return the pairs (m_{l-1}, m_l)."""
    return list(itertools.pairwise([dim, *hidden, outputs]))


def _counts(layers, bias):
    """Return the number of parameters of each layer."""
    return [(m_in + bias) * m_out for m_in, m_out in layers]


@functools.cache
def _apply_fn(sigma, bias):
    def apply_fn(params, inputs):
        first = params[0][0] if bias else params[0]
        drawn.check_inputs(inputs, first.shape[0])
        x = inputs
        for layer, weights in enumerate(params, start=1):
            x = x @ weights[0] + weights[1] if bias else x @ weights
            x = sigma(x) if layer < len(params) else x
        return x

    return apply_fn


@functools.cache
def _power(degree):
    return lambda z: jax.lax.integer_pow(z, degree)
