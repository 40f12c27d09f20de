"""Pictures of whole matrices, by blocks: arrays in, axes out."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.textpath import TextPath
from matplotlib.transforms import blended_transform_factory
from scipy.optimize import isotonic_regression

from figures.panels import say
from figures.style import NAMES

_ZERO = "the matrix is zero:\nall its entries are 0"
_RANGE = 1e-6  # of the colours, from the largest entry down
_LABEL = 0.32, 0.2  # width and height of a label with the space around it, in inches, or more for long ones
_LEADER = 0.13  # length of the lines from blocks to labels that do not stand beside them, in inches


def plot_blocks(matrices, sizes, names=None):
    r"""Draw the sizes of the entries of the three matrices, with lines between the blocks of the layers.

    A zero matrix says so. The title of one whose entries are all smaller than the scale of the colours has the largest.
    Labels of layers too narrow for them stand apart, with lines to their layers. If there are too many, every second or
    third layer has one, and so on.

    Args:
        matrices: HessianTriple of (p, p) arrays.
        sizes: number of parameters of each layer, in the order of the flattened vector. They add up to p.
        names: of the layers, short ones in matplotlib's notation, such as r"$\mathbf{W}_Q$". By default W_1, W_2 and so
            on.

    Returns:
        Array of three matplotlib axes.

    Raises:
        ValueError: if there are not as many names as sizes.
    """
    names = _layers(sizes) if names is None else list(names)
    if len(names) != len(sizes):
        raise ValueError(f"names must have one text for each of the {len(sizes)} sizes, got {len(names)}: {names}")
    maxima = [float(abs(np.asarray(matrix)).max()) for matrix in matrices]
    largest = max(maxima)
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), layout="constrained")
    for axis, matrix, title, own in zip(axes, matrices, NAMES, maxima, strict=True):
        entries = np.ma.masked_equal(abs(np.asarray(matrix)), 0)
        image = _draw_blocks(axis, entries, largest, names, sizes, side=2.9)
        below = f"\nlargest entry {own:.0e}, below the scale" if 0 < own < _RANGE * largest else ""
        axis.set_title(title + below, fontsize=11)
        if own == 0:
            say(axis, _ZERO)
    if largest:
        figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: exactly zero)")
    figure.suptitle("Block structure" if names else "Block structure by layer", fontsize=12)
    return axes


def plot_reduction(matrix, sizes, T, pieces):
    """Draw the sizes of the entries of a Hessian, by layers, beside those of its reduced matrix, by pieces.

    Where one of the two is zero, or T has no rows, the panel says so. Labels stand as in `plot_blocks`.

    Args:
        matrix: (p, p) Hessian.
        sizes: number of parameters of each layer.
        T: (n, n) reduced matrix (`linear_networks.reduced_matrix`). Its lower triangle is read.
        pieces: for each layer, the list of pieces that T was made for.

    Returns:
        Array of two matplotlib axes.
    """
    T = np.tril(T) + np.tril(T, -1).T
    largest = max(abs(np.asarray(matrix)).max(), abs(T).max(initial=0))
    parts = [(rf"{_kind(piece)}$_{{{layer}}}$", piece.size) for layer, found in enumerate(pieces, 1) for piece in found]
    names, lengths = [name for name, _ in parts], [size for _, size in parts]
    figure, axes = plt.subplots(1, 2, figsize=(12, 6.2), layout="constrained")
    rows = f"{len(T)} row{'' if len(T) == 1 else 's'}"
    panels = (
        (axes[0], np.asarray(matrix), _layers(sizes), sizes, f"the Hessian, $p = {len(matrix)}$, by layers"),
        (axes[1], T, names, lengths, f"its reduced matrix $T$, {rows}, by pieces"),
    )
    for axis, entries, labels, blocks, title in panels:
        axis.set_title(title, fontsize=11)
        if not len(entries):
            axis.set(xticks=[], yticks=[], aspect="equal")
            say(axis, "no rows: the Hessian is zero")
            continue
        # Where the structure has a zero, rounding leaves less than 1e-12 of the largest entry.
        masked = np.ma.masked_less_equal(abs(entries), 1e-12 * largest)
        image = _draw_blocks(axis, masked, largest, labels, blocks, side=4.4)
        axis.tick_params(labelsize=9)
        if masked.mask.all():
            say(axis, _ZERO + (",\nbut for rounding" if entries.any() else ""))
    if largest:
        figure.colorbar(image, ax=axes, shrink=0.8, extend="min", label="size of the entry (white: zero)")
    figure.suptitle(f"Where the {NAMES.loss} lives", fontsize=12)
    return axes


def _draw_blocks(axis, entries, largest, labels, sizes, side):
    """Draw masked entries on a log scale down to 1e-6 of the largest, with lines between blocks of the sizes given.

    Args:
        axis: a matplotlib axis.
        entries: (n, n) masked array.
        largest: the entry at the top of the scale; if it is 0, all entries are masked.
        labels: of the blocks.
        sizes: of the blocks; they add up to n.
        side: length of the panel's sides in inches, or less.
    """
    scale = LogNorm(vmin=_RANGE * largest, vmax=largest) if largest else None
    image = axis.imshow(entries, norm=scale, cmap="viridis", interpolation="nearest")
    axis.set_facecolor("white")
    edges = np.cumsum([0, *sizes])
    _draw_lines(axis, edges, 72 * side / len(entries))
    middles = (edges[:-1] + edges[1:] - 1) / 2
    axis.tick_params(length=0)
    for direction, ticks, length in zip("xy", (axis.set_xticks, axis.set_yticks), _space(labels), strict=True):
        step = math.ceil(len(labels) / max(1, math.floor(side / length)))
        marked = middles[::step]
        places = _spread(marked, len(entries) * length / side, (-0.5, len(entries) - 0.5))
        ticks(places, labels[::step])
        if not np.array_equal(places, marked):
            _draw_leaders(axis, direction, marked, places, _LEADER / side)
            axis.tick_params(axis=direction, pad=72 * _LEADER + 2)
    return image


def _space(labels):
    """Return the width and the height that every label needs, in inches."""
    extents = [TextPath((0, 0), label, size=10).get_extents() for label in labels]
    return [
        max(least, max(getattr(each, side) for each in extents) / 72 + 0.05)
        for least, side in zip(_LABEL, ("width", "height"), strict=True)
    ]


def _draw_lines(axis, edges, point):
    """Draw lines between blocks, but for those that would hide narrow blocks.

    Args:
        axis: a matplotlib axis.
        edges: the first row of every block, and the number of rows.
        point: how many points, 72 to the inch, a row is high.
    """
    kept = [edges[0]]
    for edge in edges[1:-1]:
        if point * min(edge - kept[-1], edges[-1] - edge) >= 2:
            kept.append(edge)
    for before, edge, after in zip(kept, kept[1:], [*kept[2:], edges[-1]], strict=False):
        for line in (axis.axhline, axis.axvline):
            if point * min(edge - before, after - edge) >= 8:
                line(edge - 0.5, color="white", linewidth=1.5)
            line(edge - 0.5, color="black", linewidth=0.5)


def _spread(middles, spacing, limits):
    """Return places as near to the middles as can be, in squares, but `spacing` apart and within the limits."""
    if len(middles) < 2 or np.diff(middles).min() >= spacing:
        return middles
    steps = spacing * np.arange(len(middles))
    return np.clip(isotonic_regression(middles - steps).x, limits[0], limits[1] - steps[-1]) + steps


def _draw_leaders(axis, direction, starts, ends, length):
    """Draw lines from places on the left side or the bottom of a panel to others beside it.

    Args:
        axis: a matplotlib axis.
        direction: 'x' for the bottom, 'y' for the left side.
        starts, ends: along that side, in the data's coordinates.
        length: how far from the panel they end, relative to its side.
    """
    along_x = direction == "x"
    transform = blended_transform_factory(*((axis.transData, axis.transAxes)[:: 1 if along_x else -1]))
    points = ([(start, 0), (start, -length / 4), (end, -length)] for start, end in zip(starts, ends, strict=True))
    lines = [line if along_x else [(across, along) for along, across in line] for line in points]
    axis.add_artist(LineCollection(lines, transform=transform, color="0.35", linewidth=0.7, clip_on=False))


def _layers(sizes):
    return [rf"$\mathbf{{W}}_{{{layer}}}$" for layer in range(1, len(sizes) + 1)]


def _kind(piece):
    return "Z" if piece.above is None else "Y" if piece.below is None else "X"
