"""Pictures of whole matrices, by blocks: arrays in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from figures.style import NAMES


def plot_blocks(matrices, sizes):
    """Draw the sizes of the entries of the three matrices, with lines between the blocks of the layers.

    Args:
        matrices: HessianTriple of (p, p) arrays.
        sizes: number of parameters of each layer, in the order of the flattened vector. They add up to p.

    Returns:
        Array of three matplotlib axes.
    """
    largest = max(float(abs(np.asarray(matrix)).max()) for matrix in matrices)
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), layout="constrained")
    for axis, matrix, name in zip(axes, matrices, NAMES, strict=True):
        entries = np.ma.masked_equal(abs(np.asarray(matrix)), 0)
        image = _draw_blocks(axis, entries, largest, _layers(sizes), sizes)
        axis.set_title(name, fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: exactly zero)")
    figure.suptitle("Block structure by layer", fontsize=12)
    return axes


def plot_reduction(matrix, sizes, T, pieces):
    """Draw the sizes of the entries of a Hessian, by layers, beside those of its reduced matrix, by pieces.

    Args:
        matrix: (p, p) Hessian.
        sizes: number of parameters of each layer.
        T: (n, n) reduced matrix (`linear_networks.reduced_matrix`). Its lower triangle is read.
        pieces: for each layer, the list of pieces that T was made for.

    Returns:
        Array of two matplotlib axes.
    """
    T = np.tril(T) + np.tril(T, -1).T
    largest = max(abs(np.asarray(matrix)).max(), abs(T).max())
    parts = [(rf"{_kind(piece)}$_{layer}$", piece.size) for layer, found in enumerate(pieces, 1) for piece in found]
    figure, axes = plt.subplots(1, 2, figsize=(12, 6.2), layout="constrained")
    panels = (
        (axes[0], np.asarray(matrix), _layers(sizes), sizes, f"the Hessian, $p = {len(matrix)}$, by layers"),
        (axes[1], T, *zip(*parts, strict=True), f"its reduced matrix $T$, {len(T)} rows, by pieces"),
    )
    for axis, entries, labels, lengths, title in panels:
        # Where the structure has a zero, rounding leaves less than 1e-12 of the largest entry.
        image = _draw_blocks(axis, np.ma.masked_less(abs(entries), 1e-12 * largest), largest, labels, lengths)
        axis.tick_params(labelsize=9)
        axis.set_title(title, fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: zero)")
    figure.suptitle(f"Where the {NAMES.loss} lives", fontsize=12)
    return axes


def _draw_blocks(axis, entries, largest, labels, sizes):
    """Draw masked entries on a log scale down to 1e-6 of the largest, with lines between blocks of the sizes given."""
    scale = LogNorm(vmin=1e-6 * largest, vmax=largest) if largest else None
    image = axis.imshow(entries, norm=scale, cmap="viridis", interpolation="nearest")
    axis.set_facecolor("white")
    edges = np.cumsum([0, *sizes])
    for edge in edges[1:-1]:
        for line in (axis.axhline, axis.axvline):
            line(edge - 0.5, color="white", linewidth=1.5)
            line(edge - 0.5, color="black", linewidth=0.5)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    axis.set_xticks(middles, labels)
    axis.set_yticks(middles, labels)
    axis.tick_params(length=0)
    return image


def _layers(sizes):
    return [rf"$\mathbf{{W}}_{layer}$" for layer in range(1, len(sizes) + 1)]


def _kind(piece):
    return "Z" if piece.above is None else "Y" if piece.below is None else "X"
