"""Transformers that sort sequences or images into classes: blocks of self-attention and of dense layers."""

import functools
import math

import jax
import jax.numpy as jnp

import checks
from networks import drawn
from networks.activations import ACTIVATIONS

_TINY = 1e-5  # added to variances, so that a token without any spread can be normalized


def transformer(width, heads, depth, hidden, init, classes):
    """Build a transformer, X (t, d) -> f(X) (K,), for samples of t tokens.

        X_0 = X W_embed + positions
        Y_l = X_{l-1} + sum_h softmax(Q_h K_h^T / sqrt(width / heads)) V_h O_h
        X_l = Y_l + gelu(norm(Y_l) W_up) W_down
        f(X) = mean over the tokens of norm(X_depth), times W_head

    Head h has the queries Q_h = norm(X_{l-1}) W_Q, the keys K_h and the values V_h, of width / heads columns each, and
    O_h are its rows of the output projection W_O. The softmax acts on rows. The function `norm` subtracts the mean
    of each token's numbers, divides by their standard deviation, and multiplies by a gain. There are no biases.

    Args:
        width: numbers that stand for a token inside the network.
        heads: number of heads of attention in each block. It divides `width`.
        depth: number of blocks.
        hidden: units of the dense layer inside a block.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns. The gains start at 1.
        classes: number of outputs K.

    Returns:
        init_fn: init_fn(key, (-1, t, d)) -> ((-1, K), params). The dict params holds 'embed', 'positions', 'gain',
            'head', and for each block 'block_1/queries' (width, width), 'block_1/keys', 'block_1/values',
            'block_1/output', 'block_1/up', 'block_1/down' and its two gains. So `parts.layers` has a layer for each
            block.
        apply_fn: apply_fn(params, inputs of shape (n, t, d)) -> predictions of shape (n, K).

    Raises:
        TypeError, ValueError: for sizes that are not positive integers, heads that do not divide the width, or an
            `init` that is not a function.
        TypeError, ValueError: by init_fn, for another input shape.
        ValueError: by apply_fn, for inputs of a shape that does not fit the weights.
        MemoryError: by init_fn, before it draws weights that would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import transformer
        >>> from initializers import get_init
        >>> init_fn, apply_fn = transformer(8, 2, 1, 16, get_init("glorot"), classes=3)
        >>> shape, params = init_fn(jax.random.key(0), (-1, 6, 5))
        >>> shape, params["embed"].shape, params["block_1/queries"].shape, params["head"].shape
        ((-1, 3), (5, 8), (8, 8), (8, 3))
        >>> apply_fn(params, jax.numpy.ones((10, 6, 5))).shape
        (10, 3)
    """
    width, heads = checks.integer("width", width), checks.integer("heads", heads)
    depth, hidden = checks.integer("depth", depth), checks.integer("hidden", hidden)
    outputs, init = checks.integer("classes", classes), drawn.initializer(init)
    if width % heads:
        raise ValueError(
            f"heads must divide the width, got heads={heads} and width={width}: every head has width / heads "
            "queries, keys and values"
        )

    def init_fn(key, shape):
        tokens, dim = drawn.input_shape(shape, "t", "d")
        ends = {"embed": (dim, width), "positions": (tokens, width), "head": (width, outputs)}
        block = dict.fromkeys(("queries", "keys", "values", "output"), (width, width))
        block |= {"up": (width, hidden), "down": (hidden, width)}
        # Before they are listed: no block has fewer numbers than its gains.
        drawn.check_memory(key, [math.prod(each) for each in block.values()], depth)
        blocks = {f"block_{i}/{name}": each for i in range(1, depth + 1) for name, each in block.items()}
        gains = ["gain", *(f"block_{i}/{name}" for i in range(1, depth + 1) for name in ("gain_1", "gain_2"))]
        params = drawn.weights(key, init, ends | blocks)
        return (shape[0], outputs), params | {name: jnp.ones(width, jnp.float64) for name in gains}

    return init_fn, _apply_fn(heads, depth)


@functools.cache
def _apply_fn(heads, depth):
    def apply_fn(params, inputs):
        drawn.check_inputs(inputs, params["positions"].shape[0], params["embed"].shape[0])
        x = inputs @ params["embed"] + params["positions"]
        for i in range(1, depth + 1):
            block = {name: params[f"block_{i}/{name}"] for name in _BLOCK}
            x = x + _attention(block, _normalized(x, block["gain_1"]), heads)
            x = x + ACTIVATIONS["gelu"](_normalized(x, block["gain_2"]) @ block["up"]) @ block["down"]
        return _normalized(x, params["gain"]).mean(axis=1) @ params["head"]

    return apply_fn


_BLOCK = "gain_1", "queries", "keys", "values", "output", "gain_2", "up", "down"


def _normalized(x, gain):
    """Return x with mean 0 and variance 1 along its last axis, times the gain."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gain * centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + _TINY)


def _attention(block, x, heads):
    """Return the outputs (n, t, width) of all heads together."""
    queries, keys, values = (_by_head(x @ block[name], heads) for name in ("queries", "keys", "values"))
    scores = queries @ jnp.swapaxes(keys, -1, -2)
    found = jax.nn.softmax(scores / queries.shape[-1] ** 0.5, axis=-1) @ values
    return jnp.swapaxes(found, 1, 2).reshape(x.shape) @ block["output"]


def _by_head(x, heads):
    """Return (n, heads, t, width / heads) for (n, t, width): the columns belong to the heads in turn."""
    return jnp.swapaxes(x.reshape(*x.shape[:2], heads, -1), 1, 2)
