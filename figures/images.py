"""Pictures of the inputs: arrays in, axes out."""

import math

import matplotlib.pyplot as plt
import numpy as np


def show_images(inputs, targets, count=10):
    """Show the first `count` inputs as the network sees them, with the class of each.

    Args:
        inputs: (n, d). They are drawn as sqrt(d) x sqrt(d) images if d is a perfect square, else as rows of d numbers.
        targets: (n, K) one-hot, or (n, 1) with -1/+1.
        count: largest number of inputs shown.

    Returns:
        Array of the matplotlib axes.
    """
    count = min(count, len(inputs))
    dim = inputs.shape[1]
    side = math.isqrt(dim)
    shape = (side, side) if side**2 == dim else (1, dim)
    rows = math.ceil(count / 10)
    columns = math.ceil(count / rows)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.25 * rows + 0.35), squeeze=False)
    low, high = np.min(inputs[:count]), np.max(inputs[:count])
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, image, target in zip(axes.flat, inputs[:count], targets, strict=False):
        axis.imshow(np.reshape(image, shape), cmap="gray", vmin=low, vmax=high)
        axis.set_title(f"{int(np.argmax(target))}" if len(target) > 1 else f"{target[0]:+.0f}", fontsize=10)
    figure.suptitle(f"The first {count} inputs, {shape[0]} × {shape[1]} pixels, with their class", fontsize=11)
    figure.tight_layout()
    return axes
