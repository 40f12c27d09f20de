"""A drawing of the network: its layers from left to right, and the narrowest of them marked."""

import itertools
from typing import NamedTuple

from explorer import svg
from explorer.choices import positions
from explorer.svg import MARKED

_MOST = 9  # units drawn of one layer
_TOP, _MIDDLE, _STEP, _HEIGHT = 24, 98, 15, 246


class _Layer(NamedTuple):
    symbol: str  # SVG text
    size: int
    role: str  # what it is, in a word or two
    columns: int = 1  # positions, side by side
    middle: float = _MIDDLE  # height of its centre
    rank: int = 0  # how many of its dimensions count, if that is not its size


def draw_network(choice, forms, alone=False):
    """Return an SVG picture of a fitted choice's network.

    The layers through which the fewest dimensions pass are marked, the *bottleneck*. They set q in the formulas.

    Args:
        choice: a fitted Choice.
        forms: its `formulas.Forms`.
        alone: as in `svg.picture`.
    """
    layers, links = _LAYERS[choice.kind](choice, forms.values)
    q = forms.values.get("q", min(layer.rank or layer.size * layer.columns for layer in layers if layer.role))
    places = _places(layers, links)
    parts, said = [], []
    for start, end in links:
        parts.append(_lines(places[start], layers[start], places[end], layers[end]))
    if choice.kind == "residual":
        wide = [i for i, layer in enumerate(layers) if layer.symbol == _M]
        for a, b in itertools.pairwise(wide):
            x, y = places[a], places[b]
            parts.append(
                svg.path([f"M{x:.0f} {_TOP + 6}C{x + 10:.0f} 2 {y - 10:.0f} 2 {y:.0f} {_TOP + 6}"], stroke_width=1.5)
            )
    for x, layer in zip(places, layers, strict=True):
        narrow = bool(layer.role) and (layer.rank or layer.size * layer.columns) == q
        parts += _drawn(x, layer, narrow)
        said.append(f"{layer.role or 'branch'} {layer.size}" + (" (bottleneck)" if narrow else ""))
    if layers[0].rank:
        rank = f'<tspan font-style="italic">r</tspan> = {layers[0].rank}'
        parts.append(svg.text(places[0], _HEIGHT - 20, rank, "middle", 12))
    note = f"Orange: the bottleneck, which {q} dimension{'s pass' if q > 1 else ' passes'}."
    parts.append(svg.text(svg.WIDTH / 2, _HEIGHT - 4, note, "middle", 12))
    return svg.picture(_HEIGHT, parts, f"The network's layers: {', '.join(said)}", alone)


def _drawn(x, layer, narrow):
    """Return the elements of one layer: its units or its channels and positions, and its size below."""
    rows, columns = min(layer.size, _MOST), min(layer.columns, 16)
    color = {"stroke": MARKED if narrow else "currentColor"}
    step, across = (_STEP, 0) if columns == 1 else (11, 5)
    left, top = x - across * (columns - 1) / 2, layer.middle - step * (rows - 1) / 2
    points = [(left + across * column, top + step * row) for row in range(rows) for column in range(columns)]
    parts = [svg.dots(points, 5 if columns == 1 else 2, **color)]
    if layer.size > rows:
        parts.append(svg.text(x, top + step * (rows - 1) + 19, "⋮", "middle", 13))
    y = layer.middle + step * (rows - 1) / 2 + 24 if layer.middle != _MIDDLE else _HEIGHT - 52
    times = f" × {layer.columns}" if layer.columns > 1 else ""
    words = f"{layer.symbol} = {layer.size}{times}"
    weight = {"font_weight": "bold"} if narrow else {}
    parts.append(svg.text(x, y, words, "middle", **weight))
    if layer.role:
        parts.append(svg.text(x, y + 15, layer.role, "middle", 11))
    return parts


def _lines(x, first, y, last):
    """Return the lines between the units of two layers, or one line between two layers of channels."""
    if first.columns > 1 or last.columns > 1:
        return svg.path(
            [f"M{x + 3 * first.columns + 6:.0f} {_MIDDLE}H{y - 3 * last.columns - 6:.0f}"], stroke_opacity=0.5
        )
    ends = [
        [layer.middle + _STEP * (i - (rows - 1) / 2) for i in range(rows)]
        for layer, rows in ((layer, min(layer.size, _MOST)) for layer in (first, last))
    ]
    pairs = itertools.product(*ends)
    return svg.path([f"M{x:.0f} {a:.0f}L{y:.0f} {b:.0f}" for a, b in pairs], stroke_opacity=0.25, stroke_width=0.7)


def _places(layers, links):
    """Return where the layers stand, from left to right: one step behind the last layer that leads to them."""
    depth = [0] * len(layers)
    for start, end in links:
        depth[end] = max(depth[end], depth[start] + 1)
    space = (svg.WIDTH - 140) / max(depth)
    return [70 + space * each for each in depth]


_M = '<tspan font-style="italic">m</tspan>'
_D = '<tspan font-style="italic">d</tspan>'
_K = '<tspan font-style="italic">K</tspan>'


def _fully_connected(choice, values):
    hidden = [_Layer(svg.index("m", i), width, "hidden") for i, width in enumerate(choice.widths, start=1)]
    layers = [_ends(choice, values)[0], *hidden, _ends(choice, values)[1]]
    return layers, list(itertools.pairwise(range(len(layers))))


def _residual(choice, values):
    first, last = _ends(choice, values)
    layers = [first, _Layer(_M, choice.block_width, "block")]
    for i, width in enumerate(choice.widths, start=1):
        layers += [_Layer(svg.index("h", i), width, ""), _Layer(_M, choice.block_width, "block")]
    layers.append(last)
    return layers, list(itertools.pairwise(range(len(layers))))


def _attention(choice, values):
    first, last = _ends(choice, values)
    keys, dims = choice.widths
    middle = [_Layer(svg.index("d", "k"), keys, "", middle=48), _Layer(svg.index("d", "v"), dims, "values", middle=136)]
    return [first, *middle, last], [(0, 1), (0, 2), (1, 3), (2, 3)]


def _convolutional(choice, values):
    first, last = _ends(choice, values)
    layers = [first._replace(symbol=svg.index("c", 0), columns=choice.length)]
    for i, width in enumerate(choice.widths, start=1):
        layers.append(_Layer(svg.index("c", i), width, "channels", positions(choice, i)))
    return [*layers, last], list(itertools.pairwise(range(len(layers) + 1)))


def _ends(choice, values):
    """Return the layers of the inputs, of which r dimensions count, and of the outputs."""
    return _Layer(_D, choice.inputs, "inputs", rank=values["r"]), _Layer(
        _K, choice.outputs, "outputs", rank=values["K"]
    )


_LAYERS = {
    "fully connected": _fully_connected,
    "residual": _residual,
    "attention": _attention,
    "convolutional": _convolutional,
}
