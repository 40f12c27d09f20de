"""Drawings of attention and of one hidden layer: sizes in, axes out. Lengths on the axes are in inches."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

import checks
from architectures import attention
from figures.style import COLORS, PALETTE

WEIGHTS = PALETTE[6]  # apart from the colours of the three matrices
GREY, _LIGHT = "#999999", "#eeeeee"
_NODES = 7  # drawn of one layer's units, at most


def draw_attention(dim, keys, values, classes=None, heads=1, softmax=False):
    """Draw one layer of self-attention, X (t, d) -> f(X) (t, K), as `architectures.attention` computes it.

    Blue boxes are weights. The other matrices have a row for each of the t tokens. Behind the first head stand the
    others as empty sheets, at most two of them.

    Args:
        dim: d, the dimension of the tokens.
        keys: k, the dimension of the queries and keys of one head.
        values: v, the dimension of the values of one head.
        classes: number of outputs K for each token. None for no output projection, with K = heads * v.
        heads: number of heads.
        softmax: whether the scores go through a softmax.

    Returns:
        The matplotlib axis.

    Raises:
        TypeError, ValueError: for sizes that `architectures.attention` refuses, or a `dim` that is no positive integer.

    Example:
        >>> from figures import draw_attention
        >>> draw_attention(5, 2, 3, classes=4).get_title()
        'Self-attention without softmax, $p = 47$ weights'
    """
    d = checks.integer("dim", dim)
    attention(keys, values, lambda *_: None, classes, heads, softmax)  # refuses what is no such network
    p = heads * (d * (2 * keys + values) + values * (classes or 0))
    high, middle, low = 4.25, 2.6, 0.95
    scores, mean = (high + middle) / 2, 2.2  # heights of A and of A X W_V
    where = 9.8 if softmax else 6.4  # x of A
    mixed = where + 2  # x of A X W_V
    last = mixed if classes is None else mixed + 1.5
    alone = classes is None and heads == 1  # A X W_V is the output
    axis = canvas(last + (0.8 if alone else 2.3), 5.5, f"Self-attention with{'' if softmax else 'out'} softmax", p)
    if heads > 1:
        for shift in (0.16, 0.08, 0)[-min(heads, 3) :]:
            style = dict(boxstyle="round,pad=0,rounding_size=0.15", facecolor="white", edgecolor=GREY, gid="head")
            axis.add_patch(FancyBboxPatch((1.7 + shift, 0.15 + shift), last - 1.05, 4.75, **style))
        joined = "stand side by side" if classes is None else "are added"
        text = f"one of {heads} heads, each with weights of its own;\ntheir outputs {joined}"
        axis.text(last + 0.5, 0.6, text, ha="right", va="center", fontsize=10)

    _, tokens = _matrix(axis, 0.75, middle, "tokens $X$", d)
    ends = []
    for letter, name, size, y in (
        ("Q", "queries", keys, high),
        ("K", "keys", keys, middle),
        ("V", "values", values, low),
    ):
        left, right = _box(axis, 2.4, y, f"$W_{letter}$\n{d} × {size}")
        arrow(axis, (tokens, middle), (left, y))
        left, end = _matrix(axis, 4.15, y, f"{name} $X W_{letter}$", size)
        arrow(axis, (right, y), (left, y))
        ends.append((end, y))
    product = r"X W_Q W_K^\top X^\top"
    left, right = _matrix(axis, 6.4, scores, f"scores ${product}$" if softmax else f"$A = {product}$")
    for (end, y), shift in zip(ends[:2], (0.2, -0.2), strict=True):
        arrow(axis, (end, y), (left, scores + shift))
    if softmax:
        start = right
        left, right = _box(axis, 8.1, scores, f"softmax of rows\nof scores $/ \\sqrt{{{keys}}}$", "white")
        arrow(axis, (start, scores), (left, scores))
        start = right
        left, right = _matrix(axis, where, scores, "$A$")
        arrow(axis, (start, scores), (left, scores))
    left, end = _matrix(axis, mixed, mean, "$f(X) = A X W_V$" if alone else "$A X W_V$", values)
    arrow(axis, (right, scores), (left, mean + 0.2))
    arrow(axis, ends[2], (left, mean - 0.2))
    if classes is not None:
        left, right = _box(axis, last, mean, f"$W_O$\n{values} × {classes}")
        arrow(axis, (end, mean), (left, mean))
        end = right
    if not alone:
        left, _ = _matrix(axis, last + 1.6, mean, "outputs $f(X)$", classes or heads * values)
        arrow(axis, (end, mean), (left, mean))
    return axis


def draw_hidden_layer(d, m, K):
    r"""Draw a network with one hidden layer, f(x) = V sigma(W x), and highlight the weights of one hidden unit j.

    These are row j of W, the incoming weights w_j, and column j of V, the outgoing weights v_j. They make the
    diagonal block H_j of the functional Hessian. Of more than seven units the drawing shows some.

    Args:
        d: number of inputs.
        m: width of the hidden layer.
        K: number of outputs.

    Returns:
        The matplotlib axis.

    Raises:
        TypeError, ValueError: for sizes that are no positive integers.

    Example:
        >>> from figures import draw_hidden_layer
        >>> draw_hidden_layer(5, 8, 3).get_title()
        'One hidden layer, $f(x) = V \\sigma(W x)$, $p = 64$ weights'
    """
    d, m, K = (checks.integer(name, size) for name, size in (("d", d), ("m", m), ("K", K)))
    axis = canvas(9, 5.6, r"One hidden layer, $f(x) = V \sigma(W x)$", m * (d + K))
    color, where, middle = COLORS.functional, (1.2, 4.5, 7.8), 3
    places = [_places(n, middle, 0.48)[0] for n in (d, m, K)]
    j = places[1][len(places[1]) // 2]
    for layer in (0, 1):
        for start, end in itertools.product(*places[layer : layer + 2]):
            chosen = (start, end)[1 - layer] == j
            style = (
                dict(color=color, linewidth=1.8, zorder=1, gid="edge of j") if chosen else dict(color="0.8", zorder=0)
            )
            axis.plot(where[layer : layer + 2], (start, end), **{"linewidth": 0.7, **style})
    for x, n in zip(where, (d, m, K), strict=True):
        draw_column(axis, x, middle, n, 0.48, radius=0.15)
    axis.add_patch(Circle((where[1], j), 0.15, facecolor=color, edgecolor=color, zorder=3, gid="j"))
    axis.text(where[1], j, "$j$", ha="center", va="center", color="white", fontsize=11, zorder=4)
    heads = f"inputs $x$, $d = {d}$", f"hidden units, $m = {m}$", f"outputs $f(x)$, $K = {K}$"
    for x, text in zip(where, heads, strict=True):
        axis.text(x, 4.95, text, ha="center", va="center", fontsize=10)
    sides = (
        (f"$W$: {m} × {d}", f"$w_j$: row $j$ of $W$,\n{d} weight{'s' * (d > 1)}"),
        (f"$V$: {K} × {m}", f"$v_j$: column $j$ of $V$,\n{K} weight{'s' * (K > 1)}"),
    )
    for x, (all_weights, chosen) in zip((2.85, 6.15), sides, strict=True):
        axis.text(x, 4.95, all_weights, ha="center", va="center", fontsize=10, color="0.4")
        axis.text(x, 0.85, chosen, ha="center", va="center", fontsize=10, color=color)
    block = r"$\mathbf{H}_j$, a diagonal block of $\mathbf{H}_f$: second derivatives in $w_j$ and $v_j$"
    axis.text(4.5, 0.3, f"{block}, {d + K} × {d + K}", ha="center", va="center", fontsize=10, color=color)
    return axis


def canvas(width, height, title, p):
    """Return an axis that fills a figure and measures in inches, with the number of weights in its title."""
    commas = f"{p:,}".replace(",", "{,}")  # TeX would leave space behind a comma
    axis = plt.figure(figsize=(width, height)).add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()
    axis.set_title(f"{title}, $p = {commas}$ weights", y=1 - 0.33 / height, pad=0, fontsize=12)
    return axis


def arrow(axis, start, end):
    """Draw an arrow from one point to another."""
    style = dict(arrowstyle="-|>", mutation_scale=11, shrinkA=2, shrinkB=2, color="0.3", linewidth=1)
    axis.add_patch(FancyArrowPatch(start, end, **style))


def _matrix(axis, x, y, name, columns=None):
    """Draw a matrix of t rows and so many columns, t by default, and return where it begins and ends along x."""
    width = 0.75 if columns is None else min(0.75, 0.15 + 0.06 * columns)
    style = dict(facecolor=_LIGHT, edgecolor="black", linewidth=1)
    axis.add_patch(Rectangle((x - width / 2, y - 0.375), width, 0.75, **style))
    axis.hlines(y + np.linspace(-0.225, 0.225, 4), x - width / 2, x + width / 2, color=GREY, linewidth=0.6)
    axis.text(x, y + 0.5, name, ha="center", va="center", fontsize=10)
    axis.text(x, y - 0.5, f"$t$ × {columns or '$t$'}", ha="center", va="center", fontsize=9)
    return x - width / 2, x + width / 2


def _box(axis, x, y, text, color=WEIGHTS):
    """Draw a text in a box and return where it begins and ends along x."""
    width = 0.16 + 0.085 * max(map(len, text.replace("sqrt", "").splitlines()))
    style = dict(boxstyle="round,pad=0,rounding_size=0.08", facecolor=color, edgecolor="black", linewidth=1)
    axis.add_patch(FancyBboxPatch((x - width / 2, y - 0.3), width, 0.6, **style))
    axis.text(x, y, text, ha="center", va="center", fontsize=10)
    return x - width / 2, x + width / 2


def _places(n, middle, step):
    """Return the heights of the units drawn of a layer, from the top, and of dots that stand for units between them."""
    slots = min(n, _NODES)
    heights = [middle + step * ((slots - 1) / 2 - slot) for slot in range(slots)]
    dots = [2, 4] if n > _NODES else []
    return [y for slot, y in enumerate(heights) if slot not in dots], [heights[slot] for slot in dots]


def draw_column(axis, x, middle, n, step=0.28, radius=0.09):
    """Draw the units of a layer, and return the heights of the units drawn."""
    units, dots = _places(n, middle, step)
    for y in units:
        axis.add_patch(Circle((x, y), radius, facecolor="white", edgecolor="black", linewidth=1, gid="unit", zorder=2))
    for y in dots:
        axis.plot([x] * 3, y + step * np.array([-0.22, 0, 0.22]), "k.", markersize=3, gid="and so on")
    return units
