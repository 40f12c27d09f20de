"""Drawings of the structure of linear networks: sizes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Patch, Rectangle
from matplotlib.path import Path

from figures.style import COLORS

_GREY = "#999999"
_WIDTH, _HEIGHT = 9, 3.9  # of a figure, in inches


def draw_pieces(d, m, K, r=None):
    """Draw the parts of the two layers' variations that the Hessians of f(x) = W_2 W_1 x see.

    The matrices V_1 (m, d) and V_2 (K, m) are drawn in coordinates that begin with the spaces that matter. So the
    pieces X_1, Z_1, X_2 and Y_2 of `linear_networks.reduced_matrix` are rectangles. Weights and residuals are in
    general position (`closed_forms.linear`). Then the areas of the four pieces add up to the rank of H_L.

    Args:
        d: number of inputs.
        m: width of the hidden layer.
        K: number of outputs.
        r: rank of the data, by default d.

    Returns:
        The matplotlib axis. An entry of V_1 or V_2 is a square of side 1 on it.
    """
    r = d if r is None else r
    above, below, s = min(m, K), min(m, r), min(r, K)  # the ranks of W_2, of W_1 on the data, and of Omega
    entry = min((_HEIGHT - 1.5) / max(m, K), (_WIDTH - 3) / (d + m))  # its side in inches
    figure = plt.figure(figsize=(_WIDTH, _HEIGHT))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, _WIDTH / entry), ylim=((_HEIGHT - 1) / entry, -1 / entry))
    axis.set_axis_off()
    left = (_WIDTH / entry - (d + m) - 0.8 / entry) / 2
    _draw_matrix(
        axis,
        "V_1",
        (left, m, d),
        {"X_1": (0, 0, above, r), "Z_1": (above, 0, m - above, s)},
        [(above, s, m - above, d - s), (0, r, above, d - r)],
        [("row space\nof $W_2$", above), ("rest", m - above)],
        [("row space\nof $\\Omega$", s), ("rest", r - s), ("no\ndata", d - r)],
    )
    _draw_matrix(
        axis,
        "V_2",
        (left + d + 1.6 / entry, K, m),
        {"X_2": (0, 0, K, below), "Y_2": (0, below, s, m - below)},
        [(s, below, K - s, m - below)],
        [("column space\nof $\\Omega$", s), ("rest", K - s)],
        [("column space\nof $W_1$", below), ("rest", m - below)],
    )
    colors = (
        (COLORS.outer, r"seen by $\mathbf{H}_o$ and $\mathbf{H}_f$"),
        (COLORS.functional, r"by $\mathbf{H}_f$ alone"),
    )
    handles = [Patch(facecolor=color, alpha=0.4, edgecolor=color, label=text) for color, text in colors]
    handles.append(Patch(facecolor="white", edgecolor="black", label="by none"))
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False, fontsize=10)
    return axis


def _draw_matrix(axis, name, place, pieces, unseen, rows, columns):
    """Draw one matrix of variations with its pieces.

    Args:
        axis: on which an entry has side 1, and y points downwards.
        name: of the matrix.
        place: x of its left side, number of rows, number of columns.
        pieces: {name: (first row, first column, rows, columns)}.
        unseen: rectangles (first row, first column, rows, columns), labelled as not seen.
        rows, columns: pairs (label, number) along the left side and along the top.
    """
    left, height, width = place
    inch = axis.get_xlim()[1] / _WIDTH
    title = f"layer {name[-1]}: ${name}$, {height} × {width}"
    axis.text(left + width / 2, -0.7 * inch, title, ha="center", va="center", fontsize=11)
    for piece, (i, j, a, b) in pieces.items():
        if a and b:
            color = COLORS.outer if piece[0] == "X" else COLORS.functional
            axis.add_patch(Rectangle((left + j, i), b, a, facecolor=color, alpha=0.4, edgecolor="none", gid=piece))
            axis.add_patch(Rectangle((left + j, i), b, a, fill=False, edgecolor=color, linewidth=1.5))
            size = max(5, 11 * min(1, a / inch / 0.35, b / inch / 0.5))  # smaller in a narrow piece
            axis.text(left + j + b / 2, i + a / 2, f"${piece}$\n{a} × {b}", ha="center", va="center", fontsize=size)
    for i, j, a, b in unseen:
        if a and b:
            text = "not seen" if b > 0.7 * inch else "not\nseen"
            axis.text(left + j + b / 2, i + a / 2, text, ha="center", va="center", fontsize=9, color="#555555")
    axis.add_patch(Rectangle((left, 0), width, height, fill=False, edgecolor="black", linewidth=1.5, gid=name))
    first = 0
    for text, size in rows:
        if size:
            _bracket(axis, (left - 0.06 * inch, first), (left - 0.06 * inch, first + size))
            axis.text(left - 0.12 * inch, first + size / 2, text, ha="right", va="center", fontsize=9)
            first += size
    first = left
    for text, size in columns:
        if size:
            _bracket(axis, (first, -0.06 * inch), (first + size, -0.06 * inch))
            axis.text(first + size / 2, -0.12 * inch, text, ha="center", va="bottom", fontsize=9)
            first += size


def _bracket(axis, start, end):
    arrow = FancyArrowPatch(start, end, arrowstyle="|-|,widthA=2,widthB=2", shrinkA=1, shrinkB=1, color=_GREY)
    axis.add_patch(arrow)


def draw_loop(layers):
    """Draw the cycle of maps W_1, ..., W_L, Omega^T and the loops into which changes of basis split it.

    On the left every arrow is a matrix. On the right every dot is a unit in the new bases, and every arrow is a number.
    It is 1 on the weights of a loop, and the loop's lambda_i on Omega^T (`linear_networks.loops`). One loop is
    highlighted.

    Args:
        layers: L, at least 1.

    Returns:
        Array of two matplotlib axes, the cycle and its loops.
    """
    nodes = layers + 1
    angles = 1.5 * np.pi - np.pi / nodes - 2 * np.pi / nodes * np.arange(nodes)  # clockwise, Omega^T at the bottom
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    middles = angles - np.pi / nodes
    outward = np.stack([np.cos(middles), np.sin(middles)], axis=1)
    names = [
        r"$\mathbb{R}^d$",
        *(rf"$\mathbb{{R}}^{{m_{{{layer}}}}}$" for layer in range(1, layers)),
        r"$\mathbb{R}^K$",
    ]
    maps = [*(f"$W_{{{layer}}}$" for layer in range(1, layers + 1)), r"$\Omega^\top$"]
    radii, rest, color = (1.0, 0.82, 0.64), 0.48, COLORS.outer
    shrink = min(1, 9 / nodes)  # more nodes need smaller circles and letters
    big, small = 13 * shrink, 10 * shrink

    figure, axes = plt.subplots(1, 2, figsize=(_WIDTH, _HEIGHT + 0.3), layout="constrained")
    for axis, title in zip(axes, ("the cycle of maps", "the same after changes of basis: loops"), strict=True):
        axis.set(xlim=(-1.5, 1.5), ylim=(-1.3, 1.3), aspect="equal", title=title)
        axis.title.set_fontsize(11)
        axis.set_axis_off()
    cycle, loops = axes
    for k in range(nodes):
        _arc(cycle, 1.0, angles[k], 2 * np.pi / nodes, 0.23 * shrink, "black", 1.5)
        cycle.text(*(1.2 * outward[k]), maps[k], ha="center", va="center", fontsize=12 * shrink)
        cycle.add_patch(Circle(directions[k], 0.2 * shrink, facecolor="white", edgecolor="black"))
        cycle.text(*directions[k], names[k], ha="center", va="center", fontsize=big)
        for radius in radii:
            chosen = radius == radii[0]
            _arc(loops, radius, angles[k], 2 * np.pi / nodes, 0.05, color if chosen else _GREY, 2 if chosen else 1)
            loops.plot(*(radius * directions[k]), "o", color=color if chosen else _GREY, markersize=7 if chosen else 5)
        if k < layers:
            loops.plot(*(rest * directions[k]), "o", color=_GREY, markerfacecolor="white", markersize=5)
        weight = "1" if k < layers else r"$\lambda_i$"
        loops.text(*(1.14 * outward[k]), weight, ha="center", va="center", color=color, fontsize=small)
        loops.text(*(1.22 * directions[k]), names[k], ha="center", va="center", fontsize=big)
    handles = [
        Line2D([], [], color=color, marker="o", linewidth=2, label="one loop, with its weights"),
        Line2D([], [], color=_GREY, marker="o", markersize=5, label="the other loops"),
        Line2D([], [], color=_GREY, marker="o", markersize=5, markerfacecolor="white", lw=0, label="units in no loop"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return axes


def _arc(axis, radius, start, turn, space, color, linewidth):
    """Draw a clockwise arrow along a circle, from an angle by a turn, with a free length `space` at both ends."""
    angles = np.linspace(start - space / radius, start - turn + space / radius, 50)
    points = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    style = dict(arrowstyle="-|>", mutation_scale=10, fill=False, color=color, linewidth=linewidth)
    axis.add_patch(FancyArrowPatch(path=Path(points), **style))
