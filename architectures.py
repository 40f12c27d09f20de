"""Fully connected networks as pairs of functions, (init_fn, apply_fn)."""

import functools
import itertools

import jax
import jax.numpy as jnp

import checks

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": functools.partial(jax.nn.leaky_relu, negative_slope=0.01),
    "tanh": jnp.tanh,
    "elu": jax.nn.elu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "sigmoid": jax.nn.sigmoid,
}
PIECEWISE_LINEAR = "linear", "relu", "leaky_relu"  # these turn fractions into fractions


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
    if not callable(init):
        raise TypeError(f"init must be a function init(key, shape, dtype), got {init!r}; pass get_init('glorot')")

    def init_fn(key, input_shape):
        checks.float64()
        layers = _layers(checks.integer("the input dimension", input_shape[-1]), hidden, outputs)
        if not isinstance(key, jax.core.Tracer):  # jax.eval_shape draws nothing
            _check_memory(layers, bias)
        params = []
        for m_in, m_out in layers:
            key, weight_key, bias_key = jax.random.split(key, 3)
            weight = init(weight_key, (m_in, m_out), jnp.float64)
            offset = jax.random.normal(bias_key, (m_out,), jnp.float64) / jnp.sqrt(m_in)
            params.append((weight, offset) if bias else weight)
        return (*input_shape[:-1], outputs), params

    return init_fn, _apply_fn(sigma, bias)


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


def _check_memory(layers, bias):
    sizes = _counts(layers, bias)
    # While a matrix is drawn, up to four more arrays of its size exist: random bits, and what becomes of them.
    checks.memory(
        8 * (sum(sizes) + 4 * max(sizes)),
        f"the weights of p = {sum(sizes)} parameters take {8e-9 * sum(sizes):.1f} GB, and more while they are drawn",
        "Choose smaller widths or a smaller dim",
    )


@functools.cache
def _apply_fn(sigma, bias):
    def apply_fn(params, inputs):
        first = params[0][0] if bias else params[0]
        if jnp.ndim(inputs) != 2 or inputs.shape[1] != first.shape[0]:
            raise ValueError(f"inputs must have shape (n, {first.shape[0]}) for this network, got {jnp.shape(inputs)}")
        x = inputs
        for layer, weights in enumerate(params, start=1):
            x = x @ weights[0] + weights[1] if bias else x @ weights
            x = sigma(x) if layer < len(params) else x
        return x

    return apply_fn
