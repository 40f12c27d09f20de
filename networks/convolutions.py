"""Convolutional networks on sequences and images, with a dense last layer or without one."""

import functools
import itertools
import math

import jax.numpy as jnp

import checks
from networks import drawn
from networks.activations import ACTIVATIONS

PADDINGS = "VALID", "SAME", "CIRCULAR"


def convolutional(channels, kernels, init, classes=None, padding="VALID", activation="linear"):
    """Build a convolutional network of stride 1, on sequences (n, w, c_0) or images (n, h, w, c_0).

        x_l = sigma(x_{l-1} * W_l),     f(x) = x_L,   or   flattened x_L times W_head   with a dense head

    A convolution is what deep learning calls so: y[t, c] = sum_{s, b} x[t + s, b] W[s, b, c], without reversing the
    kernel. The activation does not act on the outputs. There are no biases.

    Args:
        channels: [c_1, ..., c_L], the channels of the convolutional layers.
        kernels: [k_1, ..., k_L]: ints for sequences, pairs (height, width) for images.
        init: a function init(key, shape, dtype), such as `initializers.get_init(name)` returns.
        classes: number of outputs K of a dense layer behind the convolutions, the head. None for no head.
        padding: 'VALID' for none, 'SAME' for zeros on both sides, so that the length stays, 'CIRCULAR' for the other
            end of the input.
        activation: sigma, a name in `ACTIVATIONS`.

    Returns:
        init_fn: init_fn(key, (-1, w, c_0)) or init_fn(key, (-1, h, w, c_0)) -> (shape of the outputs, params). The list
            params holds W_l, of shape (k_l, c_{l-1}, c_l) or (height, width, c_{l-1}, c_l). With a head it ends with
            the matrix W_head (positions times c_L, K).
        apply_fn: apply_fn(params, inputs) -> predictions, of shape (n, K) with a head, and else (n, positions, c_L).

    Raises:
        TypeError, ValueError: for sizes that are not positive integers, lists of different lengths, kernels of both
            kinds, an unknown padding or activation, or an `init` that is not a function.
        TypeError, ValueError: by init_fn, for another input shape, or inputs shorter than the kernels.
        ValueError: by apply_fn, for inputs of a shape that does not fit the weights.
        MemoryError: by init_fn, before it draws weights that would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from architectures import convolutional
        >>> from initializers import get_init
        >>> init_fn, apply_fn = convolutional([4, 4], [(3, 3), (3, 3)], get_init("glorot"), classes=10)
        >>> shape, params = init_fn(jax.random.key(0), (-1, 7, 7, 1))
        >>> shape, [weights.shape for weights in params]
        ((-1, 10), [(3, 3, 1, 4), (3, 3, 4, 4), (36, 10)])
    """
    sizes, taps = layer_sizes(channels, kernels)
    outputs = None if classes is None else checks.integer("classes", classes)
    checks.choice("padding", padding, dict.fromkeys(PADDINGS))
    sigma, init = checks.choice("activation", activation, ACTIVATIONS), drawn.initializer(init)

    def init_fn(key, shape):
        *space, first = drawn.input_shape(shape, *("h", "w", "c_0")[-1 - len(taps[0]) :])
        shapes = [(*k, a, b) for k, (a, b) in zip(taps, itertools.pairwise([first, *sizes]), strict=True)]
        last = positions(space, taps, padding)
        result = (shape[0], *last, sizes[-1])
        if outputs is not None:
            shapes, result = [*shapes, (math.prod(last) * sizes[-1], outputs)], (shape[0], outputs)
        return result, drawn.weights(key, init, shapes)

    return init_fn, _apply_fn(sigma, padding, len(sizes))


def layer_sizes(channels, kernels):
    """Return the channels as a list of ints, and the kernels as a list of tuples of one or two ints.

    Raises:
        TypeError, ValueError: as in `convolutional`.
    """
    sizes = [
        checks.integer(f"channels[{i}]", c)
        for i, c in enumerate(checks.sequence("channels", channels, "channels such as [4, 4]"))
    ]
    if not isinstance(kernels, (list, tuple)):
        raise TypeError(
            f"kernels must be a list such as [3, 3] or [(3, 3), (3, 3)], one for each layer, got {kernels!r}"
        )
    if not sizes or len(kernels) != len(sizes):
        raise ValueError(
            f"every layer needs its channels and its kernel, got {len(sizes)} channels and {len(kernels)} kernels"
        )
    taps = [tuple(kernel) if isinstance(kernel, (tuple, list)) else (kernel,) for kernel in kernels]
    taps = [tuple(checks.integer(f"kernels[{i}]", k) for k in kernel) for i, kernel in enumerate(taps)]
    if len({len(kernel) for kernel in taps}) > 1 or len(taps[0]) not in (1, 2):
        raise ValueError(f"kernels must all be ints, for sequences, or all be pairs, for images, got {kernels}")
    return sizes, taps


def positions(space, kernels, padding="VALID"):
    """Return how many positions the last layer has along every axis.

    Args:
        space: positions of the inputs along every axis.
        kernels: a tuple for each layer, with the taps along every axis.
        padding: as in `convolutional`.

    Raises:
        ValueError: if a kernel is longer than what it is laid over.
    """
    for kernel in kernels:
        if any(k > size for k, size in zip(kernel, space, strict=True)):
            raise ValueError(
                f"a kernel of {kernel} taps is longer than the {tuple(space)} positions that it is laid over: take "
                "longer inputs, shorter kernels or fewer layers"
            )
        if padding == "VALID":
            space = [size - k + 1 for k, size in zip(kernel, space, strict=True)]
    return tuple(space)


@functools.cache
def _apply_fn(sigma, padding, layers):
    def apply_fn(params, inputs):
        drawn.check_inputs(inputs, *("h", "w")[2 - len(_taps(params[0])) :], params[0].shape[-2])
        last = positions(inputs.shape[1:-1], map(_taps, params[:layers]), padding)
        features = math.prod(last) * params[layers - 1].shape[-1]
        if len(params) > layers and features != params[-1].shape[0]:
            raise ValueError(
                f"inputs of shape {inputs.shape} have {features} features before the head, which takes "
                f"{params[-1].shape[0]}: give inputs of the shape that init_fn got"
            )
        x = inputs
        for layer, kernel in enumerate(params[:layers], start=1):
            x = _convolved(x, kernel, padding)
            x = sigma(x) if layer < len(params) else x
        if len(params) == layers:
            return x
        return x.reshape(len(x), features) @ params[-1]

    return apply_fn


def _taps(kernel):
    return kernel.shape[:-2]


def _convolved(x, kernel, padding):
    """Return the sums over the taps of kernel and inputs, for all positions, as one product of matrices.

    XLA has no fast convolution of float64 numbers on a CPU: this takes half the time of `jax.lax`.
    """
    taps = _taps(kernel)
    if padding != "VALID":  # circular: the kernel at position t sees t, t + 1, ...
        before = [(k - 1) // 2 if padding == "SAME" else 0 for k in taps]
        around = [(0, 0), *((b, k - 1 - b) for b, k in zip(before, taps, strict=True)), (0, 0)]
        x = jnp.pad(x, around, mode="wrap" if padding == "CIRCULAR" else "constant")
    sizes = [size - k + 1 for size, k in zip(x.shape[1:-1], taps, strict=True)]
    windows = [
        x[:, *(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))]
        for starts in itertools.product(*map(range, taps))
    ]
    return jnp.concatenate(windows, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])
