"""Pictures of whole matrices, by blocks: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from figures.style import NAMES


def plot_blocks(matrices, sizes):
    """Draw the sizes of the entries of the three matrices, with lines between the blocks of the layers.

    Args:
        matrices: HessianTriple of (p, p) arrays.
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


def plot_reduction(matrix, sizes, T, pieces):
    """Draw the sizes of the entries of a Hessian, by layers, beside those of its reduced matrix, by pieces.

    Args:
        matrix: (p, p) Hessian.
        sizes: number of parameters of each layer.
        T: (n, n) reduced matrix, of which the lower triangle is read.
        pieces: for each layer, the list of pieces that T was made for.

    Returns:
        Array of two matplotlib axes.
    """
    T = np.tril(T) + np.tril(T, -1).T
    largest = max(abs(np.asarray(matrix)).max(), abs(T).max())
    scale = LogNorm(vmin=1e-6 * largest, vmax=largest)
    layers = [rf"$\mathbf{{W}}_{layer}$" for layer in range(1, len(sizes) + 1)]
    parts = [(rf"{_kind(piece)}$_{layer}$", piece.size) for layer, found in enumerate(pieces, 1) for piece in found]
    figure, axes = plt.subplots(1, 2, figsize=(12, 6.2), layout="constrained")
    panels = (
        (axes[0], abs(np.asarray(matrix)), layers, sizes, f"the Hessian, $p = {len(matrix)}$, by layers"),
        (axes[1], abs(T), *zip(*parts, strict=True), f"its reduced matrix $T$, {len(T)} rows, by pieces"),
    )
    for axis, entries, labels, lengths, title in panels:
        # What is below 1e-12 of the largest is rounding where the structure has a zero.
        image = axis.imshow(np.ma.masked_less(entries, 1e-12 * largest), norm=scale, interpolation="nearest")
        edges = np.cumsum([0, *lengths])
        for edge in edges[1:-1]:
            for line in (axis.axhline, axis.axvline):
                line(edge - 0.5, color="white", linewidth=1.5)
                line(edge - 0.5, color="black", linewidth=0.5)
        middles = (edges[:-1] + edges[1:] - 1) / 2
        axis.set_xticks(middles, labels, fontsize=9)
        axis.set_yticks(middles, labels, fontsize=9)
        axis.tick_params(length=0)
        axis.set_title(title, fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: zero)")
    figure.suptitle(f"Where the {NAMES.loss} lives", fontsize=12)
    return axes


def _kind(piece):
    return "Z" if piece.above is None else "Y" if piece.below is None else "X"
