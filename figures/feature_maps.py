"""Drawings of convolutional networks: sizes in, axes out. Lengths on the axes are in inches."""

import itertools
import math

import numpy as np
from matplotlib.patches import Polygon, Rectangle

import checks
from architectures import convolutional
from figures.network_drawings import GREY, WEIGHTS, arrow, canvas, draw_column

_SLICES = 12  # drawn of one layer's channels, at most
_STEP = 0.07, 0.07  # from one slice of an image to the next


def draw_convolution(shape, channels, kernels, classes=None):
    """Draw a convolutional network without padding, as `architectures.convolutional` computes it.

    Every layer is a stack of slices, one for each channel. A blue window shows how much the next kernel sees at once,
    over all channels. A blue position of the next layer is computed from it. Of more than twelve channels the
    drawing shows eleven.

    Args:
        shape: of the inputs, (w, c_0) for sequences or (h, w, c_0) for images.
        channels: [c_1, ..., c_L].
        kernels: [k_1, ..., k_L]: ints for sequences, pairs (height, width) for images.
        classes: number of outputs K of a dense layer behind the convolutions, the head. None for no head.

    Returns:
        The matplotlib axis.

    Raises:
        TypeError, ValueError: for sizes that `architectures.convolutional` refuses, or that do not fit together.

    Example:
        >>> from figures import draw_convolution
        >>> draw_convolution((7, 7, 1), [4, 4], [(3, 3), (3, 3)], classes=10).get_title()
        'Convolutional network, $p = 540$ weights'
    """
    convolutional(channels, kernels, lambda *_: None, classes)  # refuses what is no such network
    taps = [tuple(kernel) if isinstance(kernel, (tuple, list)) else (kernel,) for kernel in kernels]
    spaces, counts = _spaces(shape, taps), [int(shape[-1]), *channels]
    weights = [(*k, a, b) for k, (a, b) in zip(taps, itertools.pairwise(counts), strict=True)]
    kinds = [f"kernel {_times(k)}" for k in taps]
    if classes is not None:
        weights.append((math.prod(spaces[-1]) * counts[-1], classes))
        kinds.append("dense head")
    image = len(taps[0]) == 2
    cell = min(0.3, 1.9 / max(spaces[0]))
    cells, shift = ((cell, cell), _STEP) if image else ((cell, 0.14), (0.14, 0))
    texts = [f"$x_{{{layer}}}$: {_times(n) if image else f'length {n[0]}'}" for layer, n in enumerate(spaces)]
    if classes is None:
        texts[-1] = f"$f(x) = {texts[-1][1:]}"
    names = [f"{text}\n{count} channel{'s' * (count > 1)}" for text, count in zip(texts, counts, strict=True)]
    spaces, taps = ([(*each, 1)[:2] for each in found] for found in (spaces, taps))  # a sequence has one column
    sizes = [tuple(max(0.05, n * side) for n, side in zip(space, cells, strict=True)) for space in spaces]
    widths = [size[1] + shift[0] * min(count, _SLICES) for size, count in zip(sizes, counts, strict=True)]
    columns = [max(width, 1) + 1.2 for width in widths] + [2] * (classes is not None)
    middles = [sum(columns[:layer]) + column / 2 for layer, column in enumerate(columns)]
    axis = canvas(sum(columns), 4.4, "Convolutional network", sum(map(math.prod, weights)))
    corners = [
        (x - width / 2, 2.5 - (size[0] + shift[1] * (_shown(count) - 1)) / 2)
        for x, width, size, count in zip(middles, widths, sizes, counts, strict=False)
    ]
    for layer, (corner, space, size, count) in enumerate(zip(corners, spaces, sizes, counts, strict=True)):
        marks = []
        if layer < len(taps):  # its windows stand at the first positions and at the last ones in turn
            x, y, width, height = _part(corner, space, size, taps[layer], layer % 2)
            marks.append(((x, y, width, height), "window"))
            made = _part(corners[layer + 1], spaces[layer + 1], sizes[layer + 1], (1, 1), layer % 2)
            x += width if image else shift[0] * _shown(count)
            for start, end in ((y, made[1]), (y + height, made[1] + made[3])):
                axis.plot([x, made[0]], [start, end], color=WEIGHTS, linewidth=1, zorder=3)
        if layer:
            marks.append((_part(corner, space, size, (1, 1), (layer - 1) % 2), "position"))
        _draw_slices(axis, corner, space, size, count, shift, marks)
    if classes is not None:
        ends = draw_column(axis, middles[-1], 2.5, classes)
        (x, y), (height, width) = corners[-1], sizes[-1]
        x += width if image else shift[0] * _shown(counts[-1])
        points = [(x, y), (x, y + height), (middles[-1], ends[0]), (middles[-1], ends[-1])]
        axis.add_patch(Polygon(points, facecolor=WEIGHTS, alpha=0.25, edgecolor="none", zorder=0))
        names.append(f"$f(x)$:\n{classes} output{'s' * (classes > 1)}")
    for x, name in zip(middles, names, strict=True):
        axis.text(x, 0.95, name, ha="center", va="center", fontsize=10)
    spans = zip(itertools.pairwise(middles), itertools.pairwise(names), kinds, weights, strict=True)
    for number, ((start, end), texts, kind, shape) in enumerate(spans, 1):
        free = [0.1 + 0.04 * max(map(len, text.splitlines())) for text in texts]
        arrow(axis, (start + free[0], 0.95), (end - free[1], 0.95))
        letter = number if kind != "dense head" else r"\mathrm{head}"
        text = f"{kind}\n$W_{{{letter}}}$: {_times(shape)}"
        axis.text((start + free[0] + end - free[1]) / 2, 0.45, text, ha="center", va="center", fontsize=10)
    return axis


