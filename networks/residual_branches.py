"""Residual networks: every block adds a branch to what comes in."""

import functools

import jax

import checks
from networks import drawn
from networks.activations import ACTIVATIONS


def residual(branches, init, width=None, classes=None, activation="linear"):
    """Build a residual network: blocks with skip connections, between input and output layers if these are wanted.

        x_0 = x W_in,   x_l = x_{l-1} + sigma(x_{l-1} A_l) B_l,   f(x) = x_L W_out

    A branch without a width has one square matrix, x_l = x_{l-1} + sigma(x_{l-1} W_l). Samples are rows.

    Args:
        branches: [h_1, ..., h_L], for each block the width of its branch, or None for a square one.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns.
        width: m, the width of the blocks, with an input and an output layer. None for a network without these two, in
            which the blocks are as wide as the inputs, and so are the outputs.
        classes: number of outputs K, if there is a width.
        activation: sigma, a name in `ACTIVATIONS`.

    Returns:
        init_fn: init_fn(key, (-1, d)) -> ((-1, K), params). The list params holds W_in (d, m), then for each block a
            pair (A_l, B_l) of shapes (m, h_l) and (h_l, m), or W_l (m, m), and W_out (m, K).
        apply_fn: apply_fn(params, inputs of shape (n, d)) -> predictions of shape (n, K).

    Raises:
        TypeError, ValueError: for anything but positive integers, no blocks, a `width` without `classes` or the
            other way round, an unknown activation, or an `init` that is not a function.
        MemoryError: by init_fn, before it draws weights that would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import residual
        >>> from initializers import get_init
        >>> init_fn, apply_fn = residual([2, None], get_init("glorot"), width=4, classes=3)
        >>> shape, params = init_fn(jax.random.key(0), (-1, 5))
        >>> shape, [leaf.shape for leaf in jax.tree.leaves(params)]
        ((-1, 3), [(5, 4), (4, 2), (2, 4), (4, 4), (4, 3)])
    """
    widths = branch_widths(branches)
    if (width is None) != (classes is None):
        raise ValueError(
            f"width and classes belong together, got width={width} and classes={classes}: give both for a network "
            "with input and output layers, or neither"
        )
    outer = None if width is None else (checks.integer("width", width), checks.integer("classes", classes))
    sigma, init = checks.choice("activation", activation, ACTIVATIONS), drawn.initializer(init)

    def init_fn(key, shape):
        (dim,) = drawn.input_shape(shape, "d")
        m, outputs = outer or (dim, dim)
        shapes = [(m, m) if h is None else ((m, h), (h, m)) for h in widths]
        shapes = [(dim, m), *shapes, (m, outputs)] if outer else shapes
        return (shape[0], outputs), drawn.weights(key, init, shapes)

    return init_fn, _apply_fn(sigma, outer is not None)


def branch_widths(branches):
    """Return the widths of the branches as a list, of ints and None.

    Raises:
        TypeError: if they are not a sequence of integers and None.
        ValueError: if there are none, or for a width below one.
    """
    branches = checks.sequence("branches", branches, "widths of branches such as [2, None]")
    if not len(branches):
        raise ValueError("branches is empty: name at least one block, for instance [2, 2], or [None] for a square one")
    return [h if h is None else checks.integer(f"branches[{i}]", h) for i, h in enumerate(branches)]


@functools.cache
def _apply_fn(sigma, has_layers):
    def apply_fn(params, inputs):
        drawn.check_inputs(inputs, jax.tree.leaves(params)[0].shape[0])
        x = inputs @ params[0] if has_layers else inputs
        for block in params[1:-1] if has_layers else params:
            x = x + (sigma(x @ block[0]) @ block[1] if isinstance(block, (tuple, list)) else sigma(x @ block))
        return x @ params[-1] if has_layers else x

    return apply_fn
