"""Pictures of images, spectra and block structure: arrays in, axes out."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from ranks import HessianRanks

# Okabe and Ito's palette, told apart by colour-blind readers; one colour per matrix, everywhere.
COLORS = HessianRanks(functional="#0072B2", outer="#D55E00", loss="#009E73")
NAMES = HessianRanks(
    functional=r"functional Hessian $\mathbf{H}_f$",
    outer=r"outer product $\mathbf{H}_o$",
    loss=r"loss Hessian $\mathbf{H}_\mathcal{L}$",
)


def show_images(inputs, targets, count=10):
    """Show the first `count` inputs as the network sees them, with the class of each.

    Args:
        inputs: (n, d); drawn as sqrt(d) x sqrt(d) images where d is a perfect square, as rows of d numbers where not.
        targets: (n, K) one-hot, or (n, 1) with -1/+1.
        count: how many at the most.

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


def plot_spectra(measured, predicted, heading="closed form"):
    """Draw the sorted |eigenvalues| of the three matrices on a log axis, each with its threshold and predicted rank.

    Args:
        measured: HessianRanks of NumericalRank.
        predicted: HessianRanks of int.
        heading: what the predicted ranks are.

    Returns:
        Array of three matplotlib axes.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True)
    for axis, found, bound, color, name in zip(axes, measured, predicted, COLORS, NAMES, strict=True):
        sizes = abs(found.eigenvalues)
        floor = max(np.finfo(float).eps ** 2 * sizes[0], np.finfo(float).tiny)  # where exact zeros are drawn
        index = np.arange(1, len(sizes) + 1)
        axis.semilogy(index, np.maximum(sizes, floor), ".", color=color, markersize=4, label=r"$|\lambda_i|$")
        axis.axhline(max(found.threshold, floor), color="0.35", linestyle="--", linewidth=1, label="threshold")
        axis.axvline(bound + 0.5, color="black", linestyle=":", linewidth=1.5, label=f"{heading}: {bound}")
        axis.set_title(f"{name}\nrank {found.rank}, gap {found.gap:.0e}", fontsize=11)
        axis.set_xlabel("index $i$")
        axis.grid(alpha=0.25)
        axis.legend(loc="lower left", fontsize=9)
    axes[0].set_ylabel(r"$|\lambda_i|$, sorted")
    figure.suptitle("The cliff in each spectrum, and where the theory puts it", fontsize=12)
    figure.tight_layout()
    return axes


def plot_blocks(matrices, sizes):
    """Draw the sizes of the entries of the three matrices, with lines between the blocks of the layers.

    Args:
        matrices: HessianRanks of (p, p) arrays.
        sizes: number of parameters of each layer, in the order of the flattened vector; they add up to p.

    Returns:
        Array of three matplotlib axes.
    """
    largest = max(float(abs(np.asarray(matrix)).max()) for matrix in matrices)
    scale = LogNorm(vmin=1e-6 * largest, vmax=largest) if largest else None
    edges = np.cumsum([0, *sizes])
    labels = [rf"$\mathbf{{W}}_{layer}$" for layer in range(1, len(sizes) + 1)]
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), layout="constrained")
    for axis, matrix, name in zip(axes, matrices, NAMES, strict=True):
        entries = np.ma.masked_equal(abs(np.asarray(matrix)), 0)
        image = axis.imshow(entries, norm=scale, cmap="viridis", interpolation="nearest")
        axis.set_facecolor("white")
        for edge in edges[1:-1]:
            axis.axhline(edge - 0.5, color="white", linewidth=1.5)
            axis.axvline(edge - 0.5, color="white", linewidth=1.5)
            axis.axhline(edge - 0.5, color="black", linewidth=0.5)
            axis.axvline(edge - 0.5, color="black", linewidth=0.5)
        middles = (edges[:-1] + edges[1:] - 1) / 2
        axis.set_xticks(middles, labels)
        axis.set_yticks(middles, labels)
        axis.tick_params(length=0)
        axis.set_title(name, fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: exactly zero)")
    figure.suptitle("Block structure by layer", fontsize=12)
    return axes
