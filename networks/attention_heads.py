"""Self-attention of one layer: every token looks at every other."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

import checks
from networks import drawn


class Head(NamedTuple):
    """The weights of one head of attention."""

    W_Q: object  # (d, d_k), queries
    W_K: object  # (d, d_k), keys
    W_V: object  # (d, d_v), values
    W_O: object = None  # (d_v, K), the head's part of the output projection, or None without one


def attention(keys, values, init, classes=None, heads=1, softmax=False, causal=False):
    """Build one layer of self-attention, X (t, d) -> f(X) (t, K), for samples of t tokens.

        f(X) = sum_h A X W_V W_O,     A = X W_Q W_K^T X^T,   or   softmax(X W_Q W_K^T X^T / sqrt(d_k))  by rows

    The sum runs over the heads, and every head has weights W_Q, W_K, W_V, W_O of its own. With one output projection
    W_O for all heads, its rows belong to the heads in turn. Without an output projection the outputs of the heads stand
    side by side. There are no biases.

    Args:
        keys: d_k, the dimension of the queries and keys of one head.
        values: d_v, the dimension of the values of one head.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns.
        classes: number of outputs K for each token. None for no output projection, with K = heads * d_v.
        heads: number of heads.
        softmax: whether the scores go through a softmax. Without it, attention is called linear.
        causal: whether a token looks at itself and earlier tokens only.

    Returns:
        init_fn: init_fn(key, (-1, t, d)) -> ((-1, t, K), params), with params a list of `Head`.
        apply_fn: apply_fn(params, inputs of shape (n, t, d)) -> predictions of shape (n, t, K).

    Raises:
        TypeError, ValueError: for dimensions that are not positive integers, for `softmax` and `causal` other than True
            and False, or an `init` that is not a function.
        MemoryError: by init_fn, before it draws weights that would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import attention
        >>> from initializers import get_init
        >>> init_fn, apply_fn = attention(2, 3, get_init("glorot"), classes=4, heads=2)
        >>> shape, params = init_fn(jax.random.key(0), (-1, 8, 5))
        >>> shape, [weights.shape for weights in params[0]]
        ((-1, 8, 4), [(5, 2), (5, 2), (5, 3), (3, 4)])
        >>> apply_fn(params, jax.numpy.ones((10, 8, 5))).shape
        (10, 8, 4)
    """
    k, v = checks.integer("keys", keys), checks.integer("values", values)
    outputs = None if classes is None else checks.integer("classes", classes)
    number, init = checks.integer("heads", heads), drawn.initializer(init)

    def init_fn(key, shape):
        tokens, dim = drawn.input_shape(shape, "t", "d")
        head = Head((dim, k), (dim, k), (dim, v), None if outputs is None else (v, outputs))
        drawn.check_memory(key, [math.prod(shape) for shape in head if shape], number)  # before they are listed
        return (shape[0], tokens, outputs or number * v), drawn.weights(key, init, [head] * number)

    return init_fn, _apply_fn(checks.boolean("softmax", softmax), checks.boolean("causal", causal))


@functools.cache
def _apply_fn(softmax, causal):
    def apply_fn(params, inputs):
        drawn.check_inputs(inputs, "t", params[0].W_Q.shape[0])
        before = jnp.tril(jnp.ones((inputs.shape[1],) * 2, bool)) if causal else None
        found = [_head(head, inputs, softmax, before) for head in params]
        return sum(found[1:], found[0]) if params[0].W_O is not None else jnp.concatenate(found, axis=-1)

    return apply_fn


def _head(head, X, softmax, before):
    """Return the outputs (n, t, K) of one head. Tokens see those before them, (t, t) truth values, or all."""
    scores = (X @ head.W_Q) @ jnp.swapaxes(X @ head.W_K, -1, -2)
    if softmax:
        A = jax.nn.softmax(scores / head.W_Q.shape[1] ** 0.5, axis=-1, where=before)
    else:
        A = scores if before is None else jnp.where(before, scores, 0.0)
    outputs = A @ (X @ head.W_V)
    return outputs if head.W_O is None else outputs @ head.W_O