def _spaces(shape, taps):
    """Return the positions of every layer along every axis, without padding.

    Raises:
        TypeError, ValueError: for a shape with other axes than the kernels, or kernels longer than what they see.
    """
    names = "(w, c_0)" if len(taps[0]) == 1 else "(h, w, c_0)"
    if len(shape) != len(taps[0]) + 1:
        kernel = taps[0] if len(taps[0]) > 1 else taps[0][0]
        raise ValueError(f"shape must be {names} for kernels like {kernel}, got {tuple(shape)}")
    *space, _ = (checks.integer(f"shape[{i}]", size) for i, size in enumerate(shape))
    spaces = [tuple(space)]
    for kernel in taps:
        space = [size - k + 1 for size, k in zip(spaces[-1], kernel, strict=True)]
        if min(space) < 1:
            raise ValueError(
                f"a kernel of {_times(kernel)} taps does not fit into {_times(spaces[-1])} positions: take larger "
                "inputs, smaller kernels or fewer layers"
            )
        spaces.append(tuple(space))
    return spaces


def _times(sizes):
    return " × ".join(map(str, sizes))


def _shown(count):
    """Return how many channels of a layer are drawn."""
    return count if count <= _SLICES else _SLICES - 1


def _part(corner, space, size, part, last):
    """Return x, y, width and height of the first or last positions of a slice, `part` of them along each axis."""
    height, width = (n * side / all_of_them for n, side, all_of_them in zip(part, size, space, strict=True))
    x = corner[0] + (size[1] - width if last else 0)
    return x, corner[1] + (0 if last else size[0] - height), width, height


def _draw_slices(axis, corner, space, size, count, shift, marks):
    """Draw the channels of a layer, the last one first, each with its marks and lines between its positions.

    Args:
        axis: which measures in inches.
        corner: the lower left corner of the first channel.
        space: positions along both axes.
        size: height and width of a channel.
        count: number of channels.
        shift: from one channel to the next, to the right and upwards.
        marks: pairs of x, y, width, height on the first channel, and 'window' or 'position'.
    """
    shown = _shown(count)
    for i in reversed(range(shown)):
        x, y = corner[0] + i * shift[0], corner[1] + i * shift[1]
        style = dict(facecolor="white", edgecolor="black", linewidth=0.8, gid="slice", zorder=2)
        axis.add_patch(Rectangle((x, y), size[1], size[0], **style))
        for (left, bottom, width, height), name in marks:
            style = dict(facecolor=WEIGHTS, alpha=0.45 if name == "window" else 1, linewidth=0, gid=name, zorder=2)
            axis.add_patch(Rectangle((left + i * shift[0], bottom + i * shift[1]), width, height, **style))
        for lines, n, side, start, end, ends in (
            (axis.hlines, space[0], size[0], y, y + size[0], (x, x + size[1])),
            (axis.vlines, space[1], size[1], x, x + size[1], (y, y + size[0])),
        ):
            if side / n >= 0.06:
                lines(np.linspace(start, end, n + 1)[1:-1], *ends, color=GREY, linewidth=0.4, zorder=2)
    if count > shown:
        steps = shown - 1 + np.array([0.7, 1.1, 1.5])
        start = corner[0] + size[1], corner[1] + (size[0] if shift[1] else size[0] / 2)
        axis.plot(start[0] + steps * shift[0], start[1] + steps * shift[1], "k.", markersize=3, gid="and so on")
