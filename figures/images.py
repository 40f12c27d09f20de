"""Pictures of the inputs: arrays in, axes out."""

import math

import matplotlib.pyplot as plt
import numpy as np

import checks

_NONE = "–"  # in place of a class


def show_images(inputs, targets, count=10, pixels=True):
    """Show the first `count` inputs as the network sees them, with the class of each.

    Args:
        inputs: (n, d). They are drawn as sqrt(d) x sqrt(d) images if they are pixels and d is a perfect square. If not,
            each is a row of d bars.
        targets: (n, K) one-hot, or (n, 1) with -1/+1. A row of zeros, or one where no entry exceeds the sum of the
            others, is no class, and the title is a dash.
        count: largest number of inputs shown, at least 1.
        pixels: whether the numbers are the pixels of an image.

    Returns:
        Array of the matplotlib axes.

    Raises:
        TypeError: if `count` is not an integer.
        ValueError: for inputs or targets of other shapes or numbers, no samples, NaN or infinity, or a count below 1.
    """
    count = checks.integer("count", count)
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    _check(inputs, targets)
    inputs, targets, dim = inputs[:count], targets[:count], inputs.shape[1]
    side = math.isqrt(dim)
    square = pixels and side**2 == dim
    rows = math.ceil(len(inputs) / 10)
    columns = math.ceil(len(inputs) / rows)
    # The heading needs five inches.
    figure, axes = plt.subplots(rows, columns, figsize=(max(5, columns), 1.25 * rows + 0.35), squeeze=False)
    style = dict(cmap="gray", vmin=inputs.min(), vmax=inputs.max(), aspect="auto")
    titles = [_class(target) for target in targets]
    for axis, numbers, title in zip(axes.flat, inputs, titles, strict=False):
        axis.imshow(np.reshape(numbers, (side, side) if square else (1, dim)), **style)
        axis.set(xticks=[], yticks=[], box_aspect=1)
        axis.spines[:].set(color="0.7", linewidth=0.5)
        axis.set_title(title, fontsize=10)
    for axis in axes.flat[len(inputs) :]:
        axis.set_axis_off()
    if square:
        size = f"{side} × {side} pixel{'s' if dim > 1 else ''}"
    else:
        size = f"{dim} number{'s' if dim > 1 else ''}{' each' if len(inputs) > 1 else ''}"
    figure.suptitle(_heading(len(inputs), size, titles), fontsize=11)
    figure.tight_layout()
    return axes


def _check(inputs, targets):
    """Check that every input has a row of targets."""
    if inputs.ndim != 2 or not inputs.size:
        raise ValueError(
            f"inputs must be (n, d), a row of numbers for each sample, got shape {inputs.shape}; images become rows by "
            "inputs.reshape(len(inputs), -1)"
        )
    if targets.ndim != 2 or not targets.shape[1]:
        remedy = "; targets[:, None] makes a column of signs, np.eye(K)[targets] makes labels one-hot"
        raise ValueError(
            f"targets must be (n, K) one-hot, or (n, 1) with -1 and +1, got shape {targets.shape}"
            + (remedy if targets.ndim == 1 else "; make one row of them for each input")
        )
    if len(inputs) != len(targets):
        raise ValueError(
            f"every input needs its own targets, got {len(inputs)} inputs and {len(targets)} rows of targets; take the "
            "same samples of both"
        )
    checks.finite(inputs=inputs, targets=targets)


def _class(target):
    """Return the class that a row of targets names, as a text: a sign, a number, or a dash for none."""
    if not target.any():
        return _NONE
    if len(target) == 1:
        return f"{target[0]:+.2g}"
    named = target.min() >= 0 and target.max() > target.sum() - target.max()
    return f"{np.argmax(target)}" if named else _NONE


def _heading(count, size, titles):
    first, their = ("The first input", "its") if count == 1 else (f"The first {count} inputs", "their")
    nameless = titles.count(_NONE)
    classes = "" if nameless == count else f", with {their} class" + (f" ({_NONE}: none)" if nameless else "")
    return f"{first}, {size}{classes}"
