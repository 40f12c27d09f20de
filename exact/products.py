"""Primitives that add up products, as stacks of matrix products, and the windows of an array."""

import math

import numpy as np

from exact.moves import padded


def as_matmul(equation, a, b):
    """Return how to write a sum of products as a stack of matrix products.

    Args:
        equation: of `dot_general` or `conv_general_dilated`.
        a, b: shapes of its operands.

    Returns:
        left, right, back: functions that move entries, of a to (stack, m, k), of b to (stack, k, n), and of the product
            (stack, m, n) to the result.
    """
    form = _dot_as_matmul if equation.primitive.name == "dot_general" else _convolution_as_matmul
    return form(equation.params, a, b)


def _dot_as_matmul(params, a, b):
    (summed_a, summed_b), (stack_a, stack_b) = params["dimension_numbers"]
    free_a = [axis for axis in range(len(a)) if axis not in (*summed_a, *stack_a)]
    free_b = [axis for axis in range(len(b)) if axis not in (*summed_b, *stack_b)]
    sizes = lambda shape, axes: [shape[axis] for axis in axes]
    stack, terms = math.prod(sizes(a, stack_a)), math.prod(sizes(a, summed_a))
    rows, columns = math.prod(sizes(a, free_a)), math.prod(sizes(b, free_b))
    return (
        lambda x: x.transpose(*stack_a, *free_a, *summed_a).reshape(stack, rows, terms),
        lambda x: x.transpose(*stack_b, *summed_b, *free_b).reshape(stack, terms, columns),
        lambda x: x.reshape(sizes(a, stack_a) + sizes(a, free_a) + sizes(b, free_b)),
    )


def _convolution_as_matmul(params, a, b):
    """Write a convolution as a matrix product of patches and kernels.

    The groups of features, or of the batch, are the stack. A row is a sample at a place, a term an input channel at a
    place of the kernel, a column an output channel.
    """
    spec = params["dimension_numbers"]
    by_feature, by_batch = params["feature_group_count"], params["batch_group_count"]
    groups = by_feature * by_batch
    outputs, channels, *kernel = (b[axis] for axis in spec.rhs_spec)
    batch = a[spec.lhs_spec[0]] // by_batch
    config = {
        "window_dimensions": (1, 1, *kernel),
        "window_strides": (1, 1, *params["window_strides"]),
        "padding": ((0, 0), (0, 0), *params["padding"]),
        "base_dilation": (1, 1, *params["lhs_dilation"]),
        "window_dilation": (1, 1, *params["rhs_dilation"]),
    }
    places = tuple(_window_counts(config, [a[axis] for axis in spec.lhs_spec]))[2:]
    terms, count = channels * math.prod(kernel), len(kernel)

    def left(x):
        zero = x.reshape(-1)[:1] * 0
        patches = windows(
            config, x.transpose(spec.lhs_spec), zero.reshape(())
        )  # (samples, channels, *places, 1, 1, *kernel)
        patches = patches.reshape(by_batch, batch, by_feature, channels, *places, *kernel)
        axes = [0, 2, 1, *range(4, 4 + count), 3, *range(4 + count, 4 + 2 * count)]
        return patches.transpose(axes).reshape(groups, batch * math.prod(places), terms)

    def right(x):
        kernels = x.transpose(spec.rhs_spec).reshape(groups, outputs // groups, terms)
        return kernels.transpose(0, 2, 1)

    def back(x):
        maps = x.reshape(groups, batch, *places, outputs // groups)
        maps = maps.transpose(1, 0, 2 + count, *range(2, 2 + count)).reshape(batch, outputs, *places)
        return maps.transpose(np.argsort(spec.out_spec))

    return left, right, back


def _spans(config):
    """Return how far a window reaches along each axis."""
    sizes, apart = config["window_dimensions"], config["window_dilation"]
    return [(size - 1) * gap + 1 for size, gap in zip(sizes, apart, strict=True)]


def _window_counts(config, shape):
    """Return the number of windows along each axis."""
    axes = zip(shape, config["padding"], config["base_dilation"], _spans(config), config["window_strides"], strict=True)
    return [(low + high + (size - 1) * gap + 1 - span) // step + 1 for size, (low, high), gap, span, step in axes]


def windows(config, x, fill):
    """Return the windows of an array, of shape (*places, *window).

    Args:
        config: parameters of `reduce_window_sum` or its like. Those that are not there are as if nothing was dilated.
        x: array.
        fill: array of one entry, what is outside of x.
    """
    ones = (1,) * x.ndim
    config = {"base_dilation": ones, "window_dilation": ones, **config}
    inside = [gap - 1 for gap in config["base_dilation"]]
    x = padded([(low, high, gap) for (low, high), gap in zip(config["padding"], inside, strict=True)], x, fill)
    views = np.lib.stride_tricks.sliding_window_view(x, _spans(config))
    steps = (*config["window_strides"], *config["window_dilation"])
    return views[tuple(slice(None, None, step) for step in steps)]
